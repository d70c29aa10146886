"""Scans of all that is listed, its watchlist, the figures of a morning, and what there is to tell of holdings; over the API and on a page."""

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quantmatrix.common.contracts.asking.briefing import HoldingAlerts, HoldingAlertsAsked, Morning, MorningAsked, holdings_of
from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.contracts.asking.scans import ScanAsked, Scanned, Watchlist, WatchlistAsked
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person

ROUTER = APIRouter()
DEADLINE_S = 15.0
Preset = Annotated[str, Query(max_length=40)]
FromZero = Annotated[float | None, Field(ge=0)]
Symbols = Annotated[tuple[str, ...], Query(max_length=500)]
Names = Annotated[list[str] | None, Field(max_length=500)]
OWN = "f."
"""What a field of the form begins with that is a filter."""


class WantedScan(BaseModel):
    """A scan as it is asked for: a preset, and filters in place of its own and beside them; bounds hold themselves."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    preset: Annotated[str, Field(max_length=40)] = "entry_setup"
    symbol: Annotated[list[str], Field(max_length=500)] = []
    min_atr_distance: float | None = None
    max_atr_distance: float | None = None
    min_atr_pct: FromZero = None
    max_atr_pct: FromZero = None
    require_ma_alignment: bool | None = None
    min_price_position_20d: Annotated[float | None, Field(ge=0, le=100)] = None
    min_price: FromZero = None
    max_price: FromZero = None
    min_volume: FromZero = None
    min_confidence: Annotated[float | None, Field(ge=0, le=1)] = None
    sectors: Names = None
    include_symbols: Names = None
    exclude_symbols: Names = None

    def filters(self) -> dict[str, str]:
        """Those that were given, as JSON by name."""
        return {name: json.dumps(value) for name, value in self.model_dump(exclude={"preset", "symbol"}, exclude_none=True).items()}


async def _scanned(gateway: Gateway, preset: str, symbols: Sequence[str], filters: dict[str, str]) -> Scanned:
    asked = ScanAsked(preset=preset, symbols=tuple(symbols), filters=filters)
    return await gateway.parts.ask("signals", asked, deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/scans/", tags=["scans"], responses=answers(Scanned))
async def scanned(gateway: Here, person: By, wanted: Annotated[WantedScan, Query()]) -> Response:
    """What fits a preset and filters now; a symbol that cannot be read is named with the reason and stops nothing."""
    return Exact(await _scanned(gateway, wanted.preset, wanted.symbol, wanted.filters()))


async def _watched(gateway: Gateway, symbols: Sequence[str] = ()) -> Watchlist:
    return await gateway.parts.ask("signals", WatchlistAsked(symbols=tuple(symbols)), deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/scans/watchlist", tags=["scans"], responses=answers(Watchlist))
async def watched(gateway: Here, person: By, symbol: Symbols = ()) -> Response:
    """The best 50 by watchlist score with its parts; a symbol that cannot be read is named with the reason and stops nothing."""
    return Exact(await _watched(gateway, symbol))


async def _morning(gateway: Gateway) -> Morning:
    return await gateway.parts.ask("signals", MorningAsked(), deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/scans/morning", tags=["scans"], responses=answers(Morning))
async def morning(gateway: Here, person: By) -> Response:
    """Index moves, the best four setups with entry, stop and targets, and how the scan went; an index that is not listed is named."""
    return Exact(await _morning(gateway))


async def _alerts(gateway: Gateway, person: Person) -> HoldingAlerts:
    held = await gateway.parts.ask("portfolio", PortfolioAsked(user_id=person.user_id))
    asked = HoldingAlertsAsked(holdings=holdings_of(held.positions))
    return await gateway.parts.ask("signals", asked, deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/scans/holdings", tags=["scans"], responses=answers(HoldingAlerts))
async def of_holdings(gateway: Here, person: By) -> Response:
    """What there is to tell of what a person holds, the ten most urgent. Nothing is traded on it."""
    return Exact(await _alerts(gateway, person))


async def load_scan(look: Look) -> Scanned:
    return await _scanned(look.gateway, look.values["preset"], (), look.values["filters"])


async def load_watchlist(look: Look) -> Watchlist:
    return await _watched(look.gateway)


async def load_morning(look: Look) -> Morning:
    return await _morning(look.gateway)


async def load_told(look: Look) -> HoldingAlerts:
    return await _alerts(look.gateway, look.person)


SCANS = Page("/scans", "scans.html", {"scan": load_scan, "watchlist": load_watchlist, "morning": load_morning, "told": load_told})


@ROUTER.get("/scans", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By, preset: Preset = "entry_setup") -> Response:
    """The table, and the form with the filters; one that cannot be is told with the preset's own."""
    given = {name.removeprefix(OWN): value.strip() for name, value in request.query_params.items() if name.startswith(OWN)}
    told = {name: value for name, value in given.items() if value}
    values = {"preset": preset, "filters": told, "given": {f"{OWN}{name}": value for name, value in told.items()}, "wrong": ""}
    try:
        return await show(Look(request, gateway, person, values), SCANS)
    except Refused as error:
        if error.code != "FILTER_INVALID":
            raise
        return await show(Look(request, gateway, person, {**values, "filters": {}, "wrong": error.detail}), SCANS)
