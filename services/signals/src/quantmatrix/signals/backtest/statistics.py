"""Figures of an equity curve and of trades. Statistics only: floats, and None where a figure has no meaning.

A year has 252 sessions. Returns are simple returns from close to close, the first one from the opening capital.
"""

import math
import statistics as figures
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

SESSIONS_PER_YEAR = 252


@dataclass(frozen=True, slots=True)
class CurveFigures:
    """Fractions, not percent; lengths in sessions. sortino measures below zero, calmar is cagr over the largest drawdown."""

    total_return: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_sessions: int
    best_session: float
    worst_session: float


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


def returns_of(opening: float, equity: Sequence[float]) -> list[float]:
    """Simple returns, the first from the opening capital."""
    return [after / before - 1.0 for before, after in zip([opening, *equity], equity, strict=False)]


def drawdowns_of(opening: float, equity: Sequence[float]) -> list[float]:
    """How far each point lies below the highest before it, as a fraction of zero or less."""
    peak, found = opening, []
    for value in equity:
        peak = max(peak, value)
        found.append(value / peak - 1.0)
    return found


def curve_figures(opening: float, equity: Sequence[float]) -> CurveFigures:
    """All figures of one equity curve with at least one point."""
    returns, drawdowns = returns_of(opening, equity), drawdowns_of(opening, equity)
    growth, largest = equity[-1] / opening, min(drawdowns)
    cagr = growth ** (SESSIONS_PER_YEAR / len(equity)) - 1.0 if growth > 0 else None
    deviation = figures.stdev(returns) if len(returns) > 1 else 0.0
    below = math.sqrt(sum(min(one, 0.0) ** 2 for one in returns) / len(returns))
    mean, root = figures.fmean(returns), math.sqrt(SESSIONS_PER_YEAR)
    return CurveFigures(
        total_return=growth - 1.0,
        cagr=cagr,
        volatility=deviation * root if deviation else None,
        sharpe=mean / deviation * root if deviation else None,
        sortino=mean / below * root if below else None,
        calmar=cagr / -largest if largest < 0 and cagr is not None else None,
        max_drawdown=largest,
        max_drawdown_sessions=longest_below(drawdowns),
        best_session=max(returns),
        worst_session=min(returns),
    )


def longest_below(drawdowns: Sequence[float]) -> int:
    """The most sessions in a row spent below an earlier peak."""
    longest = current = 0
    for value in drawdowns:
        current = current + 1 if value < 0 else 0
        longest = max(longest, current)
    return longest


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


def monthly(opening: float, sessions: Sequence[date], equity: Sequence[float]) -> dict[int, list[float | None]]:
    """Returns by year and calendar month, from the last equity of the month before; None for months without sessions."""
    table: dict[int, list[float | None]] = {}
    before, last = opening, opening
    month = (sessions[0].year, sessions[0].month) if sessions else (0, 0)
    for session, value in zip(sessions, equity, strict=True):
        now = (session.year, session.month)
        if now != month:
            before, month = last, now
        table.setdefault(session.year, [None] * 12)[session.month - 1] = value / before - 1.0
        last = value
    return table
