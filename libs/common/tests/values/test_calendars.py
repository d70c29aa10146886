"""The exchange's sessions against a second library, and against what the exchange published for days we name."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.names import SessionPhase

FIRST, LAST = date(2000, 1, 1), date(2027, 12, 31)
CALENDAR = TradingCalendar()
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def other() -> Any:
    """The second library's calendar. Its own bounds end a year from today unless told."""
    return exchange_calendars.get_calendar("XNYS", start=FIRST.isoformat(), end=LAST.isoformat())


@pytest.mark.filterwarnings("ignore:Series.values")  # the second library's own
def test_every_session_from_2000_to_2027_is_one_of_the_second_library(other: Any) -> None:
    ours = [session.day for session in CALENDAR.sessions(FIRST, LAST)]
    theirs = [stamp.date() for stamp in other.sessions]

    assert sorted(set(ours) ^ set(theirs)) == []
    assert len(ours) > 7_000


@pytest.mark.filterwarnings("ignore:Series.values")
def test_every_open_and_close_is_that_of_the_second_library(other: Any) -> None:
    for stamp, opened, closed in zip(other.schedule.index, other.schedule["open"], other.schedule["close"], strict=True):
        session = CALENDAR.session(stamp.date())
        assert session is not None
        assert (session.opened_at, session.closed_at) == (opened.to_pydatetime(), closed.to_pydatetime()), stamp


def test_every_early_close_is_one_of_the_second_library(other: Any) -> None:
    theirs = {stamp.date() for stamp in other.early_closes}
    ours = {session.day for session in CALENDAR.sessions(FIRST, LAST) if session.early_close}

    assert sorted(ours ^ theirs) == []


@pytest.mark.parametrize(
    "day",
    [date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19), date(2024, 3, 29), date(2024, 5, 27), date(2024, 6, 19), date(2024, 7, 4),
     date(2024, 9, 2), date(2024, 11, 28), date(2024, 12, 25), date(2025, 1, 9), date(2025, 4, 18), date(2026, 4, 3), date(2026, 7, 3)],
)  # fmt: skip
def test_the_exchange_s_published_holidays_are_no_sessions(day: date) -> None:
    assert not CALENDAR.is_session(day)
    assert CALENDAR.session(day) is None


@pytest.mark.parametrize(
    "day", [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24), date(2025, 7, 3), date(2025, 11, 28), date(2026, 11, 27)]
)
def test_the_exchange_s_published_early_closes_end_at_one(day: date) -> None:
    session = CALENDAR.session(day)

    assert session is not None
    assert session.early_close
    assert session.closed_at.astimezone(NEW_YORK).hour == 13


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2024, 3, 8), (14, 21)), (date(2024, 3, 11), (13, 20)), (date(2024, 11, 1), (13, 20)), (date(2024, 11, 4), (14, 21))],
)
def test_the_open_moves_with_new_york_s_clocks(day: date, hours: tuple[int, int]) -> None:
    session = CALENDAR.session(day)

    assert session is not None
    assert (session.opened_at.hour, session.closed_at.hour) == hours


@given(st.dates(FIRST, date(2027, 12, 20)))
def test_the_next_session_is_the_first_one_after(day: date) -> None:
    after = CALENDAR.next_session(day)

    assert after.day > day
    assert [s.day for s in CALENDAR.sessions(day + timedelta(days=1), after.day)] == [after.day]


@given(st.dates(date(2000, 1, 10), date(2027, 12, 20)))
def test_the_session_before_is_the_last_one(day: date) -> None:
    before = CALENDAR.session_before(day)

    assert before.day < day
    assert [s.day for s in CALENDAR.sessions(before.day, day - timedelta(days=1))] == [before.day]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone follows
def test_a_phase_holds_its_beginning_and_ends_before_the_next(now: datetime) -> None:
    phase = CALENDAR.phase(now)
    local = now.astimezone(NEW_YORK)
    session = CALENDAR.session(local.date())

    if session is None:
        assert phase is SessionPhase.DARK
    elif session.opened_at <= now < session.closed_at:
        assert phase is SessionPhase.OPEN
    elif now < session.opened_at:
        assert phase is (SessionPhase.PREP if local.hour >= 4 else SessionPhase.DARK)
    else:
        assert phase is (SessionPhase.COOLDOWN if now < session.closed_at + timedelta(hours=4) else SessionPhase.DARK)


@pytest.mark.parametrize(
    ("clock", "phase"),
    [("03:59:59", "DARK"), ("04:00:00", "PREP"), ("09:29:59", "PREP"), ("09:30:00", "OPEN"), ("15:59:59", "OPEN"), ("16:00:00", "COOLDOWN"),
     ("19:59:59", "COOLDOWN"), ("20:00:00", "DARK")],
)  # fmt: skip
def test_the_phases_of_an_ordinary_day(clock: str, phase: str) -> None:
    now = datetime.fromisoformat(f"2024-03-05T{clock}").replace(tzinfo=NEW_YORK)

    assert CALENDAR.phase(now) == phase


def test_a_half_day_cools_down_from_one_o_clock() -> None:
    at = [datetime(2024, 7, 3, hour, 0, tzinfo=NEW_YORK) for hour in (12, 13, 16, 17)]

    assert [CALENDAR.phase(now) for now in at] == ["OPEN", "COOLDOWN", "COOLDOWN", "DARK"]


def test_the_worked_days_of_2026() -> None:
    """Columbus Day and Veterans Day are sessions though banks are closed, Good Friday is none; two days end at one o'clock."""
    days = {day: CALENDAR.session(date(2026, *day)) for day in ((10, 12), (11, 11), (4, 3), (11, 27), (12, 24))}

    assert [day for day, session in days.items() if session is None] == [(4, 3)]
    early = {day: session.closed_at.astimezone(NEW_YORK).hour for day, session in days.items() if session and session.early_close}
    assert early == {(11, 27): 13, (12, 24): 13}
    assert CALENDAR.phase(datetime(2026, 4, 3, 12, tzinfo=NEW_YORK)) is SessionPhase.DARK
    assert CALENDAR.phase(datetime(2026, 11, 27, 13, tzinfo=NEW_YORK)) is SessionPhase.COOLDOWN


@given(st.datetimes(datetime(2000, 1, 4), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone follows
def test_phases_follow_one_another_without_a_gap(now: datetime) -> None:
    one = CALENDAR.phase_now(now)

    assert one.since <= now < one.until and CALENDAR.phase_now(one.since) == one
    following = CALENDAR.phase_now(one.until)
    assert following.since == one.until and following.phase is not one.phase
    assert following.session == one.session or one.phase is SessionPhase.COOLDOWN
