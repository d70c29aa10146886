"""What a session brought: the end-of-day summary of any session, over the API, and a page for each."""

from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.days import BookedDay, BookedDayAsked, BookedDays, DayFigures, DaySummary, DaySummaryAsked
from quantmatrix.common.contracts.asking.execution import Fills, FillsAsked
from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person

ROUTER = APIRouter()
DEADLINE_S = 30.0
FILLS_MAX = 200
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 1, 1)
NOTHING_TO_SHOW = ("DAY_NOT_BOOKED", "NO_SESSION")
Session = Annotated[date, Path(ge=EARLIEST, le=LATEST)]


async def _summary(gateway: Gateway, person: Person, session: date) -> DaySummary:
    return await gateway.parts.ask("notify", DaySummaryAsked(user_id=person.user_id, session=session), deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/portfolio/days/{session}", tags=["portfolio"], responses=answers(DaySummary))
async def day(session: date, gateway: Here, person: By) -> Response:
    """Closed trades, figures, positions and decisions of a session, computed anew; a problem says that it is none, or not booked."""
    return Exact(await _summary(gateway, person, session))


class Around(msgspec.Struct, frozen=True):
    """The sessions before and after a day, none beyond what there are prices for or what is booked, and the latest that is booked."""

    before: date | None
    after: date | None
    latest: date | None


class ShownDay(msgspec.Struct, frozen=True):
    """A session for each currency, its figures beside what was booked; without a summary the reason why there is none."""

    summary: DaySummary | None
    days: tuple[tuple[DayFigures, BookedDay], ...] = ()
    why: str = ""


async def load_around(look: Look) -> Around:
    status: ReplayStatus = await look.ask("market", ReplayStatusAsked())
    calendar, session = TradingCalendar(), look.values["session"]
    before, after = calendar.session_before(session).day, calendar.next_session(session).day
    return Around(
        before=None if status.first is not None and before < status.first else before,
        after=after if status.settled is not None and after <= status.settled else None,
        latest=status.settled,
    )


async def load_day(look: Look) -> ShownDay:
    session: date = look.values["session"]
    try:
        summary = await _summary(look.gateway, look.person, session)
    except Refused as error:
        if error.code not in NOTHING_TO_SHOW:
            raise
        return ShownDay(None, why=error.detail)
    asked = BookedDayAsked(user_id=look.person.user_id, session=session)
    booked: BookedDays = await look.gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S)
    by_currency = {one.currency: one for one in booked.days}
    return ShownDay(summary, tuple((one, by_currency[one.currency]) for one in summary.days if one.currency in by_currency))


async def load_fills(look: Look) -> Fills:
    asked = FillsAsked(user_id=look.person.user_id, session=look.values["session"], ends=True, limit=FILLS_MAX)
    found: Fills = await look.ask("execution", asked)
    return found


DAY = Page("/days", "day.html", {"around": load_around, "day": load_day, "fills": load_fills})


@ROUTER.get("/days", include_in_schema=False)
async def latest_day(gateway: Here, person: By, session: Annotated[date | None, Query(ge=EARLIEST, le=LATEST)] = None) -> Response:
    """The day that was chosen, or the latest session that is booked."""
    if session is None:
        status: ReplayStatus = await gateway.parts.ask("market", ReplayStatusAsked())
        session = status.settled or status.session or status.first
    chosen = session or gateway.parts.clock.now().date()
    return RedirectResponse(f"/days/{chosen.isoformat()}", 303)


@ROUTER.get("/days/{session}", include_in_schema=False)
async def day_page(request: Request, session: Session, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"session": session}), DAY)
