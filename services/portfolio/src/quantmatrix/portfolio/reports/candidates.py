"""Open lots that stand at a loss, what selling them would save from tax, and what would wash the loss away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from quantmatrix.common.names import LotId
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import WINDOW_DAYS, WashRules, wash_sales
from quantmatrix.portfolio.domain.terms import Term, long_from, term


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lot that would be sold at a loss today.

    loss: below zero. disallowed: how much of it recent purchases, in any of the person's accounts, would disallow (above
    zero). washed_by: the lots that would. look_at: recent purchases of the same family that a person has to judge. becomes_long:
    the first day on which the loss would be long-term. buy_again_from: the first day on which buying it back is harmless.
    """

    holding: Holding
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


def candidates(holdings: Iterable[Holding], values: Mapping[LotId, Money], today: date, rules: WashRules | None = None) -> list[Candidate]:
    """The lots of taxable accounts that stand below their basis, the largest usable loss first.

    holdings: of all accounts of the person, with what earlier wash sales added to bases. values: what the open part of a
    lot is worth now; lots without one are left out. Purchases of the 30 days to come cannot be known: `buy_again_from`.
    """
    everything = list(holdings)
    recent = [one for one in everything if one.acquired_on is not None and abs((today - one.acquired_on).days) <= WINDOW_DAYS]
    found = []
    for one in everything:
        value = values.get(one.lot_id)
        if one.disposed_on is not None or one.treatment is not Treatment.TAXABLE or value is None or one.basis is None:
            continue
        if value < one.basis:
            found.append(_candidate(one, value, value - one.basis, [other for other in recent if other is not one], today, rules))
    return sorted(found, key=lambda one: (one.usable.amount, str(one.holding.lot_id)))


def _candidate(one: Holding, value: Money, loss: Money, recent: Sequence[Holding], today: date, rules: WashRules | None) -> Candidate:
    sold = replace(one, disposed_on=today, proceeds=value, place=one.place + len(recent) + 1)
    same = [other for other in recent if other.security == one.security and other.is_short == one.is_short]
    lines = wash_sales([sold, *same], rules).lines
    own = [line for line in lines if line.holding.lot_id == one.lot_id]
    related = {other.lot_id: other for other in recent if other.family == one.family and other.security != one.security}
    held = Term.SHORT if one.is_short else term(one.acquired_on, today)
    return Candidate(
        holding=one,
        value=value,
        loss=loss,
        disallowed=sum((line.disallowed for line in own), Money.zero(loss.currency)),
        term=held,
        becomes_long=long_from(one.acquired_on) if held is Term.SHORT and not one.is_short and one.acquired_on is not None else None,
        washed_by=tuple(line.replaced_by for line in own if line.replaced_by is not None),
        look_at=tuple(sorted(related, key=str)),
        buy_again_from=today + timedelta(days=WINDOW_DAYS + 1),
    )
