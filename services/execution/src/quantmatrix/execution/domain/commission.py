"""Commission of US stocks as Interactive Brokers charges it ("IBKR Pro Fixed"): per share, with a minimum and a maximum."""

from dataclasses import dataclass
from decimal import Decimal

from quantmatrix.common.values import Money, round_half_even


@dataclass(frozen=True, slots=True)
class CommissionSchedule:
    """per_unit and minimum in the instrument's currency; maximum_pct of the trade's value. Counted per order."""

    per_unit: Decimal
    minimum: Decimal
    maximum_pct: Decimal

    def of_order(self, quantity: Decimal, value: Money) -> Money:
        """What an order filled so far costs in all. The maximum wins over the minimum."""
        raw = max(quantity * self.per_unit, self.minimum)
        return Money(round_half_even(min(raw, abs(value.amount) * self.maximum_pct / 100)), value.currency)

    def of_fill(self, before: Money, quantity_so_far: Decimal, value_so_far: Money) -> Money:
        """What one more fill adds to what was charged before."""
        return self.of_order(quantity_so_far, value_so_far) - before
