"""Luck: the paper's own example of a deflated ratio, draws that repeat, and tables that lose nothing."""

import statistics
from decimal import Decimal
from pathlib import Path

import numpy
import polars as pl
import pytest
from services.signals.tests.backtest.making import USD, Script, bar, history

from quantmatrix.signals.backtest.doubt import Method, Moments, deflated, drawn_anew, moments_of
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.tables import Format, save, tables

RISING = [bar(number, str(9 + number), str(12 + number), str(8 + number), str(10 + number)) for number in range(1, 11)]


def test_the_example_of_the_paper() -> None:
    """An annual ratio of 2.5 over 1,250 days, the best of 100 with a variance of 1/2, skew -3, kurtosis 10: 0.9004."""
    own = Moments(1_250, 2.5 / 250**0.5, -3.0, 10.0)

    assert deflated(own, (1 / (2 * 250)) ** 0.5, 100) == pytest.approx(0.9004, abs=5e-4)


def test_the_more_were_tried_the_less_it_counts() -> None:
    found = [deflated(Moments(1_000, 0.15, 0.0, 3.0), 0.04, tried) for tried in (2, 10, 100, 1_000)]

    assert all(one is not None for one in found)
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]  # none of them is None


def test_what_does_not_move_or_was_not_compared_has_no_deflated_ratio() -> None:
    assert deflated(moments_of([0.0] * 10), 0.1, 2) is None
    assert deflated(moments_of([0.01, -0.01, 0.02]), 0.0, 1) is None


def test_moments_are_those_of_a_second_library() -> None:
    returns = [0.01, -0.02, 0.005, 0.03, -0.011, 0.002, 0.0, 0.017]
    values = numpy.array(returns)
    centred = (values - values.mean()) / values.std()

    found = moments_of(returns)

    assert found.sharpe == pytest.approx(values.mean() / values.std(), rel=1e-12)
    assert (found.skew, found.kurtosis) == pytest.approx(((centred**3).mean(), (centred**4).mean()), rel=1e-12)


def test_draws_repeat_by_their_seed() -> None:
    profits = [120.0, -60.0, 40.0, -100.0, 30.0]

    first, again, other = (drawn_anew(profits, 10_000.0, method=Method.BOOTSTRAP, runs=500, seed=seed) for seed in (1, 1, 2))

    assert first == again != other
    assert list(first.final) == sorted(first.final) and list(first.drawdown) == sorted(first.drawdown)
    assert first.ruined == 0.0


def test_trades_that_are_all_alike_have_one_outcome() -> None:
    found = drawn_anew([10.0] * 4, 100.0, method=Method.BOOTSTRAP, runs=50, seed=7)

    assert found.final == pytest.approx((0.4,) * 5) and found.drawdown == (0.0,) * 5
    assert drawn_anew([-20.0] * 4, 100.0, method=Method.SHUFFLE, runs=50, seed=7).ruined == 1.0


def test_a_bootstrap_has_the_mean_and_the_deviation_that_drawing_has() -> None:
    """The sum of n draws with replacement has mean n m and variance n s2; its middle and its 5 % follow the normal law."""
    profits = [float(number) for number in range(-50, 61)]
    count, mean = len(profits), statistics.fmean(profits)
    deviation = statistics.pstdev(profits) * count**0.5

    found = drawn_anew(profits, 1.0, method=Method.BOOTSTRAP, runs=4_000, seed=3)

    assert found.final[2] == pytest.approx(count * mean, abs=4 * deviation / 4_000**0.5)
    assert found.final[0] == pytest.approx(count * mean - 1.645 * deviation, abs=0.1 * deviation)


def test_a_shuffle_ends_where_the_trades_end_and_every_order_comes_about_as_often() -> None:
    """Of +1 and -1 on 10, half of the orders fall by 1/11 and half by 1/10; the end is the same."""
    found = drawn_anew([1.0, -1.0], 10.0, method=Method.SHUFFLE, runs=2_000, seed=5)

    assert found.final == pytest.approx((0.0,) * 5, abs=1e-15)
    assert found.drawdown[0] == pytest.approx(-0.1) and found.drawdown[-1] == pytest.approx(-1 / 11)
    assert found.after == (0, 1, 2) and found.bands[0] == pytest.approx((0.0, -0.1, 0.0))


@pytest.mark.parametrize(("profits", "runs"), [([], 10), ([1.0], 0), ([1.0], 20_001)])
def test_nothing_to_draw_from_is_refused(profits: list[float], runs: int) -> None:
    with pytest.raises(BacktestError, match="at least one closed trade"):
        drawn_anew(profits, 100.0, method=Method.BOOTSTRAP, runs=runs, seed=0)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_hold_everything_exactly(kind: Format, tmp_path: Path) -> None:
    result = backtest(Script, [history(*RISING)], Job({"at": {2: 100, 5: -40, 7: -99}}, USD))

    read = {path.stem: (pl.read_csv if kind == "csv" else pl.read_parquet)(path) for path in save(tables(result), tmp_path / "new", kind)}

    assert {name: frame.height for name, frame in read.items()} == {"fills": 2, "trades": 1, "curve": 10, "refusals": 1}
    assert [Decimal(str(price)) for price in read["fills"]["price"]] == [one.price.value for one in result.outcome.fills]
    assert Decimal(tables(result)["curve"]["equity"][-1]) == result.outcome.curve[-1].equity.amount
    assert read["trades"]["is_open"].to_list() == [True]


def test_a_run_without_trades_has_tables_with_columns() -> None:
    made = tables(backtest(Script, [history(*RISING)], Job({}, USD)))

    assert made["fills"].height == 0 and "price" in made["fills"].columns
