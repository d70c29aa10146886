"""Figures of returns and curves: ratios, falls, months. Floats, fractions, and None where a figure has no meaning.

A year has 252 sessions and the riskless return is taken as zero. Rows may be any sequence of floats. Money never comes in here.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

SESSIONS_PER_YEAR = 252
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Ratios:
    """Yearly figures of returns by session. sharpe: mean over deviation (n - 1); sortino: mean over what lies below zero (n)."""

    volatility: float | None
    sharpe: float | None
    sortino: float | None


@dataclass(frozen=True, slots=True)
class Year:
    """Returns of a year and of its months, January first; None for months without a session."""

    year: int
    months: tuple[float | None, ...]
    total: float


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """Of closed trades. profit_factor: won over lost money; expectancy: money per trade."""

    trades: int
    won: int
    lost: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    best: float | None
    worst: float | None
    sessions_held: float | None


def returns_of(opening: float, levels: Sequence[float]) -> list[float]:
    """Simple returns from level to level, the first from the opening level."""
    return [after / before - 1.0 for before, after in zip([opening, *levels], levels, strict=False)]


def levels_of(factors: Iterable[float]) -> list[float]:
    """What one unit of money grew to, factor by factor."""
    level, found = 1.0, []
    for factor in factors:
        level *= factor
        found.append(level)
    return found


def ratios_of(returns: Sequence[float]) -> Ratios:
    """Volatility, Sharpe (1994) and Sortino (target zero) ratio; one return alone has no deviation."""
    if not returns:
        return Ratios(None, None, None)
    mean, root = statistics.fmean(returns), math.sqrt(SESSIONS_PER_YEAR)
    deviation = statistics.stdev(returns) if len(returns) > 1 else 0.0
    below = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in returns) / len(returns))
    return Ratios(
        volatility=deviation * root if deviation else None,
        sharpe=mean / deviation * root if deviation else None,
        sortino=mean / below * root if below else None,
    )


def falls_of(opening: float, levels: Iterable[float]) -> list[float]:
    """The drawdown curve: how far each level lies below the highest before it, as a fraction of zero or less."""
    peak, found = opening, []
    for level in levels:
        peak = max(peak, level)
        found.append(level / peak - 1.0 if peak > 0 else 0.0)
    return found


def longest_below(falls: Iterable[float]) -> int:
    """The most sessions in a row that were spent below an earlier peak."""
    longest = current = 0
    for fall in falls:
        current = current + 1 if fall < 0 else 0
        longest = max(longest, current)
    return longest


def monthly(days: Iterable[date], factors: Iterable[float]) -> list[Year]:
    """The factors of each calendar month and year put together, in the order of the years; all years linked give the whole return.

    Raises ValueError when there are not as many days as factors.
    """
    by_year: dict[int, list[float | None]] = {}
    totals: dict[int, float] = {}
    for day, factor in zip(days, factors, strict=True):
        months = by_year.setdefault(day.year, [None] * MONTHS)
        so_far = months[day.month - 1]
        months[day.month - 1] = factor if so_far is None else so_far * factor
        totals[day.year] = totals.get(day.year, 1.0) * factor
    return [
        Year(year, tuple(None if one is None else one - 1.0 for one in months), totals[year] - 1.0)
        for year, months in sorted(by_year.items())
    ]


def trade_figures(profits: Sequence[float], held: Sequence[int]) -> TradeFigures:
    """Figures of closed trades by their profit after costs and the sessions they were held."""
    wins = [one for one in profits if one > 0]
    losses = [one for one in profits if one < 0]
    count, lost = len(profits), -sum(losses)
    return TradeFigures(
        trades=count,
        won=len(wins),
        lost=len(losses),
        win_rate=len(wins) / count if count else None,
        profit_factor=sum(wins) / lost if lost else None,
        expectancy=sum(profits) / count if count else None,
        average_win=sum(wins) / len(wins) if wins else None,
        average_loss=-lost / len(losses) if losses else None,
        best=max(profits, default=None),
        worst=min(profits, default=None),
        sessions_held=sum(held) / count if count else None,
    )
