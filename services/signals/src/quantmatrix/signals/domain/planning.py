"""Decisions in whole numbers, before any word of them is made: what a strategy wants, and the door between its figures and money.

Quantities and money are in 10^-12, so that everything exact fits: a backtest of many instruments makes tens of thousands of them.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Quantity
from quantmatrix.signals.domain.decisions import Situation
from quantmatrix.signals.domain.door import Door

PICO: int = 10**FRACTION_DIGITS_MAX
_NANO_DIGITS = 9
_NANO: int = 10**_NANO_DIGITS


class Plan(NamedTuple):
    """What to do, or to tell where there is no side. level, stop_level: as in a decision; a sale at its stop tells that stop."""

    kind: SignalKind
    side: Side | None
    quantity: int
    strength: float
    level: int | None = None
    stop_level: float | None = None


class Standing(NamedTuple):
    """What a plan may depend on besides the bar's columns: see `Holding` and `Situation`."""

    quantity: int
    initial: int
    stop_level: float | None
    levels_done: frozenset[int]
    equity: int
    close: int


@dataclass(frozen=True, slots=True)
class WholeDoor:
    """The same as a `Door`, from and to whole numbers."""

    tick_size: int
    lot_size: int
    multiplier: int
    factor: float

    @classmethod
    def of(cls, door: Door) -> "WholeDoor":
        return cls(pico(door.tick_size.value), pico(door.lot_size.value), pico(door.multiplier.value), door.factor)

    def price(self, level: float) -> int:
        """The tick nearest to a level of the adjusted series."""
        nano = int(Decimal(repr(level / self.factor)).scaleb(_NANO_DIGITS).to_integral_value())
        return rounded_division(nano * (PICO // _NANO), self.tick_size) * self.tick_size

    def lots(self, capital: int, unit_cost: int) -> int:
        """How many whole lots `capital` covers at `unit_cost` each; zero when it covers none."""
        if unit_cost <= 0 or capital <= 0:
            return 0
        nano = capital * PICO * _NANO // (unit_cost * self.multiplier)
        return nano * (PICO // _NANO) // self.lot_size * self.lot_size


def standing_of(situation: Situation) -> Standing:
    """A situation in whole numbers."""
    holding = situation.holding
    return Standing(
        quantity=pico(holding.quantity.value),
        initial=pico(holding.initial.value),
        stop_level=holding.stop_level,
        levels_done=holding.levels_done,
        equity=pico(situation.equity.amount),
        close=pico(situation.close.value),
    )


def pico(value: Decimal) -> int:
    """A number in 10^-12."""
    return int(value.scaleb(FRACTION_DIGITS_MAX))


def exact(units: int, digits: int) -> Decimal:
    """A whole number of 10^-digits."""
    return Decimal(units).scaleb(-digits)


def written(units: int, digits: int) -> str:
    """The same as `plain` writes it, of zero or more."""
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}}".rstrip("0") if rest else str(whole)


def quantity_of(units: int) -> Quantity:
    """A quantity that is told in 10^-12."""
    whole, rest = divmod(units, PICO)
    return Quantity(exact(units, FRACTION_DIGITS_MAX) if rest else whole)


def rounded_division(amount: int, by: int) -> int:
    """A quotient rounded to the nearest whole number, ties to even. `by` is above zero."""
    quotient, rest = divmod(amount, by)
    return quotient + (2 * rest > by or (2 * rest == by and quotient % 2 == 1))
