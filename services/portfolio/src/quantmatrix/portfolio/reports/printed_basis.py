"""The basis and gain that brokers print beside our own: disposals as the broker has them, and where both differ.

A broker prints one basis for a closing trade, whatever number of lots it used up. Where a lot has no basis of ours, what the
others leave is its share; otherwise the difference is spread over the lots by their units, the last one taking the exact rest.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.names import AccountId, FillId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.reports.disposals import Disposal

HALF_A_CENT = Decimal("0.005")


class Basis(StrEnum):
    """Whose basis a report takes."""

    OWN = "own"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a closing trade's row of a file says. basis: signed like the ledger's; gain: None where the row has none."""

    basis: Money
    gain: Money | None
    reference: str


@dataclass(frozen=True, slots=True)
class BasisDifference:
    """A closing trade whose printed basis or gain is not ours, to the cent. own, own_gain: None while they are pending.

    units: in those of the day, above zero for long lots. Our gain has in it what wash sales over all accounts disallow.
    """

    account_id: AccountId
    symbol: str
    disposed_on: date
    units: Quantity
    own: Money | None
    broker: Money
    own_gain: Money | None
    broker_gain: Money | None
    reference: str

    @property
    def difference(self) -> Money | None:
        """The broker's basis less ours."""
        return None if self.own is None else self.broker - self.own


def with_printed(disposals: Sequence[Disposal], plain: Iterable[Disposal], printed: Mapping[FillId, Printed]) -> list[Disposal]:
    """The disposals with the broker's basis and gain where they are printed; the others stay as they are, `basis_by` says which.

    plain: the same disposals before our wash sales, which the broker's figures know nothing of. What the printed gain has
    beyond proceeds less basis is the broker's own adjustment, such as a wash sale inside the account.
    """
    groups: defaultdict[FillId, list[Disposal]] = defaultdict(list)
    for one in plain:
        if one.fill_id in printed:
            groups[one.fill_id].append(one)
    told = [part for fill_id, parts in groups.items() for part in _as_printed(parts, printed[fill_id])]
    kept = [one for one in disposals if one.fill_id not in groups]
    return sorted([*kept, *told], key=lambda one: (one.disposed_on, one.symbol, str(one.closing_id), one.acquired_on or date.min))


def _as_printed(parts: Sequence[Disposal], told: Printed) -> list[Disposal]:
    if any(one.currency != told.basis.currency for one in parts):
        return list(parts)
    nothing = Money.zero(told.basis.currency)
    proceeds = _sum([one.proceeds for one in parts], nothing)
    more = nothing if told.gain is None or proceeds is None else told.gain - (proceeds - told.basis)
    if abs(more).amount < HALF_A_CENT:
        more = nothing
    adjustments = _spread(more, parts)
    return [
        replace(one, basis=basis, disallowed=adjustment, added=nothing, permanent=False, basis_by=Basis.BROKER.value)
        for one, basis, adjustment in zip(parts, _bases(parts, told.basis, nothing), adjustments, strict=True)
    ]


def _bases(parts: Sequence[Disposal], whole: Money, nothing: Money) -> list[Money]:
    unknown = [one for one in parts if one.basis is None]
    left = whole - sum((one.basis for one in parts if one.basis is not None), nothing)
    shares = iter(_spread(left, unknown or parts))
    if unknown:
        return [next(shares) if one.basis is None else one.basis for one in parts]
    return [(one.basis or nothing) + share for one, share in zip(parts, shares, strict=True)]


def _spread(amount: Money, parts: Sequence[Disposal]) -> list[Money]:
    """By units; the last takes the exact rest."""
    units = sum((abs(one.quantity) for one in parts), Quantity(0))
    found = []
    for one in parts:
        share = amount.share(abs(one.quantity), units) if amount else amount
        found.append(share)
        amount, units = amount - share, units - abs(one.quantity)
    return found


def differences_of(disposals: Iterable[Disposal], printed: Mapping[FillId, Printed]) -> list[BasisDifference]:
    """Closing trades whose own basis before wash sales, or whose gain after them, is not the printed one; the latest first."""
    groups: defaultdict[FillId, list[Disposal]] = defaultdict(list)
    for one in disposals:
        if one.fill_id in printed:
            groups[one.fill_id].append(one)
    found = [_difference(parts, printed[fill_id]) for fill_id, parts in groups.items()]
    return sorted((one for one in found if one is not None), key=lambda one: (one.disposed_on, one.symbol, one.reference), reverse=True)


def _difference(parts: Sequence[Disposal], told: Printed) -> BasisDifference | None:
    nothing = Money.zero(told.basis.currency)
    if any(one.currency != nothing.currency for one in parts):
        return None
    own = _sum([None if one.basis is None else one.basis - one.added for one in parts], nothing)
    gain = _sum([one.gain for one in parts], nothing)
    same_gain = told.gain is None or (gain is not None and abs(gain - told.gain).amount < HALF_A_CENT)
    if own is not None and abs(own - told.basis).amount < HALF_A_CENT and same_gain:
        return None
    first = parts[0]
    units = sum((one.quantity for one in parts), Quantity(0))
    return BasisDifference(
        first.account_id, first.symbol, first.disposed_on, units, own, told.basis, gain, told.gain, told.reference
    )  # fmt: skip


def _sum(amounts: Sequence[Money | None], nothing: Money) -> Money | None:
    """None while one of them is not known."""
    known = [one for one in amounts if one is not None]
    return sum(known, nothing) if len(known) == len(amounts) else None
