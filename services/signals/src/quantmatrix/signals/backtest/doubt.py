"""How much of a result may be luck: the order of its trades drawn anew, and a Sharpe ratio deflated by how many were tried."""

import hashlib
import math
import statistics as figures
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from quantmatrix.signals.backtest.history import BacktestError

EULER = 0.5772156649015329
RUNS_MAX = 20_000
POINTS_MAX = 200
SHARES = (0.05, 0.25, 0.50, 0.75, 0.95)


class Method(StrEnum):
    """How trades are drawn: each one once in another order, or with replacement (the bootstrap of Efron, 1979)."""

    SHUFFLE = "shuffle"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures over many orders of the same trades, as fractions of the opening capital; drawdowns are from trade to trade.

    final, drawdown: at 5, 25, 50, 75 and 95 percent of the runs, by nearest rank; drawdown's first is the deepest.
    after: numbers of trades; bands: the equity after so many trades, one row per percentage. ruined: the share of runs
    that fell to half of the opening capital or below.
    """

    method: Method
    runs: int
    seed: int
    trades: int
    final: tuple[float, ...]
    drawdown: tuple[float, ...]
    ruined: float
    after: tuple[int, ...]
    bands: tuple[tuple[float, ...], ...]


def drawn_anew(profits: Sequence[float], opening: float, *, method: Method, runs: int, seed: int, ruin_at: float = 0.5) -> Spread:
    """Draw the trades `runs` times, as many each time as there were. The same seed gives the same figures everywhere.

    A shuffle always ends at the same equity; what it tells is the drawdown. Raises BacktestError without trades or with an
    unreasonable number of runs.
    """
    if not profits or not 1 <= runs <= RUNS_MAX:
        raise BacktestError(f"at least one closed trade and 1 to {RUNS_MAX} runs are needed, got {len(profits)} trades and {runs} runs")
    after = _places_kept(len(profits))
    columns = [array("d") for _ in after]
    finals, falls, ruined = array("d"), array("d"), 0
    for run in range(runs):
        curve, fall, lowest = _curve(profits, opening, _order(method, seed, run, len(profits)))
        finals.append(curve[-1] / opening - 1.0)
        falls.append(fall)
        ruined += lowest <= ruin_at * opening
        for column, trades in zip(columns, after, strict=True):
            column.append(curve[trades] / opening - 1.0)
    rows = [_percentiles(column) for column in columns]
    bands = tuple(tuple(row[number] for row in rows) for number in range(len(SHARES)))
    return Spread(method, runs, seed, len(profits), _percentiles(finals), _percentiles(falls), ruined / runs, after, bands)


def _curve(profits: Sequence[float], opening: float, order: Sequence[int]) -> tuple[list[float], float, float]:
    """Equity before the first trade and after each, its deepest fall and its lowest value."""
    equity = peak = lowest = opening
    curve, fall = [opening], 0.0
    for place in order:
        equity += profits[place]
        peak, lowest = max(peak, equity), min(lowest, equity)
        fall = min(fall, equity / peak - 1.0)
        curve.append(equity)
    return curve, fall, lowest


def _order(method: Method, seed: int, run: int, count: int) -> list[int]:
    """Which trade comes when, by a hash of seed and run: the same on every machine and version."""
    drawn = hashlib.shake_256(f"{seed}/{run}".encode()).digest(8 * count)
    keys = [int.from_bytes(drawn[8 * at : 8 * at + 8], "big") for at in range(count)]
    if method is Method.SHUFFLE:
        return sorted(range(count), key=keys.__getitem__)
    return [key % count for key in keys]


def _places_kept(count: int) -> tuple[int, ...]:
    step = max(1, -(-count // POINTS_MAX))
    kept = range(0, count + 1, step)
    return tuple(kept) if kept[-1] == count else (*kept, count)


def _percentiles(values: Sequence[float]) -> tuple[float, ...]:
    """At each share, by nearest rank."""
    ordered = sorted(values)
    return tuple(ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in SHARES)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of returns, session by session. sharpe: their mean over their deviation (n), None where they do not move."""

    sessions: int
    sharpe: float | None
    skew: float
    kurtosis: float


def moments_of(returns: Sequence[float]) -> Moments:
    """The moments that a deflated ratio is made of; skew and kurtosis of returns that do not move are zero and three."""
    deviation = figures.pstdev(returns) if returns else 0.0
    if not deviation:
        return Moments(len(returns), None, 0.0, 3.0)
    mean = figures.fmean(returns)
    skew = figures.fmean([((one - mean) / deviation) ** 3 for one in returns])
    kurtosis = figures.fmean([((one - mean) / deviation) ** 4 for one in returns])
    return Moments(len(returns), mean / deviation, skew, kurtosis)


def spread_of(ratios: Sequence[float | None]) -> float:
    """The standard deviation (n - 1) of the ratios that were tried; one that has none counts as zero."""
    return figures.stdev([one or 0.0 for one in ratios]) if len(ratios) > 1 else 0.0


def deflated(own: Moments, spread: float, tried: int) -> float | None:
    """The deflated Sharpe ratio (Bailey and López de Prado, The Deflated Sharpe Ratio, 2014): the probability that a ratio
    is above what the best of so many would show by luck alone. All ratios are per session.

    spread: the standard deviation of the ratios that were tried, this one among them. None where the returns do not move,
    fewer than two were tried, or the moments contradict each other.
    """
    if own.sharpe is None or own.sessions < 3 or tried < 2:
        return None
    normal, ratio = figures.NormalDist(), own.sharpe
    luck = spread * ((1 - EULER) * normal.inv_cdf(1 - 1 / tried) + EULER * normal.inv_cdf(1 - 1 / (tried * math.e)))
    variance = 1 - own.skew * ratio + (own.kurtosis - 1) / 4 * ratio * ratio
    return normal.cdf((ratio - luck) * math.sqrt(own.sessions - 1) / math.sqrt(variance)) if variance > 0 else None
