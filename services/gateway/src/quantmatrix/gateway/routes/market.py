"""Instruments, bars and charts, and the page of a symbol."""

import asyncio
from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.execution import FillSummary
from quantmatrix.common.contracts.asking.market import BarColumns, BarsAsked, Instruments, InstrumentsAsked, ListedInstrument
from quantmatrix.common.contracts.asking.portfolio import Lots, LotsAsked, LotSummary, Portfolio, PortfolioAsked, PositionSummary
from quantmatrix.common.contracts.asking.signals import Chart, ChartAsked
from quantmatrix.common.contracts.asking.volatility import AtrReadings
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import InstrumentId
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import Wanted
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.routes.orders import fills_of
from quantmatrix.gateway.routes.signals import signals_of
from quantmatrix.gateway.routes.volatility import readings_of

ROUTER = APIRouter()
FILLS_SHOWN = 200
SIGNALS_SHOWN = 6


class ChartWithFills(msgspec.Struct, frozen=True):
    """What the symbol page draws: bars, averages and ladder in today's units, and the person's own fills as markers."""

    symbol: str
    chart: Chart
    fills: tuple[FillSummary, ...]


class Holding(msgspec.Struct, frozen=True):
    """A person's position in one instrument, by account, and the open lots behind it."""

    positions: tuple[PositionSummary, ...]
    lots: tuple[LotSummary, ...]


async def listed(symbol: str, gateway: Gateway) -> ListedInstrument:
    """Raises 404 for a symbol that nobody carries today."""
    found = (await gateway.parts.ask("market", InstrumentsAsked(symbol=symbol))).instruments
    if not found:
        raise ProblemError(404, "INSTRUMENT_UNKNOWN", f"no instrument has the symbol {symbol[:40]}")
    return found[0]


async def chart_of(one: ListedInstrument, gateway: Gateway, person: Person, limit: int) -> ChartWithFills:
    instrument = one.instrument.instrument_id
    chart, fills = await asyncio.gather(
        gateway.parts.ask("signals", ChartAsked(instrument_id=instrument, limit=limit), deadline_s=5.0),
        fills_of(gateway, person, Wanted(FILLS_SHOWN, instrument_id=instrument)),
    )
    return ChartWithFills(one.instrument.symbol, chart, fills.fills)


@ROUTER.get("/api/v1/market/instruments/", tags=["market"], responses=answers(Instruments))
async def instruments(gateway: Here, person: By) -> Response:
    """Every instrument that is listed here."""
    return Exact(await gateway.parts.ask("market", InstrumentsAsked()))


@ROUTER.get("/api/v1/market/bars/{symbol}", tags=["market"], responses=answers(BarColumns))
async def bars(
    symbol: str, gateway: Here, person: By, until: date | None = None, limit: Annotated[int, Query(ge=1, le=5_000)] = 500
) -> Response:
    """Raw daily bars as columns, and the corporate actions among them."""
    one = await listed(symbol, gateway)
    return Exact(await gateway.parts.ask("market", BarsAsked(instrument_id=one.instrument.instrument_id, until=until, limit=limit)))


@ROUTER.get("/api/v1/market/chart/{symbol}", tags=["market"], responses=answers(ChartWithFills))
async def chart(symbol: str, gateway: Here, person: By, limit: Annotated[int, Query(ge=1, le=4_000)] = 500) -> Response:
    """Candles, averages and the ladder of ATRs, with the person's fills. For drawing: these are statistics, not money."""
    return Exact(await chart_of(await listed(symbol, gateway), gateway, person, limit))


async def load_all(look: Look) -> Instruments:
    found: Instruments = await look.ask("market", InstrumentsAsked())
    return found


async def load_levels(look: Look) -> Chart:
    instrument: InstrumentId = look.values["listed"].instrument.instrument_id
    found: Chart = await look.gateway.parts.ask("signals", ChartAsked(instrument_id=instrument, limit=2), deadline_s=5.0)
    return found


async def load_moves(look: Look) -> AtrReadings:
    return await readings_of(look.gateway, (look.values["listed"].instrument.symbol,))


async def load_holding(look: Look) -> Holding:
    instrument: InstrumentId = look.values["listed"].instrument.instrument_id
    portfolio: Portfolio
    lots: Lots
    portfolio, lots = await asyncio.gather(
        look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id, closed_too=True)),
        look.ask("portfolio", LotsAsked(user_id=look.person.user_id, instrument_id=instrument)),
    )
    return Holding(tuple(one for one in portfolio.positions if one.instrument.instrument_id == instrument), lots.lots)


async def load_signals(look: Look) -> tuple[SignalRaised, ...]:
    instrument: InstrumentId = look.values["listed"].instrument.instrument_id
    return (await signals_of(look.gateway, look.person, Wanted(SIGNALS_SHOWN, instrument_id=instrument))).signals


async def load_fills(look: Look) -> tuple[FillSummary, ...]:
    instrument: InstrumentId = look.values["listed"].instrument.instrument_id
    return (await fills_of(look.gateway, look.person, Wanted(SIGNALS_SHOWN * 2, instrument_id=instrument))).fills


SYMBOLS = Page("/symbols", "symbols.html", {"all": load_all})
SYMBOL = Page(
    "/symbols/one",
    "symbol.html",
    {"all": load_all, "levels": load_levels, "moves": load_moves, "holding": load_holding, "signals": load_signals, "fills": load_fills},
)


@ROUTER.get("/symbols", include_in_schema=False)
async def symbols_page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person), SYMBOLS)


@ROUTER.get("/symbols/{symbol}", include_in_schema=False)
async def symbol_page(request: Request, symbol: str, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"listed": await listed(symbol, gateway), "symbol": symbol}), SYMBOL)
