"""What one holding brought, from flat to flat, at average cost: gross, net, with income, and as a share of what was put in.

Percentages belong to an episode: an old position that is closed says nothing about one that is opened later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from quantmatrix.common.values import Money, Price, Quantity, notional


@dataclass(frozen=True, slots=True)
class Dealt:
    """A trade: signed quantity, price, and what it cost."""

    on: date
    quantity: Quantity
    price: Price
    fee: Money


@dataclass(frozen=True, slots=True)
class Received:
    """A dividend or other income of the holding, after taxes."""

    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Resized:
    """A split: new units for old ones."""

    on: date
    new: int
    old: int


Step = Dealt | Received | Resized


@dataclass(frozen=True, slots=True)
class Episode:
    """One holding from its first trade until nothing was left, or until now.

    put_in: the value of everything that opened or enlarged it, without fees (above zero, for a short holding what was sold).
    investment: the average cost of what is held, without fees. gross: cash of its trades and the value of what is held,
    without fees; net: less fees; total: with income.
    """

    first: date
    quantity: Quantity
    put_in: Money
    investment: Money
    cash: Money
    fees: Money
    income: Money
    value: Money
    closed_on: date | None = None

    @property
    def gross(self) -> Money:
        return self.cash + self.value

    @property
    def net(self) -> Money:
        return self.gross - self.fees

    @property
    def total(self) -> Money:
        return self.net + self.income

    @property
    def average_price(self) -> Price | None:
        """The average cost of a unit held, rounded to 12 digits; None when nothing is held."""
        if not self.quantity:
            return None
        return Price(self.investment.share(Quantity(1), abs(self.quantity)).amount)

    def share_of_put_in(self, gain: Money) -> float | None:
        return float(gain.amount) / float(self.put_in.amount) if self.put_in else None


def episodes_of(steps: Sequence[Step], currency: str, price: Price | None = None, multiplier: Quantity | None = None) -> list[Episode]:
    """The episodes of one instrument, its steps in order of time. price: of one unit now, None when nothing is held.

    Quantities are those of their day; a split changes what is held and no amount. Income while nothing is held belongs
    to the episode before. Raises ValueError when something is held and there is no price.
    """
    size = multiplier or Quantity(1)
    found: list[Episode] = []
    for step in steps:
        match step:
            case Dealt():
                _deal(found, step, currency, size)
            case Received() if found:
                found[-1] = replace(found[-1], income=found[-1].income + step.amount)
            case Resized() if found:
                found[-1] = replace(found[-1], quantity=found[-1].quantity.scaled(step.new, step.old))
            case Received() | Resized():
                continue
    if found and found[-1].quantity:
        if price is None:
            raise ValueError(f"{found[-1].quantity} are held: what is one worth?")
        found[-1] = replace(found[-1], value=notional(price, found[-1].quantity, size, currency))
    return found


def _deal(found: list[Episode], dealt: Dealt, currency: str, size: Quantity) -> None:
    """A trade in the open episode, or in a new one; one that crosses zero is in both, its fee shared by quantity."""
    if not found or found[-1].closed_on is not None:
        nothing = Money.zero(currency)
        found.append(Episode(dealt.on, Quantity(0), nothing, nothing, nothing, nothing, nothing, nothing))
    one = found[-1]
    if one.quantity.value * dealt.quantity.value < 0 and abs(dealt.quantity) > abs(one.quantity):
        fee = dealt.fee.share(one.quantity, -dealt.quantity)
        rest = dealt.quantity + one.quantity
        _deal(found, replace(dealt, quantity=-one.quantity, fee=fee), currency, size)
        _deal(found, replace(dealt, quantity=rest, fee=dealt.fee - fee), currency, size)
        return
    value = notional(dealt.price, dealt.quantity, size, currency)
    quantity = one.quantity + dealt.quantity
    if one.quantity.value * dealt.quantity.value >= 0:
        put_in, investment = one.put_in + abs(value), one.investment + abs(value)
    else:
        put_in, investment = one.put_in, one.investment - one.investment.share(abs(dealt.quantity), abs(one.quantity))
    found[-1] = replace(
        one,
        quantity=quantity,
        put_in=put_in,
        investment=investment,
        cash=one.cash - value,
        fees=one.fees + dealt.fee,
        closed_on=None if quantity else dealt.on,
    )
