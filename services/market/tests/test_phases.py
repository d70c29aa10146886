"""Phases by the clock: each told once as it is entered, with the instants of its session, whatever is started again."""

import json
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from quantmatrix.common.calendars import NEW_YORK, TradingCalendar
from quantmatrix.common.runtime import service
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.testing.clock import ShiftedClock
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.market import phases as phases_of_market
from quantmatrix.market.phases import Phases


class Desk:
    """Does what a service's desk does for a background task: a page of its own in a transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.said: list[Any] = []

    async def do(self, work: Any, start: Any) -> None:
        async with self._connection.transaction():
            page = Page(self._connection, start, None, from_message=False)  # type: ignore[arg-type]  # nothing is looked up
            await work(page)
            await page.finish()
        self.said += page.said


@pytest.fixture
async def desk(database: Any) -> Desk:
    return Desk(await database.connect("market"))


def phases(desk: Desk) -> Phases:
    return Phases(SimpleNamespace(desk=desk, clock=None), TradingCalendar())  # type: ignore[arg-type]  # the rest is not used


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


DAY = (
    "2026-11-27T03:59",
    "2026-11-27T04:00",
    "2026-11-27T09:30",
    "2026-11-27T12:59",
    "2026-11-27T13:00",
    "2026-11-27T17:00",
    "2026-11-29T12:00",
)


async def test_a_half_day_from_night_to_weekend(desk: Desk) -> None:
    waits = [await phases(desk).tell(at(moment)) for moment in DAY]

    assert [(one.phase, str(one.session), one.early_close) for one in desk.said] == [
        ("DARK", "2026-11-27", True),
        ("PREP", "2026-11-27", True),
        ("OPEN", "2026-11-27", True),
        ("COOLDOWN", "2026-11-27", True),
        ("DARK", "2026-11-30", False),
    ]
    assert desk.said[1].head.occurred_at == at("2026-11-27T04:00") and desk.said[3].closes_at == at("2026-11-27T13:00")
    assert waits[0] == 60 and waits[3] == 60


async def test_what_was_told_is_not_told_again_by_the_next_process(desk: Desk) -> None:
    for moment in ("2026-03-09T04:00", "2026-03-09T04:01", "2026-03-09T09:29"):
        await phases(desk).tell(at(moment))

    (one,) = desk.said
    assert one.head.occurred_at == at("2026-03-09T04:00"), "the clocks went forward the day before"


async def test_a_running_market_tells_each_phase_once_whatever_is_started_again_and_however_the_clock_jumps(
    start_here: Any, database: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "bars.csv").write_text("symbol,date,open,high,low,close,volume\nABC,2024-03-01,10,11,9,10,100\n", encoding="utf-8")
    settings = {"feed": "csv", "csv_file": tmp_path / "bars.csv", "replay_pace_s": 0.0, "phases": "clock"}
    clock = ShiftedClock()
    monkeypatch.setattr(service, "SystemClock", lambda: clock)
    monkeypatch.setattr(phases_of_market, "LOOK_MAX_S", 0.02)

    async def entered(phase: str) -> bool:
        return [row["phase"] for row in await database.fetch("market", "select phase from phase_told")] == [phase]

    for starts in (("2026-03-09T09:00",), ("2026-03-09T09:00", "2026-03-09T10:00", "2026-03-09T09:00", "2026-03-09T10:00")):
        clock.set_to(at(starts[0]))
        await start_here("market", **settings)
        for moment in starts:
            clock.set_to(at(moment))
            phase = "PREP" if moment.endswith("09:00") else "OPEN"
            await wait_until(partial(entered, phase), f"it is {phase}")
        await start_here.stop("market")

    rows = await database.fetch("market", "select payload from outbox where type = 'SessionPhaseChanged' order by id")
    told = [(one["session"], one["phase"]) for one in (json.loads(row["payload"]) for row in rows)]
    assert [one for one in told if one[0] == "2026-03-09"] == [("2026-03-09", "PREP"), ("2026-03-09", "OPEN")]


async def test_a_replay_that_is_asked_to_tells_the_phases_of_each_session_around_its_bars(
    start_here: Any, database: Any, tmp_path: Any
) -> None:
    (tmp_path / "bars.csv").write_text("symbol,date,open,high,low,close,volume\nABC,2024-03-01,10,11,9,10,100\n", encoding="utf-8")
    await start_here("market", feed="csv", csv_file=tmp_path / "bars.csv", replay_pace_s=0.0, phases="replay")

    async def told() -> list[Any]:
        rows: list[Any] = await database.fetch(
            "market", "select type, payload, occurred_at from outbox where type <> 'InstrumentListed' order by id"
        )
        return rows

    await wait_until(told, "the session is out")
    said = [(row["type"], json.loads(row["payload"]).get("phase"), row["occurred_at"].astimezone(NEW_YORK).hour) for row in await told()]
    assert said == [
        ("SessionPhaseChanged", "DARK", 20),
        ("SessionPhaseChanged", "PREP", 4),
        ("SessionPhaseChanged", "OPEN", 9),
        ("BarsClosed", None, 16),
        ("SessionPhaseChanged", "COOLDOWN", 16),
        ("PricesWatermark", None, 16),
    ]
