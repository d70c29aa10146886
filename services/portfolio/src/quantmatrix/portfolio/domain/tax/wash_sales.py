"""Wash sales over all of a person's accounts (IRC 1091, Publication 550): losses that replacements push into the future.

A report beside the ledger. Brokers look at one account and one security; the person who is taxed must look at all of them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from heapq import heapify, heappop, heappush

from quantmatrix.common.names import InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.terms import Term, term

Bought = tuple[date, int, str, date, int, Quantity]
"""The order of acquisition; what follows the lot only settles which part of it comes first."""
WINDOW_DAYS = 30
"""Calendar days before and after the sale, both ends included: 61 days in all."""


@dataclass(frozen=True, slots=True)
class WashRules:
    """same_lot: whether other units of the lot that was sold from are replacements. They are not (Fairmark); some disagree."""

    same_lot: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a lot after the wash-sale rule.

    disallowed: of this part's loss; permanent says that it is lost for good, because the replacement is in a tax-deferred
    account (Revenue Ruling 2008-5). added: what a disallowed loss adds to this part's basis. tacked_days: how much earlier
    its holding began because of that. replaced_by, replaces: the lots on the other side.
    """

    holding: Holding
    disallowed: Money
    added: Money
    tacked_days: int = 0
    permanent: bool = False
    replaced_by: LotId | None = None
    replaces: LotId | None = None

    @property
    def basis(self) -> Money | None:
        """With what was added; None while unknown."""
        return None if self.holding.basis is None else self.holding.basis + self.added

    @property
    def acquired_on(self) -> date | None:
        """With the holding period that was taken over."""
        return None if self.holding.since is None else self.holding.since - timedelta(days=self.tacked_days)

    @property
    def gain(self) -> Money | None:
        """What is recognised: proceeds less adjusted basis plus what is disallowed; None while held or pending."""
        gain = self.holding.gain
        return None if gain is None else gain - self.added + self.disallowed

    @property
    def term(self) -> Term:
        """By the adjusted date, unless a rule settled it."""
        if self.holding.ruled_term is not None or self.holding.is_short or self.holding.disposed_on is None:
            return self.holding.term
        return term(self.acquired_on, self.holding.disposed_on)


@dataclass(frozen=True, slots=True)
class Flag:
    """A loss and an acquisition of the same family in the window that are not plainly identical: a person decides."""

    loss: Holding
    acquired: Holding


@dataclass(frozen=True, slots=True)
class WashReport:
    """All parts in order of acquisition, and what a person has to look at: flags, and losses whose lots lack basis or date."""

    lines: tuple[Line, ...]
    flags: tuple[Flag, ...]
    undecided: tuple[Holding, ...]


def wash_sales(holdings: Iterable[Holding], rules: WashRules | None = None) -> WashReport:
    """Match every loss of a taxable account with replacements, in the order of the sales (26 CFR 1.1091-1(b) to (d)).

    Replacements are units acquired in the window, in any of the accounts, earliest acquisition first, each used once. A
    unit that was disposed of before (or in the same sale, from an earlier lot) replaces nothing. Losses are taken as
    adjusted by earlier matches, so chains work out; gains of the same sale are not netted.
    """
    all_of = list(holdings)
    matcher = _Matcher(rules or WashRules(), [_Part(one) for one in all_of if one.acquired_on is not None])
    matcher.run()
    undated = [_line(_Part(one)) for one in all_of if one.acquired_on is None]
    undecided = [one for one in all_of if one.disposed_on is not None and (one.gain is None or one.acquired_on is None)]
    lines = [_line(part) for part in sorted(matcher.parts, key=lambda part: part.bought)]
    return WashReport((*lines, *undated), tuple(flagged(all_of)), tuple(undecided))


def flagged(holdings: Sequence[Holding]) -> list[Flag]:
    """Losses of taxable accounts beside acquisitions of another security of the family, in any account: an option and its stock."""
    by_family: dict[str, list[Holding]] = {}
    for one in holdings:
        by_family.setdefault(one.family, []).append(one)
    found = []
    for loss in holdings:
        gain = loss.gain
        if loss.treatment is not Treatment.TAXABLE or gain is None or gain.amount >= 0 or loss.disposed_on is None:
            continue
        others = {one.lot_id: one for one in by_family[loss.family] if one.security != loss.security and not one.is_short}
        found += [Flag(loss, one) for one in others.values() if _in_window(loss.disposed_on, one.acquired_on)]
    return found


def disallowed_inside(proceeds: Money, fee: Money, basis: Money, realised: Money) -> Money:
    """What a broker disallowed inside one order: its printed gain less proceeds + fee + basis, all with the broker's signs."""
    return realised - (proceeds + fee + basis)


def _in_window(sold: date, acquired: date | None) -> bool:
    return acquired is not None and abs((acquired - sold).days) <= WINDOW_DAYS


class _Part:
    """A part of a lot while it is matched: split where only some of it is washed."""

    __slots__ = ("added", "disallowed", "holding", "permanent", "replaced_by", "replaces", "tacked_days")

    def __init__(self, holding: Holding) -> None:
        currency = (holding.basis or holding.proceeds or Money.zero("USD")).currency
        self.holding = holding
        self.added = self.disallowed = Money.zero(currency)
        self.tacked_days = 0
        self.permanent = False
        self.replaced_by: LotId | None = None
        self.replaces: LotId | None = None

    @property
    def bought(self) -> Bought:
        one = self.holding
        return one.acquired_on or date.min, one.bought_place, str(one.lot_id), one.disposed_on or date.max, one.place, one.quantity

    @property
    def sold(self) -> tuple[date, int, date, int, str]:
        return (self.holding.disposed_on or date.max, self.holding.place, *self.bought[:3])

    @property
    def loss(self) -> Money | None:
        """The loss above zero, after what was added to the basis; None when there is none that counts."""
        gain = self.holding.gain
        if gain is None or self.holding.treatment is not Treatment.TAXABLE:
            return None
        loss = self.added - gain
        return loss if loss.amount > 0 else None

    def split(self, quantity: Quantity) -> "_Part":
        """Keep `quantity` units of this part; the rest becomes a part of its own."""
        whole = self.holding
        self.holding, other = whole.divided(quantity)
        rest = _Part(other)
        added = self.added.share(quantity, whole.quantity)
        rest.added, self.added = self.added - added, added
        rest.tacked_days, rest.replaces = self.tacked_days, self.replaces
        return rest


class _Matcher:
    """Takes the losses in the order of the sales and finds replacements for them."""

    def __init__(self, rules: WashRules, parts: list[_Part]) -> None:
        self.parts = parts
        self._rules = rules
        self._bought: dict[tuple[InstrumentId, bool], list[_Part]] = {}
        for part in sorted(parts, key=_bought):
            self._bought.setdefault(_kind(part), []).append(part)
        self._waiting = [(part.sold, place, part) for place, part in enumerate(parts) if part.holding.disposed_on is not None]
        heapify(self._waiting)

    def run(self) -> None:
        while self._waiting:
            _, _, part = heappop(self._waiting)
            if part.loss is not None:
                found = self._replacement(part)
                if found is not None:
                    self._match(part, found)

    def _replacement(self, part: _Part) -> _Part | None:
        """The earliest acquired units that may replace what was sold."""
        sold = part.holding.disposed_on or date.max
        bought = self._bought[_kind(part)]
        start = bisect_left(bought, (sold - timedelta(days=WINDOW_DAYS), -1, "", date.min, -1, Quantity(0)), key=_bought)
        for one in bought[start:]:
            if not _in_window(sold, one.holding.acquired_on):
                return None
            if self._may_replace(one, part):
                return one
        return None

    def _may_replace(self, one: _Part, part: _Part) -> bool:
        if one is part or one.replaces is not None or not one.holding.quantity:
            return False
        if one.holding.lot_id == part.holding.lot_id and not self._rules.same_lot:
            return False
        return one.holding.disposed_on is None or one.sold > part.sold

    def _match(self, part: _Part, found: _Part) -> None:
        units = min(part.holding.quantity, found.holding.quantity)
        for one in (part, found):
            if one.holding.quantity > units:
                self._add(one.split(units))
        loss = part.loss
        if loss is None:  # a share of a loss too small to have digits
            return
        part.disallowed, part.replaced_by, found.replaces = loss, found.holding.lot_id, part.holding.lot_id
        if found.holding.treatment is Treatment.TAX_DEFERRED:
            part.permanent = True
            return
        found.added += loss
        sold, since = part.holding.disposed_on, part.holding.since
        if sold is not None and since is not None:
            found.tacked_days += (sold - since).days + part.tacked_days

    def _add(self, part: _Part) -> None:
        self.parts.append(part)
        insort(self._bought[_kind(part)], part, key=_bought)
        if part.holding.disposed_on is not None:
            heappush(self._waiting, (part.sold, len(self.parts), part))


def _bought(part: _Part) -> Bought:
    return part.bought


def _kind(part: _Part) -> tuple[InstrumentId, bool]:
    return part.holding.security, part.holding.is_short


def _line(part: _Part) -> Line:
    return Line(part.holding, part.disallowed, part.added, part.tacked_days, part.permanent, part.replaced_by, part.replaces)
