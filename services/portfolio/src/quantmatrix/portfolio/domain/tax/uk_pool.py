"""The United Kingdom's share matching: same day, the thirty days after, then one pool at average cost (TCGA 1992 s104-106A, HS284)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.arrivals import NotEnoughHeldError

BED_AND_BREAKFAST_DAYS = 30


class Matched(StrEnum):
    """With which acquisitions a disposal is identified."""

    SAME_DAY = "same day"
    THIRTY_DAYS = "thirty days"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class Acquired:
    """Units that came, and their whole cost with fees."""

    on: date
    quantity: Quantity
    cost: Money


@dataclass(frozen=True, slots=True)
class Sold:
    """Units that went. costs: of the disposal, allowed beside the cost of the units. no_gain: to a spouse, at what they cost."""

    on: date
    quantity: Quantity
    proceeds: Money
    costs: Money
    no_gain: bool = False


@dataclass(frozen=True, slots=True)
class Reorganised:
    """numerator units for denominator old ones, before the trades of the day."""

    on: date
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """An amount that raises the pool's cost (excess reported income) or lowers it (capital returned), before the day's trades."""

    on: date
    amount: Money


Fact = Acquired | Sold | Reorganised | PoolChanged


@dataclass(frozen=True, slots=True)
class Match:
    """A part of a disposal, in the units of its day."""

    rule: Matched
    quantity: Quantity
    cost: Money
    acquired_on: date | None = None


@dataclass(frozen=True, slots=True)
class Disposal:
    """All that was disposed of on one day counts as one disposal."""

    on: date
    quantity: Quantity
    proceeds: Money
    costs: Money
    matches: tuple[Match, ...]

    @property
    def allowable(self) -> Money:
        """Costs of the disposal and of the units."""
        total = self.costs
        for match in self.matches:
            total += match.cost
        return total

    @property
    def gain(self) -> Money:
        return self.proceeds - self.allowable


@dataclass(frozen=True, slots=True)
class Pool:
    """What is left: units of today and their cost."""

    quantity: Quantity
    cost: Money


def matched(instrument_id: InstrumentId, currency: str, facts: Iterable[Fact]) -> tuple[list[Disposal], Pool]:
    """The disposals of one security by date, over all of a person's accounts, and the pool that is left.

    Raises NotEnoughHeldError when more is disposed of than the pool and later acquisitions hold; short sales are not covered.
    """
    by_day = sorted(facts, key=lambda one: one.on)
    changes = [one for one in by_day if isinstance(one, Reorganised)]
    days = _days(by_day, currency, changes)
    _match_days(days)
    return _through_pool(instrument_id, currency, days, by_day)


@dataclass(slots=True)
class _Day:
    """What came and went on one day, in today's units, and what is not matched of it yet."""

    on: date
    factor: Fraction
    bought: Quantity
    cost: Money
    sold: Quantity
    proceeds: Money
    costs: Money
    given: Quantity
    matches: list[Match] = field(default_factory=list)

    def take_bought(self, quantity: Quantity) -> Money:
        """Cost of units bought on this day, which then are gone."""
        cost = self.cost.share(quantity, self.bought)
        self.bought, self.cost = self.bought - quantity, self.cost - cost
        return cost

    def match(self, rule: Matched, quantity: Quantity, cost: Money, acquired_on: date | None = None) -> None:
        then = quantity.scaled(self.factor.denominator, self.factor.numerator)
        self.matches.append(Match(rule, then, cost, acquired_on))
        self.sold -= quantity


def _days(facts: Sequence[Fact], currency: str, changes: Sequence[Reorganised]) -> dict[date, _Day]:
    zero = Money.zero(currency)
    days: dict[date, _Day] = {}
    for one in facts:
        if isinstance(one, Reorganised | PoolChanged):
            continue
        if one.on not in days:
            days[one.on] = _Day(one.on, _factor(one.on, changes), Quantity(0), zero, Quantity(0), zero, zero, Quantity(0))
        day = days[one.on]
        units = one.quantity.scaled(day.factor.numerator, day.factor.denominator)
        if isinstance(one, Acquired):
            day.bought, day.cost = day.bought + units, day.cost + one.cost
        else:
            day.sold, day.costs = day.sold + units, day.costs + one.costs
            day.proceeds += one.proceeds
            day.given += units if one.no_gain else Quantity(0)
    return days


def _match_days(days: dict[date, _Day]) -> None:
    """Same day first, everywhere; then earlier disposals with earlier acquisitions of the following thirty days."""
    ordered = [days[day] for day in sorted(days)]
    for day in ordered:
        units = min(day.sold, day.bought)
        if units:
            day.match(Matched.SAME_DAY, units, day.take_bought(units), day.on)
    for place, day in enumerate(ordered):
        for later in ordered[place + 1 :]:
            if (later.on - day.on).days > BED_AND_BREAKFAST_DAYS or not day.sold:
                break
            units = min(day.sold, later.bought)
            if units:
                day.match(Matched.THIRTY_DAYS, units, later.take_bought(units), later.on)


def _through_pool(instrument_id: InstrumentId, currency: str, days: dict[date, _Day], facts: Sequence[Fact]) -> tuple[list[Disposal], Pool]:
    pool = Pool(Quantity(0), Money.zero(currency))
    found = []
    changes = [one for one in facts if isinstance(one, PoolChanged)]
    for on in sorted({*days, *(one.on for one in changes)}):
        for change in changes:
            if change.on == on:
                pool = replace(pool, cost=pool.cost + change.amount)
        day = days.get(on)
        if day is None:
            continue
        was_sold = bool(day.sold or day.matches)
        if day.sold:
            if day.sold > pool.quantity:
                raise NotEnoughHeldError(pool.quantity, day.sold, instrument_id)
            cost = pool.cost.share(day.sold, pool.quantity)
            pool = Pool(pool.quantity - day.sold, pool.cost - cost)
            day.match(Matched.POOL, day.sold, cost)
        pool = Pool(pool.quantity + day.bought, pool.cost + day.cost)
        if was_sold:
            found.append(_disposal(day))
    return found, pool


def _disposal(day: _Day) -> Disposal:
    quantity, cost = Quantity(0), Money.zero(day.cost.currency)
    for match in day.matches:
        quantity, cost = quantity + match.quantity, cost + match.cost
    given = day.given.scaled(day.factor.denominator, day.factor.numerator)
    proceeds = day.proceeds + cost.share(given, quantity) if given else day.proceeds
    return Disposal(day.on, quantity, proceeds, day.costs, tuple(day.matches))


def _factor(on: date, changes: Sequence[Reorganised]) -> Fraction:
    """How many of today's units one unit of that day is."""
    factor = Fraction(1)
    for change in changes:
        if change.on > on:
            factor *= Fraction(change.numerator, change.denominator)
    return factor
