"""Luck: the paper's own example of a deflated ratio, draws that repeat, sweeps, and tables that lose nothing."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from services.signals.tests.backtest.making import FREE, USD, Script, bar, history

from quantmatrix.signals.backtest.doubt import deflated, deflated_sharpe, redrawn
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.sweep import combinations, sweep
from quantmatrix.signals.backtest.tables import Format, save, tables

RISING = [bar(number, str(9 + number), str(12 + number), str(8 + number), str(10 + number)) for number in range(1, 11)]


def test_the_example_of_the_paper() -> None:
    """An annual ratio of 2.5 over 1,250 days, the best of 100 with a variance of 1/2, skew -3, kurtosis 10: 0.9004."""
    found = deflated(2.5 / 250**0.5, -3.0, 10.0, 1_250, (1 / (2 * 250)) ** 0.5, 100)

    assert found == pytest.approx(0.9004, abs=5e-4)


def test_the_more_were_tried_the_less_it_counts() -> None:
    found = [deflated(0.15, 0.0, 3.0, 1_000, 0.04, tried) for tried in (2, 10, 100, 1_000)]

    assert all(one is not None for one in found)
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]  # none of them is None


def test_what_does_not_move_or_was_not_compared_has_no_deflated_ratio() -> None:
    assert deflated_sharpe([0.0] * 10, [0.1, 0.2]) is None
    assert deflated_sharpe([0.01, -0.01, 0.02], [0.1]) is None


def test_draws_repeat_by_their_seed() -> None:
    profits = [120.0, -60.0, 40.0, -100.0, 30.0]

    first, again, other = (redrawn(profits, 10_000.0, runs=500, seed=seed) for seed in (1, 1, 2))

    assert first == again != other
    assert first.final[0] < first.final[1] < first.final[2] and first.drawdown[0] < first.drawdown[2] <= 0
    assert first.ruined == 0.0


def test_trades_that_are_all_alike_have_one_outcome() -> None:
    found = redrawn([10.0] * 4, 100.0, runs=50, seed=7)

    assert found.final == pytest.approx((0.4, 0.4, 0.4)) and found.drawdown == (0.0, 0.0, 0.0)
    assert redrawn([-20.0] * 4, 100.0, runs=50, seed=7).ruined == 1.0


def test_every_trade_is_drawn_about_as_often() -> None:
    found = redrawn([0.0, 1.0], 1_000.0, runs=4_000, seed=3)

    assert found.final == pytest.approx((0.0, 0.001, 0.002), abs=1e-12)


@pytest.mark.parametrize(("profits", "runs"), [([], 10), ([1.0], 0), ([1.0], 100_001)])
def test_nothing_to_draw_from_is_refused(profits: list[float], runs: int) -> None:
    with pytest.raises(ValueError, match="at least one trade"):
        redrawn(profits, 100.0, runs=runs, seed=0)


def test_a_sweep_is_the_single_runs_best_first() -> None:
    past = [history(*RISING)]
    grid = {"at": [{2: 10}, {2: 100}, {5: 100}]}

    tried = sweep(Script, past, Job({}, USD, FREE), grid)

    assert {one.result.digest for one in tried} == {backtest(Script, past, Job({"at": at}, USD, FREE)).digest for at in grid["at"]}
    ratios = [one.result.curve.sharpe or 0.0 for one in tried]
    assert ratios == sorted(ratios, reverse=True)
    assert all(one.deflated is not None and 0 <= one.deflated <= 1 for one in tried)


def test_a_sweep_refuses_a_wrong_combination_before_it_runs_any() -> None:
    seen: list[int] = []

    with pytest.raises(BacktestError, match="at: Input should be"):
        sweep(Script, [history(*RISING)], Job({}, USD), {"at": [{2: 10}, "x"]}, lambda done, total: seen.append(done))

    assert seen == []


@pytest.mark.parametrize("grid", [{}, {"a": []}, {"a": list(range(1_001))}])
def test_a_grid_of_nothing_or_too_much_is_refused(grid: dict[str, list[int]]) -> None:
    with pytest.raises(BacktestError, match="a sweep has 1 to 1000 combinations"):
        combinations(grid)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_hold_everything_exactly(kind: Format, tmp_path: Path) -> None:
    result = backtest(Script, [history(*RISING)], Job({"at": {2: 100, 5: -40, 7: -99}}, USD))

    read = {path.stem: (pl.read_csv if kind == "csv" else pl.read_parquet)(path) for path in save(result, tmp_path / "new", kind)}

    assert {name: frame.height for name, frame in read.items()} == {"fills": 2, "trades": 1, "curve": 10, "refusals": 1}
    assert [Decimal(str(price)) for price in read["fills"]["price"]] == [one.price.value for one in result.outcome.fills]
    assert Decimal(tables(result)["curve"]["equity"][-1]) == result.outcome.curve[-1].equity.amount
    assert read["trades"]["is_open"].to_list() == [True]


def test_a_run_without_trades_has_tables_with_columns() -> None:
    made = tables(backtest(Script, [history(*RISING)], Job({}, USD)))

    assert made["fills"].height == 0 and "price" in made["fills"].columns
