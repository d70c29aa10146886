"""Figures against a second library, against the worked example of a day, and at the edges."""

import csv
import json
from pathlib import Path

import pytest

from quantmatrix.common.statistics import trade_figures
from quantmatrix.signals.backtest.statistics import curve_figures

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.mark.parametrize("figure", ["total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"])
def test_a_curve_has_the_figures_of_a_second_library(figure: str) -> None:
    """empyrical-reloaded, on the raw closes of Apple from March 2000 to June 2001 as an equity curve."""
    with (REFERENCE / "aapl_2000_talib.csv").open(encoding="utf-8", newline="") as file:
        closes = [float(row["close"]) for row in csv.DictReader(file)]
    expected = json.loads((REFERENCE / "curve_empyrical.json").read_text(encoding="utf-8"))[figure]

    assert getattr(curve_figures(closes[0], closes[1:]), figure) == pytest.approx(expected, rel=1e-6)


def test_five_trades_have_the_figures_of_the_worked_example() -> None:
    """120, -60, 40, -100, 30 on 10,000: won 60 %, profit factor 1.1875, expectancy 6.00, drawdown 1.1858 %."""
    profits = [120.0, -60.0, 40.0, -100.0, 30.0]
    equity = [10_120.0, 10_060.0, 10_100.0, 10_000.0, 10_030.0]

    found = trade_figures(profits, [1, 2, 3, 4, 5])

    assert (found.trades, found.won, found.lost, found.win_rate) == (5, 3, 2, 0.6)
    assert (found.profit_factor, found.expectancy, found.sessions_held) == (1.1875, 6.0, 3.0)
    assert (found.average_win, found.average_loss, found.best, found.worst) == (pytest.approx(190 / 3), -80.0, 120.0, -100.0)
    assert curve_figures(10_000.0, equity).max_drawdown == pytest.approx(-0.011858, abs=5e-7)


def test_a_curve_that_never_moves_has_no_ratios() -> None:
    found = curve_figures(100.0, [100.0] * 5)

    assert (found.total_return, found.cagr, found.max_drawdown, found.max_drawdown_sessions) == (0.0, 0.0, 0.0, 0)
    assert (found.volatility, found.sharpe, found.sortino, found.calmar) == (None, None, None, None)


def test_without_trades_there_is_nothing_to_divide_by() -> None:
    found = trade_figures([], [])

    assert (found.trades, found.win_rate, found.profit_factor, found.expectancy, found.best) == (0, None, None, None, None)
    assert trade_figures([5.0], [1]).profit_factor is None
