"""The wash-sale report: which losses do not count, because of which purchase, and what becomes of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.names import AccountId, ClosingId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import Closing, Lot
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import Line


@dataclass(frozen=True, slots=True)
class Wash:
    """A disallowed loss and its replacement. quantity is in today's units, without sign; loss is below zero, disallowed above.

    permanent: the replacement is in a tax-deferred account, whose basis it never enters (Revenue Ruling 2008-5).
    """

    closing_id: ClosingId
    lot: Lot
    quantity: Quantity
    acquired_on: date | None
    disposed_on: date
    loss: Money
    disallowed: Money
    permanent: bool
    replacement: Lot


@dataclass(frozen=True, slots=True)
class WashSum:
    """A year's disallowed losses in one currency: carried into the basis of replacements, or lost for good."""

    year: int
    currency: str
    sales: int
    carried: Money
    lost: Money


def washes(lines: Iterable[Line], lots: Mapping[LotId, Lot], closings: Mapping[AccountId, Sequence[Closing]]) -> list[Wash]:
    """The disallowed losses among the lines of a wash-sale report, the latest first.

    closings: of each account, in the order in which its holdings were made (`Holding.place` counts in it).
    """
    found = []
    for line in lines:
        one = line.holding
        if not line.disallowed or line.replaced_by is None or one.disposed_on is None or one.proceeds is None or line.basis is None:
            continue
        found.append(
            Wash(
                closing_id=closings[one.account_id][one.place].closing_id,
                lot=lots[one.lot_id],
                quantity=one.quantity,
                acquired_on=line.acquired_on,
                disposed_on=one.disposed_on,
                loss=one.proceeds - line.basis,
                disallowed=line.disallowed,
                permanent=line.permanent,
                replacement=lots[line.replaced_by],
            )
        )
    return sorted(found, key=lambda one: (one.disposed_on, str(one.closing_id), str(one.replacement.lot_id)), reverse=True)


def by_year(found: Iterable[Wash]) -> list[WashSum]:
    """Sums by year of the sale, the latest first."""
    groups: defaultdict[tuple[int, str], list[Wash]] = defaultdict(list)
    for one in found:
        groups[(one.disposed_on.year, one.disallowed.currency)].append(one)
    return [
        WashSum(
            year=year,
            currency=currency,
            sales=len(own),
            carried=sum((one.disallowed for one in own if not one.permanent), Money.zero(currency)),
            lost=sum((one.disallowed for one in own if one.permanent), Money.zero(currency)),
        )
        for (year, currency), own in sorted(groups.items(), key=lambda item: (-item[0][0], item[0][1]))
    ]


def undecided(lines: Iterable[Line]) -> int:
    """Closings of taxable accounts over which the rule cannot decide: the gain or the day of purchase is unknown."""
    return sum(
        1
        for line in lines
        if line.holding.disposed_on is not None
        and line.holding.treatment is Treatment.TAXABLE
        and (line.holding.gain is None or line.holding.acquired_on is None)
    )
