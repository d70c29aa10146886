"""The fifth ATR method: what a whole portfolio may move in a day, gross and with its correlations, and what its stops risk."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from quantmatrix.signals.domain.volatility import Status

RETURNS, RETURNS_MIN = 60, 40


@dataclass(frozen=True, slots=True)
class Exposed:
    """One position as statistics. quantity is negative when short; atr, price and stop in the instrument's currency, fx into the account's."""

    symbol: str
    quantity: float
    atr: float
    price: float
    multiplier: float = 1.0
    fx: float = 1.0
    stop: float | None = None


@dataclass(frozen=True, slots=True)
class PortfolioAtr:
    """Amounts in the account's currency, percentages of its value. diversified is None where a correlation is missing.

    heat: what is lost when every stop that exists is hit at its price.
    """

    status: Status
    gross: float
    gross_pct: float
    diversified: float | None
    diversified_pct: float | None
    heat: float
    without_correlation: tuple[tuple[str, str], ...] = ()


def portfolio_atr(positions: Sequence[Exposed], net_value: float, correlations: Mapping[tuple[str, str], float]) -> PortfolioAtr:
    """Gross and diversified daily movement. correlations by pair of symbols, in either order; a symbol with itself is 1."""
    if net_value <= 0:
        raise ValueError(f"a portfolio's value is above zero, got {net_value:g}")
    moves = [math.copysign(1.0, one.quantity) * abs(one.quantity) * one.multiplier * one.atr * one.fx for one in positions]
    gross = sum(abs(move) for move in moves)
    heat = sum(max(0.0, (one.price - one.stop) * one.quantity * one.multiplier * one.fx) for one in positions if one.stop is not None)
    total, missing = 0.0, []
    for left, move in zip(positions, moves, strict=True):
        for right, other in zip(positions, moves, strict=True):
            known = 1.0 if left.symbol == right.symbol else correlations.get((left.symbol, right.symbol))
            known = correlations.get((right.symbol, left.symbol)) if known is None else known
            if known is None:
                missing.append((left.symbol, right.symbol))
            else:
                total += move * other * known
    pairs = tuple(sorted({(min(pair), max(pair)) for pair in missing}))
    diversified = None if pairs else math.sqrt(max(0.0, total))
    return PortfolioAtr(
        status="insufficient_data" if pairs else "ok",
        gross=gross,
        gross_pct=100.0 * gross / net_value,
        diversified=diversified,
        diversified_pct=100.0 * diversified / net_value if diversified is not None else None,
        heat=heat,
        without_correlation=pairs,
    )


def correlation(left: pl.DataFrame, right: pl.DataFrame) -> float | None:
    """Correlation of the last 60 daily log returns of common sessions (columns session, close); None below 40 or without movement."""
    both = left.select("session", left="close").join(right.select("session", right="close"), on="session", how="inner").sort("session")
    returns = both.select(left=pl.col("left").log().diff(), right=pl.col("right").log().diff()).drop_nulls().tail(RETURNS)
    if returns.height < RETURNS_MIN:
        return None
    found = returns.select(pl.corr("left", "right")).item()
    return float(found) if found is not None and math.isfinite(found) else None
