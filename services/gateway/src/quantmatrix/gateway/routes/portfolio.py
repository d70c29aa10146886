"""The portfolio over the API: its older shape, positions, lots, closings, and equity by session."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from quantmatrix.common.contracts.asking.portfolio import (
    ClosingsAsked,
    ClosingSummary,
    Lots,
    LotsAsked,
    Portfolio,
    PortfolioAsked,
    Snapshots,
    SnapshotsAsked,
)
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact, as_numbers
from quantmatrix.gateway.listing import Narrowed, OfAccount, OfInstrument, Wanted
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.shapes import PortfolioShape, portfolio_shape

ROUTER = APIRouter(prefix="/api/v1/portfolio", tags=["portfolio"])


@ROUTER.get("/", responses=answers(PortfolioShape))
async def portfolio(gateway: Here, person: By) -> Response:
    """The portfolio in its older shape; amounts are JSON numbers, digit by digit."""
    found = await gateway.parts.ask("portfolio", PortfolioAsked(user_id=person.user_id))
    return Exact(as_numbers(portfolio_shape(found)))


@ROUTER.get("/summary", responses=answers(Portfolio))
async def summary(gateway: Here, person: By, account_id: OfAccount, closed_too: bool = False) -> Response:
    """Accounts and positions with exact amounts."""
    asked = PortfolioAsked(user_id=person.user_id, account_id=account_id, closed_too=closed_too)
    return Exact(await gateway.parts.ask("portfolio", asked))


@ROUTER.get("/lots", responses=answers(Lots))
async def lots(gateway: Here, person: By, account_id: OfAccount, instrument_id: OfInstrument) -> Response:
    """Open lots, oldest first."""
    asked = LotsAsked(user_id=person.user_id, account_id=account_id, instrument_id=instrument_id, limit=1_000)
    return Exact(await gateway.parts.ask("portfolio", asked))


class ClosingPage(msgspec.Struct, frozen=True):
    """Closings, the latest first, and the cursor of the next page."""

    closings: tuple[ClosingSummary, ...]
    next_cursor: str | None


async def closings_of(gateway: Gateway, person: Person, wanted: Wanted) -> ClosingPage:
    found = await gateway.parts.ask("portfolio", wanted.of(ClosingsAsked, person))
    return ClosingPage(*wanted.cut(found.closings, lambda one: (one.closed_at, one.closing_id)))


@ROUTER.get("/closings", responses=answers(ClosingPage))
async def closings(gateway: Here, person: By, wanted: Narrowed) -> Response:
    """What closed lots realised, the latest first."""
    return Exact(await closings_of(gateway, person, wanted))


@ROUTER.get("/equity", responses=answers(Snapshots))
async def equity(gateway: Here, person: By, account_id: OfAccount, points: Annotated[int, Query(ge=2, le=5_000)] = 1_000) -> Response:
    """Equity and cash at the end of each session, thinned evenly. Without an account: the person's first one."""
    if account_id is None:
        found = await gateway.parts.ask("portfolio", PortfolioAsked(user_id=person.user_id))
        if not found.accounts:
            return Exact(Snapshots(()))
        account_id = found.accounts[0].account_id
    return Exact(await gateway.parts.ask("portfolio", SnapshotsAsked(user_id=person.user_id, account_id=account_id, limit=points)))
