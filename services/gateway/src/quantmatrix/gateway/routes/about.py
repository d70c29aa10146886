"""What this is, and whose work it stands on."""

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.render import PACKAGE

ROUTER = APIRouter(include_in_schema=False)
VENDOR = Path(PACKAGE) / "static" / "vendor"


@lru_cache(maxsize=4)
def licence(name: str) -> str:
    """The text of a licence as its package brings it; empty before `make setup` has fetched it."""
    path = VENDOR / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


async def load_licences(_: Look) -> dict[str, str]:
    return {"chart": licence("lightweight-charts.LICENSE.txt"), "htmx": licence("htmx.LICENSE.txt")}


ABOUT = Page("/about", "about.html", {"licences": load_licences})


@ROUTER.get("/about")
async def about(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person), ABOUT)
