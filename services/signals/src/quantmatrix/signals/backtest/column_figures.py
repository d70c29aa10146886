"""Figures of a run by columns without any of its objects: of its curve, its trades, and of what a Sharpe ratio is deflated by.

The same figures as `statistics` and `doubt` make of the objects, to the rounding of sums of doubles; a test holds them together.
"""

import math
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantmatrix.common.statistics import SESSIONS_PER_YEAR
from quantmatrix.signals.backtest.column_run import ColumnRun, Ints
from quantmatrix.signals.backtest.doubt import Moments
from quantmatrix.signals.backtest.statistics import CurveFigures, TradeFigures, trade_figures

Floats = npt.NDArray[np.float64]
_OF_THREAD = threading.local()


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


def curve_and_moments(run: ColumnRun) -> tuple[CurveFigures, Moments] | None:
    """The figures of the equity of every bar; None when it does not stay above zero, where returns have no meaning."""
    rooms = _rooms(len(run.equity))
    levels, returns = rooms.levels, rooms.returns
    levels[0] = float(run.opening.amount)
    np.divide(run.equity, 10**run.digits, out=levels[1:])
    if levels.min() <= 0:
        return None
    count, opening, last = len(run.equity), float(levels[0]), float(levels[-1])
    np.divide(levels[1:], levels[:-1], out=returns)
    returns -= 1.0
    sums = _sums(returns, rooms.powers)
    largest, longest = _falls(levels)
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
    return curve, _moments(sums, count)


def trades_of_columns(run: ColumnRun) -> TradeFigures:
    """The figures of the closed trades."""
    trades = run.walked.trades()
    return trade_figures((trades["profit"] / 10**run.digits).tolist(), (trades["closed"] - trades["opened"]).tolist())


def room_for_curve(count: int) -> Ints:
    """Two rows for the curve of a run over `count` bars; the next run of the same thread writes over them."""
    return _rooms(count).curve


@dataclass(frozen=True, slots=True)
class _Rooms:
    """Room to compute in, one set a thread: fresh memory costs more than what is computed in it."""

    curve: Ints
    levels: Floats
    returns: Floats
    powers: Floats


def _rooms(count: int) -> _Rooms:
    known: _Rooms | None = getattr(_OF_THREAD, "rooms", None)
    if known is None or known.curve.shape[1] != count:
        known = _OF_THREAD.rooms = _Rooms(np.empty((2, count), np.int64), np.empty(count + 1), np.empty(count), np.empty(count))
    return known


def _sums(returns: Floats, room: Floats) -> _Sums:
    """`room` is as long as the returns, which are lost."""
    best, worst = float(returns.max()), float(returns.min())
    if best == worst:
        return _Sums(best, 0.0, 0.0, 0.0, len(returns) * min(best, 0.0) ** 2, best, worst)
    mean = float(returns.mean())
    np.minimum(returns, 0.0, out=room)
    room *= room
    below = float(room.sum())
    returns -= mean
    np.multiply(returns, returns, out=room)
    second = float(room.sum())
    returns *= room
    third = float(returns.sum())
    room *= room
    return _Sums(mean, second, third, float(room.sum()), below, best, worst)


def _moments(sums: _Sums, count: int) -> Moments:
    deviation = math.sqrt(sums.second / count)
    if not deviation:
        return Moments(count, None, 0.0, 3.0)
    return Moments(count, sums.mean / deviation, sums.third / count / deviation**3, sums.fourth / count / deviation**4)


def _falls(levels: Floats) -> tuple[float, int]:
    """The deepest fall below an earlier peak, zero or less, and the most bars in a row below one.

    From the first bar of the highest level on, that level is the peak.
    """
    top = int(levels.argmax())
    rising, after = levels[: top + 1], levels[top:]
    peaks = np.maximum.accumulate(rising)
    deepest = min(float((rising / peaks).min()), float(after.min() / levels[top])) - 1.0
    at_peak = np.concatenate([np.flatnonzero(rising == peaks), top + 1 + np.flatnonzero(after[1:] == levels[top]), [len(levels)]])
    return deepest, int(np.diff(at_peak).max()) - 1
