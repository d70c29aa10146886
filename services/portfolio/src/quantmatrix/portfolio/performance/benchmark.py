"""An account beside a benchmark: the same days of both, nothing filled in."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.statistics import SESSIONS_PER_YEAR
from quantmatrix.portfolio.performance.returns import Link


@dataclass(frozen=True, slots=True)
class Comparison:
    """Over the days that both have. excess: own return less the benchmark's. None where a figure has no meaning.

    tracking_error and information_ratio are yearly (252 sessions); alpha is yearly, the riskless return taken as zero.
    """

    first: date
    last: date
    sessions: int
    own: float
    benchmark: float
    beta: float | None
    alpha: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None

    @property
    def excess(self) -> float:
        return self.own - self.benchmark


def compared(start: date, links: Sequence[Link], closes: Mapping[date, float]) -> Comparison | None:
    """Compare links with the benchmark's closes; None with fewer than two days that both have.

    start: the day at whose end the links begin. closes: above zero, adjusted for splits. Where the benchmark has no close on
    the start day, or the first link is of that very day, the comparison starts with the first mark that has a close. Links
    between two common days are put together.
    """
    own: list[float] = []
    theirs: list[float] = []
    days: list[date] = []
    before, growth = closes.get(start) if links and links[0].on > start else None, 1.0
    if before is not None:
        days.append(start)
    for link in links:
        growth *= link.factor
        close = closes.get(link.on)
        if close is None:
            continue
        if before is not None:
            own.append(growth - 1.0)
            theirs.append(close / before - 1.0)
        days.append(link.on)
        before, growth = close, 1.0
    if not own:
        return None
    return _figures(days, own, theirs)


def _figures(days: Sequence[date], own: Sequence[float], theirs: Sequence[float]) -> Comparison:
    beta = alpha = correlation = error = ratio = None
    if len(own) > 1:
        differences = [mine - other for mine, other in zip(own, theirs, strict=True)]
        spread, mine_spread = statistics.stdev(theirs), statistics.stdev(own)
        deviation = statistics.stdev(differences)
        if spread:
            beta = statistics.covariance(own, theirs) / spread**2
            alpha = (statistics.fmean(own) - beta * statistics.fmean(theirs)) * SESSIONS_PER_YEAR
        if spread and mine_spread:
            correlation = max(-1.0, min(1.0, statistics.covariance(own, theirs) / (spread * mine_spread)))
        if deviation:
            error = deviation * math.sqrt(SESSIONS_PER_YEAR)
            ratio = statistics.fmean(differences) / deviation * math.sqrt(SESSIONS_PER_YEAR)
    return Comparison(
        first=days[0],
        last=days[-1],
        sessions=len(own),
        own=math.prod(1.0 + one for one in own) - 1.0,
        benchmark=math.prod(1.0 + one for one in theirs) - 1.0,
        beta=beta,
        alpha=alpha,
        correlation=correlation,
        tracking_error=error,
        information_ratio=ratio,
    )
