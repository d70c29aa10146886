"""Gains in another currency: each leg at its own date's rate, and what of a result is price and what is currency."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.lots import Closing


class MissingRateError(LookupError):
    """No rate is known for a currency on a day. Another day's rate is never taken silently."""

    def __init__(self, currency: str, into: str, day: date) -> None:
        super().__init__(f"no rate of {currency} in {into} is known for {day}")


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit of a currency is worth in `into`, by day, as the chosen source publishes it."""

    into: str
    by_day: Mapping[tuple[str, date], Decimal]

    def converted(self, amount: Money, day: date) -> Money:
        """The amount at the rate of a day. Raises MissingRateError."""
        if amount.currency == self.into:
            return amount
        rate = self.by_day.get((amount.currency, day))
        if rate is None:
            raise MissingRateError(amount.currency, self.into, day)
        return Money(amount.times(rate).amount, self.into)


@dataclass(frozen=True, slots=True)
class Effects:
    """A result in the base currency, divided: price at today's rate, and the change of the rate on what was paid."""

    price: Money
    currency: Money

    @property
    def total(self) -> Money:
        return self.price + self.currency


def taxed(closing: Closing, rates: Rates) -> Money:
    """The gain for tax: proceeds at the closing's rate less basis at the rate of the day it was acquired.

    Raises UnknownBasisError while pending, MissingRateError without a rate.
    """
    proceeds = rates.converted(closing.known_proceeds, closing.closed_on)
    return proceeds - rates.converted(closing.known_basis, closing.opened_on)


def effects(cost: Money, value: Money, acquired_on: date, valued_on: date, rates: Rates) -> Effects:
    """Price and currency effect of something that cost `cost` and is worth (or brought) `value`; they sum to the total exactly."""
    price = rates.converted(value - cost, valued_on)
    total = rates.converted(value, valued_on) - rates.converted(cost, acquired_on)
    return Effects(price, total - price)


def at_one_rate(gain: Money, day: date, rates: Rates) -> Money:
    """A gain at the rate of one day, as brokers print it in summaries: not the figure for tax."""
    return rates.converted(gain, day)


def cash_by_currency(movements: Iterable[Money]) -> dict[str, Money]:
    """Cash is kept per currency; nothing is converted by being added."""
    sums: dict[str, Money] = {}
    for amount in movements:
        sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
    return sums
