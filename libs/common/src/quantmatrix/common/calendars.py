"""The New York Stock Exchange's sessions, opens and closes, as rules: no table to update, no pandas at run time.

Rules and closures from NYSE's holiday and early-close notices; the tests hold every session and early close of
2000 to 2027 against exchange_calendars.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from quantmatrix.common.names import SessionPhase

NEW_YORK = ZoneInfo("America/New_York")
_OPEN, _CLOSE, _EARLY_CLOSE, _PREP = time(9, 30), time(16), time(13), time(4)
_COOLDOWN = timedelta(hours=4)
_MON, _THU, _FRI, _SAT, _SUN = 0, 3, 4, 5, 6

# Closures and half days that no rule foresees.
_CLOSED = frozenset(
    {
        date(2001, 9, 11), date(2001, 9, 12), date(2001, 9, 13), date(2001, 9, 14),  # attacks of 11 September
        date(2004, 6, 11),  # mourning for President Reagan
        date(2007, 1, 2),  # mourning for President Ford
        date(2012, 10, 29), date(2012, 10, 30),  # hurricane Sandy
        date(2018, 12, 5),  # mourning for President G. H. W. Bush
        date(2025, 1, 9),  # mourning for President Carter
    }
)  # fmt: skip
_HALF_DAYS = frozenset({date(2002, 7, 5), date(2003, 12, 26)})


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: its exchange date, and its open and close as instants (UTC)."""

    day: date
    opened_at: datetime
    closed_at: datetime
    early_close: bool


@dataclass(frozen=True, slots=True)
class PhaseNow:
    """A phase with its instants (UTC), half-open: it holds `since` and ends before `until`. session: its own, or the next one while DARK."""

    phase: SessionPhase
    session: Session
    since: datetime
    until: datetime


class TradingCalendar:
    """Sessions of XNYS. Half-open: a session holds its open and ends before its close."""

    name = "XNYS"

    def is_session(self, day: date) -> bool:
        return day.weekday() < _SAT and day not in _CLOSED and day not in _holidays(day.year)

    def session(self, day: date) -> Session | None:
        """The session of this exchange date, or None when the exchange is closed all day."""
        if not self.is_session(day):
            return None
        early = day in _HALF_DAYS or day in _early_closes(day.year)
        return Session(day, _instant(day, _OPEN), _instant(day, _EARLY_CLOSE if early else _CLOSE), early)

    def sessions(self, first: date, last: date) -> Iterator[Session]:
        """Every session from `first` to `last`, both included."""
        day = first
        while day <= last:
            if session := self.session(day):
                yield session
            day += timedelta(days=1)

    def next_session(self, day: date) -> Session:
        """The first session after this date."""
        while True:
            day += timedelta(days=1)
            if session := self.session(day):
                return session

    def session_before(self, day: date) -> Session:
        """The last session before this date."""
        while True:
            day -= timedelta(days=1)
            if session := self.session(day):
                return session

    def phase(self, now: datetime) -> SessionPhase:
        """DARK, PREP from 04:00, OPEN, or COOLDOWN for four hours after the close (New York time)."""
        return self.phase_now(now).phase

    def phase_now(self, now: datetime) -> PhaseNow:
        """The phase that holds this instant, with its session."""
        day = now.astimezone(NEW_YORK).date()
        for one in self.phases(self.session(day) or self.next_session(day)):
            if now < one.until:
                return one
        return next(iter(self.phases(self.next_session(day))))

    def phases(self, session: Session) -> tuple[PhaseNow, ...]:
        """DARK since the end of the session before, PREP, OPEN and COOLDOWN of a session, in order."""
        ends = (
            (SessionPhase.DARK, _instant(session.day, _PREP)),
            (SessionPhase.PREP, session.opened_at),
            (SessionPhase.OPEN, session.closed_at),
            (SessionPhase.COOLDOWN, session.closed_at + _COOLDOWN),
        )
        since, found = self.session_before(session.day).closed_at + _COOLDOWN, []
        for phase, until in ends:
            found.append(PhaseNow(phase, session, since, until))
            since = until
        return tuple(found)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _observed(day: date) -> date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day + timedelta(days={_SAT: -1, _SUN: 1}.get(day.weekday(), 0))


def _easter(year: int) -> date:
    """Gregorian Easter Sunday by the anonymous algorithm (Meeus, Astronomical Algorithms, chapter 8)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    leaps, rest = divmod(century, 4)
    epact = (19 * golden + century - leaps - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * rest + 2 * (in_century // 4) - epact - in_century % 4) % 7
    month, day = divmod(epact + weekday - 7 * ((golden + 11 * epact + 22 * weekday) // 451) + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    days = {
        _nth_weekday(year, 1, _MON, 3),  # Martin Luther King Jr.
        _nth_weekday(year, 2, _MON, 3),  # Washington's birthday
        _easter(year) - timedelta(days=2),  # Good Friday
        _nth_weekday(year, 6, _MON, 1) - timedelta(days=7),  # Memorial Day: the last Monday of May
        _observed(date(year, 7, 4)),
        _nth_weekday(year, 9, _MON, 1),  # Labor Day
        _nth_weekday(year, 11, _THU, 4),  # Thanksgiving
        _observed(date(year, 12, 25)),
    }
    if year >= 2022:
        days.add(_observed(date(year, 6, 19)))  # Juneteenth
    if date(year, 1, 1).weekday() != _SAT:  # a Saturday New Year is not made up for (rule 7.2)
        days.add(_observed(date(year, 1, 1)))
    return frozenset(days)


@lru_cache(maxsize=64)
def _early_closes(year: int) -> frozenset[date]:
    days = {_nth_weekday(year, 11, _THU, 4) + timedelta(days=1)}
    christmas_eve = date(year, 12, 24)
    if christmas_eve.weekday() < _FRI:
        days.add(christmas_eve)
    independence_eve = date(year, 7, 3)
    # Until 2012 the eve closed early from Monday to Thursday; a Wednesday 3 July has been a half day only since 2013.
    if independence_eve.weekday() < _FRI and (year >= 2013 or independence_eve.weekday() != 2):
        days.add(independence_eve)
    return frozenset(days)
