"""Sizes by confidence: a fair share of a portfolio that keeps a floor of cash, and the factor of bots."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.door import Door

DEPLOYABLE, CAP = Decimal("0.80"), Decimal("0.35")
FACTOR_LEAST, FACTOR_MOST = 0.3, 2.0


class Trending(StrEnum):
    """How a market moves, for sizes and thresholds of bots."""

    STRONG_TRENDING = "STRONG_TRENDING"
    TRENDING = "TRENDING"
    RANGING = "RANGING"
    CHOPPY = "CHOPPY"


REGIME_FACTOR = {Trending.STRONG_TRENDING: 1.5, Trending.TRENDING: 1.2, Trending.RANGING: 0.8, Trending.CHOPPY: 0.5}


def fair_share(capital: Money, positions: int, confidence: float, agreement: float) -> Money:
    """Portfolio-aware size: 80 % of the capital in equal parts, weighted 0.7 to 1.3 by confidence and agreement, at most 35 %.

    weight = 0.5 + 2 × (confidence - 0.85) + 0.3 × agreement. Raises ValueError for figures outside of 0 to 1.
    """
    if positions < 1 or not 0 <= confidence <= 1 or not 0 <= agreement <= 1:
        raise ValueError(f"positions from 1, confidence and agreement between 0 and 1, got {positions}, {confidence}, {agreement}")
    raw = Decimal("0.5") + 2 * (Decimal(str(confidence)) - Decimal("0.85")) + Decimal("0.3") * Decimal(str(agreement))
    weight = min(max(raw, Decimal("0.7")), Decimal("1.3"))
    return min(capital.times(DEPLOYABLE * weight / positions), capital.times(CAP)).rounded(2)


def size_factor(regime: Trending | None, daily_volatility_pct: float, confidence: float) -> float:
    """A bot's size factor: regime × volatility × confidence, between 0.3 and 2. The volatility is percent, not a fraction; a regime
    that nobody has named weighs 1.
    """
    calm = next((factor for limit, factor in ((1.0, 1.2), (3.0, 1.0), (5.0, 0.8)) if daily_volatility_pct < limit), 0.6)
    sure = next((factor for limit, factor in ((0.8, 1.1), (0.6, 1.0), (0.4, 0.8)) if confidence >= limit), 0.6)
    named = 1.0 if regime is None else REGIME_FACTOR[regime]
    return min(max(named * calm * sure, FACTOR_LEAST), FACTOR_MOST)


@dataclass(frozen=True, slots=True)
class Sizing:
    """How much a purchase is: fixed units, or a share of the equity (0.2 is a fifth) at the close of the decision."""

    units: int | None
    share: Decimal

    def of(self, equity: Money, close: Price, door: Door) -> Quantity:
        """The quantity in whole lots; zero when it comes to none."""
        if self.units is not None:
            return Quantity(self.units).floored_to(door.lot_size)
        return door.lots(equity.times(self.share), close)
