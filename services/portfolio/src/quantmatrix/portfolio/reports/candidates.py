"""Open lots that stand at a loss, what selling them would save from tax, and what would wash the loss away."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from quantmatrix.common.names import LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import WINDOW_DAYS, Line, WashRules, wash_sales
from quantmatrix.portfolio.domain.terms import Term, long_from, term


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lot, or a part of one, that would be sold at a loss today.

    quantity: signed like the lot. loss: below zero. disallowed: how much of it recent purchases, in any of the person's accounts, would disallow (above
    zero). washed_by: the lots that would. look_at: recent purchases of the same family that a person has to judge. becomes_long:
    the first day on which the loss would be long-term. buy_again_from: the first day on which buying it back is harmless.
    """

    holding: Holding
    quantity: Quantity
    value: Money
    loss: Money
    disallowed: Money
    term: Term
    becomes_long: date | None
    washed_by: tuple[LotId, ...]
    look_at: tuple[LotId, ...]
    buy_again_from: date

    @property
    def usable(self) -> Money:
        """What would count, below zero or zero."""
        return self.loss + self.disallowed


@dataclass(frozen=True, slots=True)
class RecentLoss:
    """A loss of the last 30 days that a purchase would still wash, also one in a tax-deferred account, which would lose it for good.

    loss: what counts of it so far, below zero. buy_again_from: the first day on which buying is harmless.
    """

    lot_id: LotId
    disposed_on: date
    loss: Money
    buy_again_from: date


def recent_losses(lines: Iterable[Line], today: date) -> list[RecentLoss]:
    """Losses of taxable accounts that no purchase has washed yet, the latest first."""
    found = []
    for line in lines:
        one = line.holding
        if one.treatment is not Treatment.TAXABLE or one.disposed_on is None or one.proceeds is None or line.basis is None:
            continue
        loss = one.proceeds - line.basis + line.disallowed
        if loss.amount < 0 and 0 <= (today - one.disposed_on).days <= WINDOW_DAYS:
            found.append(RecentLoss(one.lot_id, one.disposed_on, loss, one.disposed_on + timedelta(days=WINDOW_DAYS + 1)))
    return sorted(found, key=lambda one: (one.disposed_on, str(one.lot_id)), reverse=True)


def candidates(lines: Iterable[Line], values: Mapping[LotId, Money], today: date, rules: WashRules | None = None) -> list[Candidate]:
    """The lots of taxable accounts that stand below their basis, the largest usable loss first.

    lines: of all accounts of the person, after earlier wash sales, which added to bases and used up replacements. values: what
    the open part of a lot is worth now; lots without one are left out. Purchases of the 30 days to come cannot be known.
    """
    everything = list(lines)
    recent = [one for one in everything if one.replaces is None and _is_recent(one.holding, today)]
    open_units: defaultdict[LotId, Quantity] = defaultdict(lambda: Quantity(0))
    for one in everything:
        if one.holding.disposed_on is None:
            open_units[one.holding.lot_id] += one.holding.quantity
    found = []
    for one in everything:
        holding, worth = one.holding, values.get(one.holding.lot_id)
        if holding.disposed_on is not None or holding.treatment is not Treatment.TAXABLE or worth is None or one.basis is None:
            continue
        value = worth.share(holding.quantity, open_units[holding.lot_id])
        if value < one.basis:
            found.append(_candidate(one, value, value - one.basis, [other.holding for other in recent if other is not one], today, rules))
    return sorted(found, key=lambda one: (one.usable.amount, str(one.holding.lot_id)))


def _is_recent(holding: Holding, today: date) -> bool:
    return holding.acquired_on is not None and abs((today - holding.acquired_on).days) <= WINDOW_DAYS


def _candidate(line: Line, value: Money, loss: Money, recent: Sequence[Holding], today: date, rules: WashRules | None) -> Candidate:
    one, since = line.holding, line.acquired_on
    sold = replace(one, basis=line.basis, disposed_on=today, proceeds=value, place=one.place + len(recent) + 1)
    same = [other for other in recent if other.security == one.security and other.is_short == one.is_short]
    own = [found for found in wash_sales([sold, *same], rules).lines if found.holding.lot_id == one.lot_id]
    related = {other.lot_id for other in recent if other.family == one.family and other.security != one.security}
    held = Term.SHORT if one.is_short else term(since, today)
    return Candidate(
        holding=one,
        quantity=-one.quantity if one.is_short else one.quantity,
        value=value,
        loss=loss,
        disallowed=sum((found.disallowed for found in own), Money.zero(loss.currency)),
        term=held,
        becomes_long=long_from(since) if held is Term.SHORT and not one.is_short and since is not None else None,
        washed_by=tuple(found.replaced_by for found in own if found.replaced_by is not None),
        look_at=tuple(sorted(related, key=str)),
        buy_again_from=today + timedelta(days=WINDOW_DAYS + 1),
    )
