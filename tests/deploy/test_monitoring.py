"""Rules and dashboards speak of metrics, labels, services and messages that exist."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quantmatrix.common.contracts.catalog import BY_TYPE
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.documents.sources import face_of

Read = Callable[[Path], list[dict[str, Any]]]
DEPLOY = Path(__file__).parents[2] / "deploy"
ROOT = DEPLOY.parent
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
_NAME = re.compile(r"\b(qm_[a-z_]+)\b(?:\{([^}]*)\})?")
_OWN_LABELS = {"service", "job", "instance"}


def rules(read_yaml: Read) -> list[dict[str, Any]]:
    return [rule for group in read_yaml(DEPLOY / "prometheus" / "rules.yaml")[0]["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield target["expr"]


def check(expression: str, metrics: dict[str, set[str]]) -> None:
    for name, selector in _NAME.findall(expression):
        assert name in metrics, f"{name} in {expression}"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels <= metrics[name] | _OWN_LABELS, expression
    assert expression.count("(") == expression.count(")")


def test_rules_use_metrics_that_services_expose(metrics: dict[str, set[str]], read_yaml: Read) -> None:
    found = rules(read_yaml)

    assert found
    for rule in found:
        check(rule["expr"], metrics)


def test_every_alert_says_what_to_do(read_yaml: Read) -> None:
    for rule in rules(read_yaml):
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description", "runbook"} <= set(rule["annotations"])
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Any) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]

    assert board["uid"] == path.stem
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) == len(set(places))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"prometheus"}


def test_dashboards_use_metrics_that_services_expose(metrics: dict[str, set[str]]) -> None:
    for expression in dashboard_expressions():
        check(expression, metrics)


def test_dashboards_count_messages_where_they_are_handled() -> None:
    """A panel over a message that the service does not handle would be empty for ever."""
    for expression in dashboard_expressions():
        for service, types in re.findall(r'service="(\w+)",type=~?"([^"]+)"', expression):
            for name in types.split("|"):
                assert name in BY_TYPE
                assert name in face_of(service).hears, f"{service} does not handle {name}"


def test_prometheus_reads_every_service(read_yaml: Read) -> None:
    whole = read_yaml(DEPLOY / "prometheus" / "prometheus.yaml")[0]
    job = next(one for one in whole["scrape_configs"] if one["job_name"] == "quantmatrix")
    targets = {entry["labels"]["service"]: entry["targets"] for entry in job["static_configs"]}

    assert targets == {service: [f"{service}:9100"] for service in SERVICES}


def test_alerts_go_to_a_receiver_that_is_defined(read_yaml: Read) -> None:
    whole = read_yaml(DEPLOY / "alertmanager" / "alertmanager.yaml")[0]
    named = {whole["route"]["receiver"], *(route["receiver"] for route in whole["route"]["routes"])}

    assert named <= {receiver["name"] for receiver in whole["receivers"]}


def test_grafana_finds_the_dashboards_where_compose_mounts_them(read_yaml: Read) -> None:
    provider = read_yaml(DEPLOY / "grafana" / "provisioning" / "dashboards" / "quantmatrix.yaml")[0]["providers"][0]
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")

    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose
