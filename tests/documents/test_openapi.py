"""The HTTP interface is described whole: every reference leads somewhere, every operation has an answer and a name of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.documents.reading import dangling

PLACE = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}
EXPECTED = ("/api/v1/portfolio/", "/api/v1/trades/", "/api/v1/trades/execute", "/api/v1/bots/signals/", "/api/v1/stream")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PLACE.read_text(encoding="utf-8"))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS & set(methods):
            yield f"{method} {path}", methods[method]


def test_the_paths_that_clients_expect_are_there(document: dict[str, Any]) -> None:
    assert [path for path in EXPECTED if path not in document["paths"]] == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert dangling(document) == []


def test_every_operation_has_a_name_of_its_own_and_an_answer(document: dict[str, Any]) -> None:
    found = dict(operations(document))

    assert len({one["operationId"] for one in found.values()}) == len(found)
    assert [name for name, one in found.items() if not any(code.startswith(("2", "3")) for code in one["responses"])] == []


def test_whoever_trades_needs_an_idempotency_key(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/trades/execute"]["post"]["parameters"]

    assert any(one["in"] == "header" and one["name"].lower() == "idempotency-key" for one in parameters)


def test_money_is_a_string_with_a_currency(document: dict[str, Any]) -> None:
    money = [node for node in objects(document) if {"amount", "currency"} <= set(node.get("properties", {}))]

    assert len(money) > 10
    assert all(node["properties"]["amount"]["type"] == "string" for node in money)


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(value)
