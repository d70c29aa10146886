"""The positions page: positions, open lots, closings."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.portfolio import Lots, LotsAsked, Portfolio, PortfolioAsked
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.exact import parse_cursor
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
    return await closings_of(look.gateway, look.person, ON_A_PAGE, parse_cursor(look.values["cursor"]))


POSITIONS = Page("/positions", "positions.html", {"positions": load_positions, "lots": load_lots, "closings": load_closings})


@ROUTER.get("/positions")
async def positions(request: Request, gateway: Here, person: By, cursor: Annotated[str | None, Query(max_length=200)] = None) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), POSITIONS)
