"""What became of signals: worked out after the bars, session by session, whatever was left out by a restart."""

from datetime import timedelta
from typing import Any

import pytest
from services.signals.tests.floor import SESSIONS, WARM, Floor, Market

from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.signals.following import FollowStore
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix


@pytest.fixture
async def floor(database: Any) -> Floor:
    made = Floor(await database.connect("signals"), Market(), AtrMatrix)
    await made.open()
    return made


async def became(floor: Floor, signal: SignalRaised) -> Any:
    (row,) = await FollowStore(floor.pages.connection).follow_ups(signal.user_id, [signal.signal_id])
    return row


async def test_a_signal_is_followed_from_the_bar_after_it(floor: Floor) -> None:
    (signal,) = await floor.day(WARM)
    await floor.follow()
    assert (await became(floor, signal))["followed_to"] is None

    await floor.day(WARM + 1)
    await floor.follow()

    row = await became(floor, signal)
    close = float(floor.market.close(WARM + 1).value)
    assert row["followed_to"] == SESSIONS[WARM + 1]
    assert row["close"] == close
    assert row["high"] > close > row["low"]


async def test_several_sessions_at_once_come_to_the_same_as_one_after_the_other(database: Any, floor: Floor) -> None:
    (signal,) = await floor.day(WARM)
    for day in range(WARM + 1, WARM + 6):
        await floor.day(day)
        await floor.follow()
    one_by_one = await became(floor, signal)

    other = Floor(await database.connect("signals"), Market(), AtrMatrix)
    await other.forget()
    await other.open()
    await other.day(WARM)
    for day in range(WARM + 1, WARM + 5):
        await other.day(day)
    other.restart()
    await other.day(WARM + 5)
    await other.follow()

    assert await became(other, signal) == one_by_one


async def test_looking_again_changes_nothing_and_the_horizon_ends_it(floor: Floor) -> None:
    (signal,) = await floor.day(WARM)
    day = WARM + 1
    while (await became(floor, signal))["ended"] is None:
        assert day < WARM + 60
        await floor.day(day)
        await floor.follow()
        day += 1
    ended = await became(floor, signal)

    await floor.day(day)
    await floor.follow()

    assert await became(floor, signal) == ended
    assert ended["ended"] in {"target", "stopped"} or SESSIONS[day - 1] >= ended["until"]
    assert ended["until"] >= signal.session + timedelta(days=1)
