"""The positions page: positions, open lots, closings."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.portfolio import Lots, LotsAsked, Portfolio, PortfolioAsked
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.listing import PageCursor
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.routes.portfolio import ClosingPage, closings_of

ROUTER = APIRouter(include_in_schema=False)
ON_A_PAGE = 30


async def load_positions(look: Look) -> Portfolio:
    found: Portfolio = await look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id))
    return found


async def load_lots(look: Look) -> Lots:
    found: Lots = await look.ask("portfolio", LotsAsked(user_id=look.person.user_id))
    return found


async def load_closings(look: Look) -> ClosingPage:
    return await closings_of(look.gateway, look.person, look.wanted(ON_A_PAGE))


POSITIONS = Page("/positions", "positions.html", {"positions": load_positions, "lots": load_lots, "closings": load_closings})


@ROUTER.get("/positions")
async def positions(request: Request, gateway: Here, person: By, cursor: PageCursor = None) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), POSITIONS)
