"""Figures of a run by columns without any of its objects: of its curve, its trades, and of what a Sharpe ratio is deflated by.

The same figures as `statistics` and `doubt` make of the objects, to the rounding of sums of doubles; a test holds them together.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantmatrix.common.statistics import SESSIONS_PER_YEAR, TradeFigures, trade_figures
from quantmatrix.signals.backtest.column_run import ColumnRun, Moving
from quantmatrix.signals.backtest.doubt import Moments
from quantmatrix.signals.backtest.statistics import CurveFigures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of returns: their mean, and the sums of the powers of what they differ from it; below: of the squares of the negative ones."""

    mean: float
    second: float
    third: float
    fourth: float
    below: float
    best: float
    worst: float


def curve_and_moments(run: ColumnRun) -> tuple[CurveFigures, Moments, int] | None:
    """The figures of the equity of every bar, and the last of it in 10^-digits; None when it does not stay above zero, where returns have no meaning.

    Only bars on which something is held or filled are looked at: on all others the return is zero.
    """
    moving = run.walked.moving(run.history, run.end)
    levels = np.empty(len(moving.equity) + 1)
    levels[0] = float(run.opening.amount)
    np.divide(moving.equity, 10**run.digits, out=levels[1:])
    top = int(levels.argmax())
    lowest = float(levels[top:].min())
    if min(lowest, float(levels[:top].min(initial=lowest))) <= 0:
        return None
    largest, longest = _falls(run, moving, levels, top, lowest)
    count, opening, last = run.end - run.first, float(levels[0]), float(levels[-1])
    returns = levels[1:] / levels[:-1]
    returns -= 1.0
    sums = _sums(returns, count)
    deviation = math.sqrt(sums.second / (count - 1)) if count > 1 else 0.0
    below, root = math.sqrt(sums.below / count), math.sqrt(SESSIONS_PER_YEAR)
    cagr = (last / opening) ** (SESSIONS_PER_YEAR / count) - 1.0
    curve = CurveFigures(
        total_return=last / opening - 1.0,
        cagr=cagr,
        volatility=deviation * root if deviation else None,
        sharpe=sums.mean / deviation * root if deviation else None,
        sortino=sums.mean / below * root if below else None,
        calmar=cagr / -largest if largest < 0 else None,
        max_drawdown=largest,
        max_drawdown_sessions=longest,
        best_session=sums.best,
        worst_session=sums.worst,
    )
    return curve, _moments(sums, count), int(moving.equity[-1]) if len(moving.equity) else run.walked.opening


def trades_of_columns(run: ColumnRun) -> TradeFigures:
    """The figures of the closed trades."""
    trades = run.walked.trades()
    profits = trades["profit"] / 10**run.digits
    count = len(profits)
    if not count:
        return trade_figures([], [])
    wins, losses = profits[profits > 0], profits[profits < 0]
    won, lost = float(wins.sum()), -float(losses.sum())
    return TradeFigures(
        trades=count,
        won=len(wins),
        lost=len(losses),
        win_rate=len(wins) / count,
        profit_factor=won / lost if lost else None,
        expectancy=float(profits.sum()) / count,
        average_win=won / len(wins) if len(wins) else None,
        average_loss=-lost / len(losses) if len(losses) else None,
        best=float(profits.max()),
        worst=float(profits.min()),
        sessions_held=int((trades["closed"] - trades["opened"]).sum()) / count,
    )


def _sums(returns: Floats, count: int) -> _Sums:
    """Of so many returns, of which those that are not given are zero. The given ones are lost."""
    still = count - len(returns)
    best = max(float(returns.max(initial=-math.inf)), 0.0 if still else -math.inf)
    worst = min(float(returns.min(initial=math.inf)), 0.0 if still else math.inf)
    if best == worst:
        return _Sums(best, 0.0, 0.0, 0.0, count * min(best, 0.0) ** 2, best, worst)
    mean = float(returns.sum()) / count
    room = np.minimum(returns, 0.0)
    room *= room
    below = float(room.sum())
    returns -= mean
    np.multiply(returns, returns, out=room)
    second = float(room.sum())
    returns *= room
    third = float(returns.sum())
    room *= room
    fourth = float(room.sum())
    return _Sums(mean, second + still * mean**2, third - still * mean**3, fourth + still * mean**4, below, best, worst)


def _moments(sums: _Sums, count: int) -> Moments:
    deviation = math.sqrt(sums.second / count)
    if not deviation:
        return Moments(count, None, 0.0, 3.0)
    return Moments(count, sums.mean / deviation, sums.third / count / deviation**3, sums.fourth / count / deviation**4)


def _falls(run: ColumnRun, moving: Moving, levels: Floats, top: int, lowest: float) -> tuple[float, int]:
    """The deepest fall below an earlier peak, zero or less, and the most bars in a row below one.

    levels: the opening capital, then those of the moving bars; from the first of the highest, at `top`, on that level is the peak; lowest: since then.
    """
    rising = levels[: top + 1]
    peaks = np.maximum.accumulate(rising)
    deepest = min(float((rising / peaks).min()), lowest / float(levels[top])) - 1.0
    later = levels[top + 1 :]
    again = top + 1 + np.flatnonzero(later == levels[top]) if later.max(initial=0.0) == levels[top] else np.zeros(0, np.int64)
    at_peak = np.concatenate([np.flatnonzero(rising == peaks), again])
    # Where the equity stands still at a peak it does so until the bar before the next one that moves.
    reached, left = moving.bars(at_peak[1:] - 1), moving.bars(at_peak) - 1
    return deepest, int((np.append(reached, run.end) - left).max()) - 1
