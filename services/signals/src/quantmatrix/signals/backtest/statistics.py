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
