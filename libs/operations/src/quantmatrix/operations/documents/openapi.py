"""docs/api/openapi.json: the HTTP interface, as the gateway describes itself."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path

PLACE = Path("docs/api/openapi.json")
_GATEWAY = "quantmatrix.gateway.web"
"""Named and not imported at the top: operations depends on no service, only its documents look into all of them."""


def documents() -> Mapping[Path, str]:
    document = importlib.import_module(_GATEWAY).document()
    return {PLACE: json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"}
