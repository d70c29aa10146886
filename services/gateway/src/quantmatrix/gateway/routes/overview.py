"""The overview: equity, positions, latest fills and notifications."""

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.execution import FillsAsked, FillSummary
from quantmatrix.common.contracts.asking.notify import InboxAnswer, InboxAsked
from quantmatrix.common.contracts.asking.portfolio import Portfolio, PortfolioAsked, PositionSummary, SnapshotsAsked
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.figures import Totals, totals
from quantmatrix.gateway.pages import Look, Page, load_bar, show
from quantmatrix.gateway.render import part

ROUTER = APIRouter(include_in_schema=False)
LATEST = 9


class Kpis:
    """The figures at the top; nothing without an account."""

    __slots__ = ("total",)

    def __init__(self, total: Totals | None) -> None:
        self.total = total


async def load_kpis(look: Look) -> Kpis:
    portfolio: Portfolio = await look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id))
    recent = await asyncio.gather(
        *(
            look.ask("portfolio", SnapshotsAsked(user_id=look.person.user_id, account_id=one.account_id, recent=2))
            for one in portfolio.accounts
        )
    )
    return Kpis(totals(portfolio.accounts, [one.points for one in recent], len(portfolio.positions)))


async def load_holdings(look: Look) -> tuple[PositionSummary, ...]:
    portfolio: Portfolio = await look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id))
    return portfolio.positions


async def load_fills(look: Look) -> tuple[FillSummary, ...]:
    found: tuple[FillSummary, ...] = (await look.ask("execution", FillsAsked(user_id=look.person.user_id, limit=LATEST, ends=True))).fills
    return found


async def load_inbox(look: Look) -> InboxAnswer:
    found: InboxAnswer = await look.ask("notify", InboxAsked(user_id=look.person.user_id, limit=LATEST))
    return found


OVERVIEW = Page("/", "overview.html", {"kpis": load_kpis, "holdings": load_holdings, "fills": load_fills, "inbox": load_inbox})


@ROUTER.get("/")
async def overview(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person), OVERVIEW)


@ROUTER.get("/bar")
async def bar(request: Request, gateway: Here, person: By) -> Response:
    """The bar over every page, drawn anew with every session of the replay."""
    return part(request, "bar.html", "bar", {"bar": await load_bar(Look(request, gateway, person)), "person": person, "here": "/bar"})
