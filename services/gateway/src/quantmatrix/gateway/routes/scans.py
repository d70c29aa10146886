"""Scans of all that is listed, and what the advisory rules say about a holding; over the API and on a page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.scans import Advice, AdviceAsked, ScanAsked, Scanned
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show

ROUTER = APIRouter()
DEADLINE_S = 15.0
Preset = Annotated[str, Query(max_length=40)]
Symbols = Annotated[list[str] | None, Query(max_length=500)]


async def _scanned(gateway: Gateway, preset: str, symbols: list[str] | None) -> Scanned:
    return await gateway.parts.ask("signals", ScanAsked(preset=preset, symbols=tuple(symbols or ())), deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/scans/", tags=["scans"], responses=answers(Scanned))
async def scanned(gateway: Here, person: By, preset: Preset = "entry_setup", symbol: Symbols = None) -> Response:
    """What fits a preset now; a symbol that cannot be read is named with the reason and stops nothing."""
    return Exact(await _scanned(gateway, preset, symbol))


@ROUTER.get("/api/v1/scans/advice", tags=["scans"], responses=answers(Advice))
async def advised(
    gateway: Here,
    person: By,
    market_cap: Annotated[float, Query(gt=0, allow_inf_nan=False)],
    unrealised_pct: Annotated[float, Query(allow_inf_nan=False)],
    growth_sector: bool = False,
    style: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What the four advisory rules say about a holding. Nothing is traded on it."""
    asked = AdviceAsked(market_cap=market_cap, unrealised_pct=unrealised_pct, growth_sector=growth_sector, style=style)
    return Exact(await gateway.parts.ask("signals", asked))


async def load_scan(look: Look) -> Scanned:
    return await _scanned(look.gateway, look.values["preset"], None)


SCANS = Page("/scans", "scans.html", {"scan": load_scan})


@ROUTER.get("/scans", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By, preset: Preset = "entry_setup") -> Response:
    return await show(Look(request, gateway, person, {"preset": preset}), SCANS)
