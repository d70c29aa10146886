"""docs/api/openapi.json: the HTTP interface, as the gateway describes itself."""

import importlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

PLACE = Path("docs/api/openapi.json")
_MODULES = ("quantmatrix.gateway.document", "quantmatrix.gateway.app", "quantmatrix.gateway.openapi")


def documents() -> Mapping[Path, str]:
    """The gateway's document; nothing while the gateway has none to give."""
    for name in _MODULES:
        if _is_there(name) and (document := getattr(importlib.import_module(name), "document", None)) is not None:
            return {PLACE: json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"}
    return {}


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
