"""Which contract a quote is of when its stock was split meanwhile: a contract keeps its identity, a split gives it new terms.

After a split of 2 for 1 the contract with strike 60 is the one with strike 30, which before the split was another contract's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionId, ActionKind, InstrumentId
from quantmatrix.common.options import ADJUSTED_MAX, CONTRACT_SIZE, Adjusted, OptionTerms, adjusted
from quantmatrix.common.values import Quantity
from quantmatrix.market.domain.listing import CorporateAction, instrument_id


@dataclass(frozen=True, slots=True)
class _Contract:
    """A contract as it stands. first: the terms that it was first quoted in."""

    instrument_id: InstrumentId
    first: OptionTerms
    terms: OptionTerms
    deliverable: Quantity


class Adjusting:
    """The contracts on one stock from split to split. splits: those of the stock."""

    def __init__(self, splits: Sequence[CorporateAction]) -> None:
        self._splits = sorted(splits, key=lambda split: split.effective)
        self._passed = 0
        self._known: dict[str, _Contract] = {}
        self._taken: set[InstrumentId] = set()
        self.actions: list[CorporateAction] = []

    def identity(self, terms: OptionTerms, session: date) -> tuple[InstrumentId, OptionTerms]:
        """The contract that is quoted under these terms, and the terms it was first quoted in. Sessions come in order.

        Raises ValueError for an adjusted contract of which no split tells what it delivers, and for two that would be one.
        """
        self._go_on_to(session)
        found = self._known.get(terms.symbol)
        if found is None:
            found = self._known[terms.symbol] = self._new(terms)
            self._taken.add(found.instrument_id)
        return found.instrument_id, found.first

    def finish(self, session: date) -> None:
        """Go on to the last session of the stock: what is not quoted any more is adjusted too."""
        self._go_on_to(session)

    def _go_on_to(self, session: date) -> None:
        while self._passed < len(self._splits) and self._splits[self._passed].effective <= session:
            split = self._splits[self._passed]
            self._passed += 1
            before = sorted(self._known.values(), key=lambda one: one.terms.symbol)
            self._known = {}
            for one in before:
                if one.terms.expires >= split.effective:
                    self._adjust(one, split)

    def _adjust(self, one: _Contract, split: CorporateAction) -> None:
        to = adjusted(one.terms, one.deliverable, split.numerator, split.denominator)
        other = self._known.get(to.terms.symbol)
        if other is not None:
            raise ValueError(f"the split of {split.effective} makes {one.terms.symbol} and {other.terms.symbol} one, {to.terms.symbol}")
        self._known[to.terms.symbol] = replace(one, terms=to.terms, deliverable=to.deliverable)
        self.actions.append(_announcement(one.instrument_id, split, to))

    def _new(self, terms: OptionTerms) -> _Contract:
        """A contract that was not quoted before. Its identity is its symbol, unless that was another contract's before a split."""
        own = instrument_id("OCC", terms.symbol)
        if own in self._taken:
            own = instrument_id("OCC", f"{terms.symbol} since {self._splits[self._passed - 1].effective}")
        times = terms.adjustments
        odd = [split for split in self._splits[: self._passed] if split.numerator % split.denominator]
        if times > min(len(odd), ADJUSTED_MAX):
            raise ValueError(
                f"{terms.root} are adjusted contracts, and the feed knows {len(odd)} splits that adjust what {terms.underlying} delivers"
            )
        deliverable = CONTRACT_SIZE
        for split in odd[len(odd) - times :]:
            deliverable = deliverable.scaled(split.numerator, split.denominator)
        if times:
            self.actions.append(_announcement(own, odd[-1], Adjusted(terms, 1, 1, deliverable)))
        return _Contract(own, terms, terms, deliverable)


def _announcement(own: InstrumentId, split: CorporateAction, to: Adjusted) -> CorporateAction:
    return CorporateAction(
        action_id=ActionId(derived_id("adjustment", own, split.effective, split.numerator, split.denominator)),
        kind=ActionKind.SPLIT,
        instrument_id=own,
        effective=split.effective,
        numerator=to.numerator,
        denominator=to.denominator,
        amount=None,
        derived=True,
        source=split.source,
        becomes=to.terms.symbol,
        deliverable=to.deliverable if to.terms.adjustments else None,
    )
