"""The end-of-day summary of any session, over the API."""

from datetime import date

from fastapi import APIRouter
from starlette.responses import Response

from quantmatrix.common.contracts.asking.days import DaySummary, DaySummaryAsked
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers

ROUTER = APIRouter()
DEADLINE_S = 30.0


@ROUTER.get("/api/v1/portfolio/days/{session}", tags=["portfolio"], responses=answers(DaySummary))
async def day(session: date, gateway: Here, person: By) -> Response:
    """Closed trades, figures, positions and decisions of a session, computed anew; a problem says that it is none, or not booked."""
    asked = DaySummaryAsked(user_id=person.user_id, session=session)
    return Exact(await gateway.parts.ask("notify", asked, deadline_s=DEADLINE_S))
