"""The table of what became of signals against a plain walk over the bars."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import RunState
from quantmatrix.common.runtime.writing import made
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, like
from quantmatrix.common.values import Price
from quantmatrix.signals.domain.ledger import nothing
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.following import FollowStore
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.writes import followed, raised

START = date(2024, 3, 4)
RUN = like(SignalRaised).run_id
_numbers = itertools.count(1)
BARS = st.lists(st.tuples(st.integers(80, 130), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


@pytest.fixture
async def store(database: Any) -> FollowStore:
    connection = await database.connect("signals")
    await SignalsStore(connection).keep_instrument(like(InstrumentListed))
    run = Run(RUN, USER, ACCOUNT, "atr_matrix", {}, "run:x", RunState.RUNNING, nothing("USD"))
    await SignalsStore(connection).start_run(run, like(SignalRaised).decided_at)
    return FollowStore(connection)


def plainly(bars: list[tuple[int, int, int]], stop: float, targets: list[float], days: int) -> dict[str, Any]:
    """The same by a loop over the bars, stop before targets inside one bar."""
    found: dict[str, Any] = {"high": None, "low": None, "close": None, "targets_hit": 0, "stop_hit": False, "ended": None}
    for number, (close, up, down) in enumerate(bars, start=1):
        if found["ended"]:
            break
        high, low = close + up, close - down
        found["high"] = high if found["high"] is None else max(found["high"], high)
        found["low"] = low if found["low"] is None else min(found["low"], low)
        found["close"] = close
        if low <= stop:
            found.update(stop_hit=True, close=stop, ended="stopped")
            continue
        found["targets_hit"] = max(found["targets_hit"], sum(high >= one for one in targets))
        if found["targets_hit"] == len(targets):
            found["ended"] = "target"
        elif number >= days:
            found["ended"] = "expired"
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BARS, st.integers(1, 12), st.sampled_from([1.0, 2.0, 28.0]))
async def test_a_follow_up_is_what_a_plain_walk_finds(
    store: FollowStore, bars: list[tuple[int, int, int]], days: int, scale: float
) -> None:
    signal = like(
        SignalRaised, signal_id=derived_id("followed", next(_numbers)), session=START, price=Price(100), stop=Price(88), horizon_days=days,
        targets=(Price(112), Price(124)),
    )  # fmt: skip
    await made(store._connection, raised(signal, None))
    await store._connection.execute("delete from follow_up")
    await made(store._connection, followed(signal, scale))

    for number, (close, up, down) in enumerate(bars, start=1):
        bar = (INSTRUMENT.instrument_id, (close + up) * scale, (close - down) * scale, close * scale)
        await store.follow_up([bar], START + timedelta(days=number))

    (row,) = await store.follow_ups(USER, [signal.signal_id])
    wanted = plainly(bars, 88, [112, 124], days)
    assert {name: row[name] for name in ("targets_hit", "stop_hit", "ended")} == {
        name: wanted[name] for name in ("targets_hit", "stop_hit", "ended")
    }
    assert [row[name] / scale for name in ("high", "low", "close")] == [wanted[name] for name in ("high", "low", "close")]
    assert (await store.open_since() != {}) == (row["ended"] is None)


async def test_nobody_is_told_of_the_signals_of_others(store: FollowStore) -> None:
    signal = like(SignalRaised, session=START)
    await made(store._connection, raised(signal, None))
    await made(store._connection, followed(signal, 1.0))

    assert len(await store.follow_ups(USER, [signal.signal_id])) == 1
    assert await store.follow_ups(derived_id("somebody else"), [signal.signal_id]) == []
