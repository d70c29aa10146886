"""The AsyncAPI documents have the shape of AsyncAPI 3, refer to what is there, and describe what the codec writes."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from tests.documents.reading import dangling

from quantmatrix.common.contracts.catalog import MESSAGES
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.documents.asyncapi import of_all, of_service
from quantmatrix.operations.documents.examples import example_of

FOLDER = Path(__file__).parents[2] / "docs" / "asyncapi"
DOCUMENTS = (*SERVICES, "quantmatrix")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_the_parts_that_asyncapi_3_demands(name: str) -> None:
    whole = document(name)

    ApplicationSchema.model_validate(whole)
    assert whole["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(whole["info"])
    for server in whole["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for operation in whole["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert list(operation["channel"]) == ["$ref"]
    for channel in whole["channels"].values():
        assert "address" in channel
        assert set(channel.get("parameters", {})) == set(_names(channel["address"] or ""))


def _names(address: str) -> list[str]:
    return [piece.partition("}")[0] for piece in address.split("{")[1:]]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere(name: str) -> None:
    assert dangling(document(name)) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_operations_use_the_messages_of_their_own_channels(name: str) -> None:
    for operation in document(name)["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_what_the_codec_writes_fits_the_schema(message: Any) -> None:
    whole = document("quantmatrix")
    schema = {"$ref": f"#/components/schemas/{message.__name__}", "components": whole["components"]}

    jsonschema.Draft202012Validator(schema).validate(example_of(message))


def test_the_schema_refuses_a_number_where_money_is_due() -> None:
    whole = document("quantmatrix")
    schema = {"$ref": "#/components/schemas/OrderFilled", "components": whole["components"]}
    example = example_of(next(message for message in MESSAGES if message.__name__ == "OrderFilled"))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(example | {"price": 430.47})


def test_services_together_say_what_all_say() -> None:
    said = {name for service in SERVICES for name, what in of_service(service)["operations"].items() if what["action"] == "send"}
    everything = {name for name, what in of_all()["operations"].items() if what["action"] == "send"}

    assert said == everything


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    """AsyncAPI's own schema, from the npm package that carries it; the shape above is checked without it too."""
    place = FOLDER.parents[1] / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
    if not place.exists():
        pytest.skip("the npm package @asyncapi/specs is not installed; 'make setup' brings it")
    return jsonschema.Draft7Validator(json.loads(place.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_fits_the_official_schema(name: str, official: jsonschema.Draft7Validator) -> None:
    whole = document(name)

    assert [error.message for error in official.iter_errors(whole)] == []
    assert not official.is_valid(whole | {"operations": {"broken": {"action": "shout"}}})
