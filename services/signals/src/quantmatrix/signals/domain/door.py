"""The one door from statistics to money: a level of the adjusted series becomes a price of today, on a tick."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from quantmatrix.common.values import Money, Price, Quantity

_NANO = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Door:
    """What one instrument needs to turn figures into prices and quantities.

    factor: how many of today's units one unit of the series' start has become by splits; the series shows
    price × factor, so a level is divided by it.
    """

    tick_size: Price
    lot_size: Quantity
    multiplier: Quantity
    factor: float

    def price(self, level: float) -> Price:
        """The tick nearest to a level of the adjusted series."""
        return Price.on_tick(Decimal(repr(level / self.factor)).quantize(_NANO), self.tick_size)

    def lots(self, capital: Money, unit_cost: Price) -> Quantity:
        """How many whole lots `capital` covers at `unit_cost` each; zero when it covers none."""
        if unit_cost.value <= 0 or capital.amount <= 0:
            return Quantity(0)
        units = capital.amount / (unit_cost.value * self.multiplier.value)
        return Quantity.in_lots(units.quantize(_NANO, rounding=ROUND_FLOOR), self.lot_size)
