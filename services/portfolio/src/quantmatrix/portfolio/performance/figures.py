"""Figures of a row of links: volatility, Sharpe ratio, drawdowns, months. Statistics only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.statistics import Year, falls_of, levels_of, ratios_of
from quantmatrix.common.statistics import monthly as months_of
from quantmatrix.portfolio.performance.returns import Link


@dataclass(frozen=True, slots=True)
class Risk:
    """Yearly figures of daily returns, with 252 sessions a year; None where they have no meaning.

    sharpe: mean over deviation, the riskless return taken as zero. sortino: mean over what lies below zero.
    """

    volatility: float | None
    sharpe: float | None
    sortino: float | None
    best: float | None
    worst: float | None
    up_share: float | None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak. depth is a fraction below zero; recovered_on is None while the peak has not been reached again.

    days: calendar days from the peak to the recovery, or to the last mark; sessions: marks below the peak.
    """

    depth: float
    peak_on: date
    trough_on: date
    recovered_on: date | None
    days: int
    sessions: int


def risk_of(links: Sequence[Link]) -> Risk:
    """Risk figures of the links that count."""
    returns = [link.factor - 1.0 for link in links if link.counted]
    if not returns:
        return Risk(None, None, None, None, None, None)
    ratios = ratios_of(returns)
    return Risk(
        volatility=ratios.volatility,
        sharpe=ratios.sharpe,
        sortino=ratios.sortino,
        best=max(returns),
        worst=min(returns),
        up_share=sum(1 for one in returns if one > 0) / len(returns),
    )


def index_of(links: Sequence[Link]) -> list[float]:
    """What one unit of money grew to, by link."""
    return levels_of(link.factor for link in links)


def drawdown_curve(links: Sequence[Link]) -> list[float]:
    """How far each mark lies below the highest before it, as a fraction of zero or less; flows play no part."""
    return falls_of(1.0, index_of(links))


def drawdowns(start: date, links: Sequence[Link]) -> list[Drawdown]:
    """Every fall from a peak, in the order of time; the last one may still go on."""
    found: list[Drawdown] = []
    peak_on, trough_on, depth, sessions = start, start, 0.0, 0
    last = start
    for link, below in zip(links, drawdown_curve(links), strict=True):
        last = link.on
        if below < 0:
            sessions += 1
            if below < depth:
                depth, trough_on = below, link.on
            continue
        if sessions:
            found.append(Drawdown(depth, peak_on, trough_on, link.on, (link.on - peak_on).days, sessions))
        peak_on, trough_on, depth, sessions = link.on, link.on, 0.0, 0
    if sessions:
        found.append(Drawdown(depth, peak_on, trough_on, None, (last - peak_on).days, sessions))
    return found


def deepest(falls: Sequence[Drawdown]) -> Drawdown | None:
    """The largest fall; of equal ones the first."""
    return min(falls, key=lambda one: one.depth, default=None)


def longest(falls: Sequence[Drawdown]) -> Drawdown | None:
    """The one that took most days; of equal ones the first."""
    return max(falls, key=lambda one: one.days, default=None)


def monthly(links: Sequence[Link]) -> list[Year]:
    """The links of each calendar month and year put together; all years linked give the whole return."""
    return months_of([link.on for link in links], [link.factor for link in links])
