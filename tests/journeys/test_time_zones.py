"""The clocks of the machine and of the database decide nothing: event time and New York's sessions do."""

import time
from datetime import date
from typing import Any

import asyncpg
import pytest
from tests.journeys.conftest import FIVE, Platform

from quantmatrix.common.runtime import service
from quantmatrix.common.testing.clock import WildClock
from quantmatrix.operations.schemas import forget_replay

pytestmark = pytest.mark.long(20)
PERIODS = {
    "the clocks go back, three half days and the turn of a year": (date(2003, 10, 20), date(2004, 1, 6)),
    "a leap day, and the clocks go forward": (date(2008, 2, 1), date(2008, 3, 31)),
}


async def _digests(make_platform: Any, first: date, last: date) -> dict[str, Any]:
    symbols = {"replay_symbols": ("AAPL", "GOOG", "IBM", "MSFT"), "replay_from": first, "replay_to": last, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=symbols)
    await platform.start()
    await platform.finished()
    await platform.agree()
    found = await platform.digests()
    await platform.start_here.stop_all()
    return found


@pytest.mark.parametrize(("first", "last"), PERIODS.values(), ids=PERIODS)
async def test_the_ledger_is_the_same_wherever_the_machine_and_the_database_stand_and_whatever_the_clock_says(
    make_platform: Any, bus: Any, database: Any, monkeypatch: pytest.MonkeyPatch, first: date, last: date
) -> None:
    here = await _digests(make_platform, first, last)
    await forget_replay(database.superuser_url)
    await bus.purge()
    await bus.provision()
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(f"alter database {database.name} set timezone = 'America/St_Johns'")
    await superuser.close()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # fourteen hours ahead: always tomorrow
    time.tzset()
    clocks = [WildClock() for _ in FIVE]
    monkeypatch.setattr(service, "SystemClock", iter(clocks).__next__)
    try:
        there = await _digests(make_platform, first, last)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert there == here
    assert all(clock.looks for clock in clocks)
    assert here["execution"].counts["fills"] > 5
