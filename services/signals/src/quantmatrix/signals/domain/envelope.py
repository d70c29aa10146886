"""The capital of a run: what it may deploy, what was put aside, and when a cycle of profit is complete.

"20 % profit, 80 % reinvest": when the realised equity reaches base × 1.20 a cycle ends; of the profit 80 % joins the base,
the rest goes to the reserve and is never deployed again. Losses lower the equity only: no sweep happens below the base.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from quantmatrix.common.values import Money

CENTS = 2


@dataclass(frozen=True, slots=True)
class Envelope:
    """base: what the run may deploy; reserve: profit put aside; cycle: how many are complete."""

    base: Money
    reserve: Money
    cycle: int = 0

    def trigger(self, profit_target: Decimal) -> Money:
        """The realised equity at which the running cycle is complete; profit_target 0.20 is 20 %."""
        return self.base.times(1 + profit_target).rounded(CENTS)


@dataclass(frozen=True, slots=True)
class CycleCompleted:
    """What is booked at the end of a cycle; its number makes the booking happen once."""

    cycle: int
    profit: Money
    reinvested: Money
    reserved: Money
    after: Envelope


def complete_cycle(envelope: Envelope, realised_equity: Money, profit_target: Decimal, reinvest: Decimal) -> CycleCompleted | None:
    """End the cycle if its target is reached; None otherwise. The remainder of rounding goes to the reserve.

    Raises ValueError when the target is not above zero or the reinvested part is not between 0 and 1.
    """
    if profit_target <= 0 or not 0 <= reinvest <= 1:
        raise ValueError(f"a profit target is above zero and a reinvested part between 0 and 1, got {profit_target} and {reinvest}")
    if realised_equity < envelope.trigger(profit_target):
        return None
    profit = realised_equity - envelope.base
    reinvested = profit.times(reinvest).rounded(CENTS)
    reserved = profit - reinvested
    after = replace(envelope, base=envelope.base + reinvested, reserve=envelope.reserve + reserved, cycle=envelope.cycle + 1)
    return CycleCompleted(after.cycle, profit, reinvested, reserved, after)
