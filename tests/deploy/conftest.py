"""What the tests of the deployment files share: reading YAML, and what the code knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.operations.documents.settings import variables

DEPLOY = Path(__file__).parents[2] / "deploy"


def _read(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the deployment files; it is a tool of development")
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document is not None]


@pytest.fixture(scope="session")
def read_yaml() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads every document of a YAML file."""
    return _read


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return _read(DEPLOY / "compose.yaml")[0]


@pytest.fixture(scope="session")
def kubernetes() -> list[dict[str, Any]]:
    """Every object of the base and of the paper overlay's servers."""
    files = [*sorted((DEPLOY / "k8s" / "base").glob("*.yaml")), DEPLOY / "k8s" / "overlays" / "paper" / "servers.yaml"]
    return [document for path in files for document in _read(path) if document["kind"] != "Kustomization"]


@pytest.fixture(scope="session")
def settings() -> frozenset[str]:
    return variables()


@pytest.fixture(scope="session")
def metrics() -> dict[str, set[str]]:
    """The names under which Prometheus sees every metric of a service, each with its labels."""
    found: dict[str, set[str]] = {}
    for family in Metrics("market").registry.collect():
        labels = set(_labels(family.name))
        for suffix in _SUFFIXES[family.type]:
            found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _labels(family: str) -> tuple[str, ...]:
    metrics = Metrics("market")
    for one in vars(metrics).values():
        if getattr(one, "_name", "") == family:
            return tuple(one._labelnames)
    return ()
