"""Puts a session's summary together from those who know: portfolio what was closed and held, execution and signals what was decided."""

from datetime import date

from quantmatrix.common.calendars import Session, TradingCalendar
from quantmatrix.common.contracts.asking.days import (
    BookedDayAsked,
    DaySummary,
    DaySummaryAsked,
    DecidedDayAsked,
    OrdersBehindAsked,
)
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.notify.day_figures import figures_of
from quantmatrix.notify.day_words import text_of, title_of

DEADLINE_S = 10.0
NOT_BOOKED = "DAY_NOT_BOOKED"


class DaySummaries:
    """Recomputed at every asking; a past session always comes to the same."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._calendar = ask, TradingCalendar()

    async def summary(self, asked: DaySummaryAsked, connection: Connection) -> DaySummary:
        """Raises Refused for a day without a session and for one that is not booked, ServiceSilent when somebody does not answer."""
        session = self._session(asked.session)
        booked = await self._ask("portfolio", BookedDayAsked(user_id=asked.user_id, session=session.day), deadline_s=DEADLINE_S)
        if not booked.days:
            raise Refused(NOT_BOOKED, f"nothing of yours was valued in the session of {session.day}: it is not over, or you had no account")
        day = await self._ask("signals", DecidedDayAsked(user_id=asked.user_id, session=session.day), deadline_s=DEADLINE_S)
        fills = tuple({fill: None for one in booked.days for own in one.exits for fill in (own.opened_by, own.closed_by)})
        orders = await self._ask(
            "execution", OrdersBehindAsked(user_id=asked.user_id, fills=fills, decisions=day.orders), deadline_s=DEADLINE_S
        )
        behind = {one.fill_id: one.decision for one in orders.behind}
        wanted = tuple(dict.fromkeys(behind.values()))
        told = (
            await self._ask("signals", DecidedDayAsked(user_id=asked.user_id, session=session.day, wanted=wanted), deadline_s=DEADLINE_S)
            if wanted
            else day
        )
        days = tuple(figures_of(one, behind, {own.signal_id: own for own in told.found}) for one in booked.days)
        alerts = await _alerts(asked.user_id, session.day, connection)
        return DaySummary(
            session=session.day,
            closes_at=session.closed_at,
            early_close=session.early_close,
            days=days,
            signals=day.signals,
            orders=len(day.orders),
            accepted=orders.accepted,
            acceptance=orders.accepted / len(day.orders) if day.orders else None,
            alerts=alerts,
            title=title_of(session.day, days),
            text=text_of(days, day.signals, len(day.orders), orders.accepted, alerts),
        )

    def _session(self, day: date) -> Session:
        session = self._calendar.session(day)
        if session is None:
            raise Refused("NO_SESSION", f"{day} is no session of {self._calendar.name}")
        return session


async def _alerts(user_id: UserId, session: date, connection: Connection) -> int:
    """How many notifications the session brought; letters do not count themselves."""
    count: int = await connection.fetchval(
        """select count(*) from notification where user_id = $1 and topic not in ('summary', 'morning')
           and (occurred_at at time zone 'America/New_York')::date = $2 and occurred_at between $2::date - 1 and $2::date + 2""",
        user_id,
        session,
    )
    return count
