"""How much of a result may be luck: the order of its trades drawn anew, and a Sharpe ratio deflated by how many were tried."""

import hashlib
import math
import statistics as figures
from collections.abc import Sequence
from dataclasses import dataclass

EULER = 0.5772156649015329
RUNS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures over many orders of the same trades: the 5th, 50th and 95th percentile. Fractions of the opening capital."""

    runs: int
    final: tuple[float, float, float]
    drawdown: tuple[float, float, float]
    ruined: float


def redrawn(profits: Sequence[float], opening: float, *, runs: int, seed: int, ruin_at: float = 0.5) -> Spread:
    """Draw the trades with replacement `runs` times, as many each time as there were; drawdowns are from trade to trade.

    ruined: the share of runs that fell to `ruin_at` of the opening capital or below. The same seed gives the same figures.
    Raises ValueError without trades or with an unreasonable number of runs.
    """
    if not profits or not 1 <= runs <= RUNS_MAX:
        raise ValueError(f"at least one trade and 1 to {RUNS_MAX} runs, got {len(profits)} trades and {runs} runs")
    finals, falls, ruined = [], [], 0
    for run in range(runs):
        equity = peak = lowest = opening
        fall = 0.0
        for place in _places(seed, run, len(profits)):
            equity += profits[place]
            peak, lowest = max(peak, equity), min(lowest, equity)
            fall = min(fall, equity / peak - 1.0)
        finals.append(equity / opening - 1.0)
        falls.append(fall)
        ruined += lowest <= ruin_at * opening
    return Spread(runs, _percentiles(finals), _percentiles(falls), ruined / runs)


def _places(seed: int, run: int, count: int) -> list[int]:
    """As many places below `count` as there are, by a hash of seed and run: the same on every machine and version."""
    drawn = hashlib.shake_256(f"{seed}/{run}".encode()).digest(8 * count)
    return [int.from_bytes(drawn[8 * at : 8 * at + 8], "big") % count for at in range(count)]


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 5th, 50th and 95th, by nearest rank."""
    ordered = sorted(values)
    low, middle, high = (ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.05, 0.50, 0.95))
    return low, middle, high


def deflated_sharpe(returns: Sequence[float], tried: Sequence[float]) -> float | None:
    """The probability that a Sharpe ratio beats what the best of so many would show by luck alone; see `deflated`.

    returns: of the chosen run, session by session; tried: the Sharpe ratios of all runs, per session, the chosen one among
    them. None where the returns do not move or fewer than two were tried.
    """
    if len(returns) < 3 or len(tried) < 2:
        return None
    deviation = figures.pstdev(returns)
    if not deviation:
        return None
    mean = figures.fmean(returns)
    skew = figures.fmean([((one - mean) / deviation) ** 3 for one in returns])
    kurtosis = figures.fmean([((one - mean) / deviation) ** 4 for one in returns])
    return deflated(mean / deviation, skew, kurtosis, len(returns), figures.stdev(tried), len(tried))


def deflated(sharpe: float, skew: float, kurtosis: float, sessions: int, spread: float, tried: int) -> float | None:
    """The deflated Sharpe ratio (Bailey and López de Prado, The Deflated Sharpe Ratio, 2014). All ratios are per session.

    spread: the standard deviation of the ratios that were tried. None where the moments contradict each other.
    """
    normal = figures.NormalDist()
    luck = spread * ((1 - EULER) * normal.inv_cdf(1 - 1 / tried) + EULER * normal.inv_cdf(1 - 1 / (tried * math.e)))
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe * sharpe
    return normal.cdf((sharpe - luck) * math.sqrt(sessions - 1) / math.sqrt(variance)) if variance > 0 else None
