"""What was disposed of, line by line as a tax return wants it, and the sums by year, short-term and long-term."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from quantmatrix.common.names import AccountId, ClosingId, FillId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import Closing, Lot
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import Line
from quantmatrix.portfolio.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Disposal:
    """One part of a lot that one closing used up.

    quantity carries the lot's sign and is in units of that day; proceeds and basis those of the ledger: of a short sale both are below zero. basis
    has in it what earlier wash sales added, which stands in added too; disallowed is what this one's loss may not count. acquired_on: None while
    unknown; basis, proceeds and gain: None while pending. term: after holding periods that were taken over. basis_by: own, or broker where a
    file printed it; disallowed is then the broker's own adjustment.
    """

    closing_id: ClosingId
    lot_id: LotId
    fill_id: FillId
    account_id: AccountId
    treatment: Treatment
    symbol: str
    currency: str
    quantity: Quantity
    acquired_on: date | None
    disposed_on: date
    proceeds: Money | None
    basis: Money | None
    disallowed: Money
    added: Money
    term: Term
    permanent: bool = False
    triggered_by: str = ""
    basis_by: str = "own"

    @property
    def gain(self) -> Money | None:
        """What is recognised: proceeds less basis plus what is disallowed."""
        if self.proceeds is None or self.basis is None:
            return None
        return self.proceeds - self.basis + self.disallowed


def disposals_of(
    lines: Iterable[Line],
    lots: Mapping[LotId, Lot],
    closings: Mapping[AccountId, Sequence[Closing]],
    triggered_by: Mapping[FillId, str] | None = None,
) -> list[Disposal]:
    """The lines of a wash-sale report that were disposed of, in the order of disposals.

    closings: of each account, in the order in which its holdings were made (`Holding.place` counts in it).
    """
    origins = triggered_by or {}
    gone = [line for line in lines if line.holding.disposed_on is not None]
    whole: defaultdict[tuple[AccountId, int], Fraction] = defaultdict(Fraction)
    for line in gone:
        whole[(line.holding.account_id, line.holding.place)] += Fraction(line.holding.quantity.value)
    found = []
    for line in gone:
        one = line.holding
        if one.disposed_on is None:
            continue
        closing, lot = closings[one.account_id][one.place], lots[one.lot_id]
        # Holdings are in today's units, a report tells the units of the day: the part's share of what was closed then.
        share = Fraction(one.quantity.value) / whole[(one.account_id, one.place)]
        found.append(
            Disposal(
                closing_id=closing.closing_id,
                lot_id=one.lot_id,
                fill_id=closing.fill_id,
                account_id=one.account_id,
                treatment=one.treatment,
                symbol=lot.instrument.symbol,
                currency=lot.instrument.currency,
                quantity=closing.quantity.scaled(share.numerator, share.denominator),
                acquired_on=one.acquired_on,
                disposed_on=one.disposed_on,
                proceeds=one.proceeds,
                basis=line.basis,
                disallowed=line.disallowed,
                added=line.added,
                term=line.term,
                permanent=line.permanent,
                triggered_by=origins.get(closing.fill_id, ""),
            )
        )
    return sorted(found, key=lambda one: (one.disposed_on, one.symbol, str(one.closing_id), one.acquired_on or date.min))


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the disposals whose gain is known."""

    proceeds: Money
    basis: Money
    disallowed: Money
    count: int

    @property
    def gain(self) -> Money:
        return self.proceeds - self.basis + self.disallowed


@dataclass(frozen=True, slots=True)
class RealisedYear:
    """A year's disposals of one treatment and currency. pending: how many wait for a basis and are in no sum."""

    year: int
    treatment: Treatment
    currency: str
    short: Sums
    long: Sums
    unknown: Sums
    pending: int

    @property
    def gain(self) -> Money:
        return self.short.gain + self.long.gain + self.unknown.gain

    @property
    def disallowed(self) -> Money:
        return self.short.disallowed + self.long.disallowed + self.unknown.disallowed


def realised_by_year(disposals: Iterable[Disposal]) -> list[RealisedYear]:
    """Sums by calendar year of the trade date, the latest year first; taxable before tax-deferred, never one sum."""
    groups: defaultdict[tuple[int, Treatment, str], list[Disposal]] = defaultdict(list)
    for one in disposals:
        groups[(one.disposed_on.year, one.treatment, one.currency)].append(one)
    order = list(Treatment)
    keys = sorted(groups, key=lambda key: (-key[0], order.index(key[1]), key[2]))
    return [_year(key, groups[key]) for key in keys]


def _year(key: tuple[int, Treatment, str], disposals: Sequence[Disposal]) -> RealisedYear:
    year, treatment, currency = key
    by_term = {term: sums_of([one for one in disposals if one.term is term], currency) for term in Term}
    return RealisedYear(
        year=year,
        treatment=treatment,
        currency=currency,
        short=by_term[Term.SHORT],
        long=by_term[Term.LONG],
        unknown=by_term[Term.UNKNOWN],
        pending=sum(1 for one in disposals if one.gain is None),
    )


def sums_of(disposals: Iterable[Disposal], currency: str) -> Sums:
    """The sums of those whose gain is known; a short sale counts with what it brought and what covering cost."""
    proceeds = basis = disallowed = Money.zero(currency)
    count = 0
    for one in disposals:
        brought, cost = brought_and_cost(one)
        if brought is None or cost is None:
            continue
        proceeds, basis, disallowed, count = proceeds + brought, basis + cost, disallowed + one.disallowed, count + 1
    return Sums(proceeds, basis, disallowed, count)


def brought_and_cost(one: Disposal) -> tuple[Money | None, Money | None]:
    """What the sale brought and what the units cost, both above zero; of a short sale the ledger has them the other way round."""
    if one.quantity.value >= 0:
        return one.proceeds, one.basis
    return (None if one.basis is None else -one.basis), (None if one.proceeds is None else -one.proceeds)
