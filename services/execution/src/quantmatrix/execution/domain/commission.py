"""Commission as Interactive Brokers charges it ("IBKR Pro Fixed"): per share or contract, with a minimum and a maximum."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

from quantmatrix.common.options import is_option
from quantmatrix.common.values import Money, Price, Quantity, notional, round_half_even

_EXACT = Context(prec=64, rounding=ROUND_FLOOR)


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


@dataclass(frozen=True, slots=True)
class Tariff:
    """What an account pays for its orders: one schedule for options, another one for everything else."""

    others: CommissionSchedule
    options: CommissionSchedule

    def schedule(self, symbol: str) -> CommissionSchedule:
        """What holds for an instrument."""
        return self.options if is_option(symbol) else self.others

    def needed(self, symbol: str, quantity: Quantity, value: Money) -> Money:
        """What a purchase takes, commission included; a fill at a lower price, or of a part, takes no more."""
        return value + self.schedule(symbol).of_order(quantity.value, value)


def affordable(schedule: CommissionSchedule, cash: Money, price: Price, wanted: Quantity, multiplier: Quantity) -> Quantity:
    """As much of a purchase as the cash pays at this price, commission included: in whole units, or for a wish of parts of a unit in
    steps of its last digit. As in a backtest the commission of what was wanted is left for the rest of it. What costs nothing is paid
    by no cash too.
    """
    step, quantity, cash = _step(wanted), wanted, max(cash, Money.zero(cash.currency))
    while quantity:
        value = notional(price, quantity, multiplier, cash.currency)
        fee = schedule.of_order(quantity.value, value)
        if value + fee <= cash:
            return quantity
        with localcontext(_EXACT):
            fits = (cash - fee).amount / (price.value * multiplier.value)
        quantity = max(min(Quantity.in_lots(fits, step), quantity - step), Quantity(0))
    return quantity


def _step(quantity: Quantity) -> Quantity:
    """One unit, or one of the last digit that a quantity has after the point."""
    digits = int(quantity.value.normalize().as_tuple().exponent)
    return Quantity(Decimal(1).scaleb(min(digits, 0)))
