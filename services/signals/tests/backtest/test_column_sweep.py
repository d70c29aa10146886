"""Sweeps by columns: every figure is that of the single run, however many threads, and whatever is known already."""

import gc
import math
import pickle
from dataclasses import asdict, replace
from typing import Any
from weakref import ref

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.signals.tests.backtest.making import day
from services.signals.tests.backtest.test_at_once import past_of
from services.signals.tests.backtest.test_columns import TENTH, USD, walk

from quantmatrix.common.statistics import returns_of
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.doubt import moments_of
from quantmatrix.signals.backtest.history import BacktestError, computed
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.shelf import Shelf, shelf_of
from quantmatrix.signals.backtest.summary import record_of_sweep
from quantmatrix.signals.backtest.sweep import Tried, Watch, sweep, tried
from quantmatrix.signals.strategies.moving_average_cross import STRATEGY

GRID = {"fast": [2, 3, 5], "slow": [8, 13], "units": [10, 400]}
JOB = Job({}, USD, TENTH)


def same(found: Any, expected: Any) -> bool:
    """Plain values: doubles within the rounding of their sums, everything else alike."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == expected)


def told_by_objects(past: Any, job: Job) -> dict[str, Any]:
    """The figures of a single run, from its objects."""
    result = backtest(STRATEGY, [past], job)
    returns = returns_of(float(job.cash.amount), [float(point.equity.amount) for point in result.outcome.curve])
    return {
        "curve": asdict(result.curve),
        "closed_trades": asdict(result.closed),
        "equity": plain(result.outcome.curve[-1].equity.amount),
        "fees": plain(result.fees.amount),
        "moments": asdict(moments_of(returns)),
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(51, 200),
    sizing=st.sampled_from([{"units": 7}, {"units": 900}, {"position_pct": 60.0}]),
    cash=st.sampled_from(["100000", "4000.01"]),
    bounds=st.sampled_from([(None, None), (day(20), None), (day(40), day(51))]),
)
def test_a_combination_has_the_figures_of_its_single_run(seed: int, count: int, sizing: dict[str, Any], cash: str, bounds: Any) -> None:
    past = walk(seed, count)
    job = Job({"fast": 3, "slow": 8, **sizing}, Money.parse(cash, "USD"), TENTH, first=bounds[0], last=bounds[1])

    found = tried((STRATEGY, [past], job), (1, {}))

    assert same(found.figures, told_by_objects(past, job))


def test_a_peak_on_which_the_equity_stands_still_is_no_drawdown() -> None:
    """One trade, one bar below the opening capital, and then five bars without a position at the highest level."""
    past, cash = walk(2046, 71), Money.parse("4000.01", "USD")
    job = Job({"fast": 3, "slow": 8, "units": 7}, cash, TENTH, first=day(40), last=day(51))

    found = tried((STRATEGY, [past], job), (1, {}))

    assert same(found.figures, told_by_objects(past, job))
    assert found.figures["curve"]["max_drawdown_sessions"] == 1


@pytest.mark.parametrize("closes", [[100] * 60, [100 + number for number in range(60)], [200 - number for number in range(60)]])
def test_prices_that_stand_still_or_go_one_way(closes: list[int]) -> None:
    past, job = past_of(closes, closes, 2), Job({"fast": 2, "slow": 5, "units": 3}, USD, TENTH)

    found = tried((STRATEGY, [past], job), (1, {}))

    assert same(found.figures, told_by_objects(past, job))


def test_threads_and_what_is_known_change_nothing() -> None:
    past, seen, progress = walk(3, 500), list[Tried](), list[tuple[int, int]]()

    one = sweep(STRATEGY, [past], JOB, GRID, Watch(seen.append, lambda done, of: progress.append((done, of))))
    two = sweep(STRATEGY, [walk(3, 500)], JOB, GRID, workers=2)
    resumed = sweep(STRATEGY, [past], JOB, GRID, known=seen[:5], workers=2)

    assert one == two == resumed and len(one) == 12
    assert progress[0] == (0, 12) and progress[-1] == (12, 12) and sorted(progress) == progress
    records = [record_of_sweep(STRATEGY, [past], JOB, GRID, found).figures["digest"] for found in (one, two)]
    assert records[0] == records[1]


def test_a_digest_tells_fills_parameters_and_bars_apart() -> None:
    past, other = walk(3, 300), walk(4, 300)
    jobs = [JOB, replace(JOB, parameters={"fast": 3}), replace(JOB, cash=Money(5_000, "USD")), replace(JOB, last=day(299))]

    digests = [tried((STRATEGY, [past], job), (1, {})).digest for job in jobs] + [tried((STRATEGY, [other], JOB), (1, {})).digest]

    assert len(set(digests)) == 5 and all(len(one) == 64 for one in digests)
    assert tried((STRATEGY, [walk(3, 300)], JOB), (2, {})).digest == digests[0]


@pytest.mark.parametrize(
    ("bars", "fast", "refused"), [(60, 9, r"the fast average \(9\) has fewer bars"), (5, 2, r"has 5 bars, the strategy wants \d+")]
)
def test_what_cannot_be_run_is_refused_before_anything_is(bars: int, fast: int, refused: str) -> None:
    with pytest.raises(BacktestError, match=refused):
        sweep(STRATEGY, [past_of([100] * bars, [100] * bars, 2)], JOB, {"fast": [fast], "slow": [8]}, workers=2)


def test_an_interruption_ends_the_work() -> None:
    seen: list[Tried] = []

    def stop(one: Tried) -> None:
        seen.append(one)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(STRATEGY, [walk(3, 300)], JOB, {"fast": list(range(1, 8)), "slow": list(range(8, 30))}, Watch(on_tried=stop), workers=2)

    assert len(seen) == 1


def test_a_shelf_gives_the_columns_of_a_run_to_the_last_bit_and_forgets_the_oldest() -> None:
    past = walk(5, 400, digits=4)
    shelf = Shelf(past, bytes_max=3 * 400 * 8)
    for fast in (2, 3, 4, 5, 2):
        one = STRATEGY(STRATEGY.parameters.model_validate({"fast": fast, "slow": 50}))
        wanted = one.columns(held=True)

        found = shelf.columns(one, wanted)

        assert found.equals(computed(one, past, wanted), null_equal=True)
        assert shelf._bytes <= 3 * 400 * 9 + 400  # validity takes a bit a bar

    again = pickle.loads(pickle.dumps(past))

    assert shelf_of(again).data_digest == shelf_of(past).data_digest == shelf.data_digest


def test_a_shelf_computes_what_it_cannot_tell_apart_anew() -> None:
    past, one = walk(5, 100), STRATEGY(STRATEGY.parameters.model_validate({}))
    shelf = Shelf(past)
    doubled = {"twice": pl.col("close").map_batches(lambda series: series * 2, return_dtype=pl.Float64)}

    found = shelf.columns(one, doubled)

    assert np.allclose(found["twice"].to_numpy(), past.frame["close"].to_numpy() * 2)


def test_bars_are_given_back_with_their_columns_at_once() -> None:
    past = walk(3, 300)
    sweep(STRATEGY, [past], JOB, GRID)
    there, collecting = ref(past), gc.isenabled()
    gc.disable()

    try:
        del past

        assert there() is None
    finally:
        if collecting:
            gc.enable()
