"""How much prices move: every ATR method of a symbol, and what a person's portfolio moves in a day, over the API."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.contracts.asking.volatility import AtrAsked, AtrReadings, PortfolioAtr, portfolio_atr_of
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.people import Person

ROUTER = APIRouter()
DEADLINE_S = 15.0
Symbols = Annotated[tuple[str, ...], Query(max_length=500)]
Days = Annotated[int, Query(ge=1, le=252)]


async def readings_of(gateway: Gateway, symbols: tuple[str, ...], trading_days: int = 10) -> AtrReadings:
    return await gateway.parts.ask("signals", AtrAsked(symbols=symbols, trading_days=trading_days), deadline_s=DEADLINE_S)


async def moves_of(gateway: Gateway, person: Person) -> PortfolioAtr:
    held = await gateway.parts.ask("portfolio", PortfolioAsked(user_id=person.user_id))
    return await gateway.parts.ask("signals", portfolio_atr_of(person.user_id, held), deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/market/atr", tags=["market"], responses=answers(AtrReadings))
async def readings(gateway: Here, person: By, symbol: Symbols = (), trading_days: Days = 10) -> Response:
    """How much instruments move, by every ATR method; trading_days: of the expected move. All that is listed when no symbol is named."""
    return Exact(await readings_of(gateway, symbol, trading_days))


@ROUTER.get("/api/v1/portfolio/atr", tags=["portfolio"], responses=answers(PortfolioAtr))
async def moves(gateway: Here, person: By) -> Response:
    """What a person's portfolio moves in a day, gross and with its correlations, and what its stops risk."""
    return Exact(await moves_of(gateway, person))
