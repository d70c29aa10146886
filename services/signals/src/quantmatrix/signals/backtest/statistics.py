"""Figures of an equity curve and of trades. Statistics only: floats, and None where a figure has no meaning.

A year has 252 sessions. Returns are simple returns from close to close, the first one from the opening capital.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quantmatrix.common.statistics import SESSIONS_PER_YEAR, falls_of, longest_below, ratios_of, returns_of


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


def curve_figures(opening: float, equity: Sequence[float]) -> CurveFigures:
    """All figures of one equity curve with at least one point."""
    returns, drawdowns = returns_of(opening, equity), falls_of(opening, equity)
    growth, largest = equity[-1] / opening, min(drawdowns)
    cagr = growth ** (SESSIONS_PER_YEAR / len(equity)) - 1.0 if growth > 0 else None
    ratios = ratios_of(returns)
    return CurveFigures(
        total_return=growth - 1.0,
        cagr=cagr,
        volatility=ratios.volatility,
        sharpe=ratios.sharpe,
        sortino=ratios.sortino,
        calmar=cagr / -largest if largest < 0 and cagr is not None else None,
        max_drawdown=largest,
        max_drawdown_sessions=longest_below(drawdowns),
        best_session=max(returns),
        worst_session=min(returns),
    )


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
