"""Parts of lots as tax law looks at them: how many units, since when, until when, at what cost and for what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction

from quantmatrix.common.names import AccountId, AssetClass, InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.events import ShareSplit
from quantmatrix.portfolio.domain.ledger import Ledger
from quantmatrix.portfolio.domain.lots import Lot, age, less, share_known
from quantmatrix.portfolio.domain.terms import Term, term


class Treatment(StrEnum):
    """How an account's gains are taxed. Gains of a tax-deferred account (an IRA) are shown as not taxable."""

    TAXABLE = "taxable"
    TAX_DEFERRED = "tax-deferred"


@dataclass(frozen=True, slots=True)
class Holding:
    """A part of one lot with one fate: still held, or disposed of by one closing. quantity is in today's units, without sign.

    It is zero where money came without units going: more capital returned than there was basis.

    family: what options and their underlying have in common. acquired_on is None while unknown, basis and proceeds while
    pending. Of a short sale basis is the negative of what it brought and proceeds the negative of what covering cost.
    bought_place and place settle the order of acquisitions and of disposals of one day.
    held_from, ruled_term: what the short-sale rules say instead.
    """

    lot_id: LotId
    account_id: AccountId
    treatment: Treatment
    security: InstrumentId
    family: str
    is_short: bool
    quantity: Quantity
    basis: Money | None
    acquired_on: date | None
    disposed_on: date | None = None
    proceeds: Money | None = None
    place: int = 0
    bought_place: int = 0
    held_from: date | None = None
    ruled_term: Term | None = None

    @property
    def since(self) -> date | None:
        """When the holding period began: when it was acquired, unless a rule moved it."""
        return self.held_from or self.acquired_on

    @property
    def gain(self) -> Money | None:
        """Proceeds less basis; None while held or pending."""
        return None if self.proceeds is None or self.basis is None or self.disposed_on is None else self.proceeds - self.basis

    @property
    def term(self) -> Term:
        """Long or short at disposal; unknown while held. A short sale is short-term unless a rule says otherwise."""
        if self.ruled_term is not None:
            return self.ruled_term
        if self.is_short:
            return Term.SHORT
        return Term.UNKNOWN if self.disposed_on is None else term(self.since, self.disposed_on)

    def divided(self, quantity: Quantity) -> "tuple[Holding, Holding]":
        """The first `quantity` units, and the rest; amounts are shared, the rest takes what rounding leaves."""
        basis = share_known(self.basis, quantity, self.quantity)
        proceeds = share_known(self.proceeds, quantity, self.quantity)
        first = replace(self, quantity=quantity, basis=basis, proceeds=proceeds)
        rest = replace(self, quantity=self.quantity - quantity, basis=less(self.basis, basis), proceeds=less(self.proceeds, proceeds))
        return first, rest


def holdings_of(
    account_id: AccountId,
    ledger: Ledger,
    treatment: Treatment,
    splits: Sequence[ShareSplit] = (),
    families: dict[InstrumentId, str] | None = None,
) -> list[Holding]:
    """What an account holds and has disposed of.

    splits: those of the ledger, so that units sold before one can be compared with units bought after it. families: of
    an option the name of its underlying; everything else is its own family.
    """
    known = families or {}
    order = {lot.lot_id: place for place, lot in enumerate(sorted(ledger.lots.values(), key=age))}
    found = []
    for place, closing in enumerate(ledger.closings):
        lot = ledger.lots[closing.lot_id]
        factor = _factor(lot.instrument.instrument_id, closing.closed_on, splits)
        found.append(
            replace(
                _part(account_id, lot, treatment, known, order),
                is_short=closing.quantity.value < 0,
                quantity=abs(closing.quantity).scaled(factor.numerator, factor.denominator),
                basis=closing.basis,
                disposed_on=closing.closed_on,
                proceeds=closing.proceeds,
                place=place,
            )
        )
    return found + [_part(account_id, lot, treatment, known, order) for lot in ledger.lots.values() if lot.quantity]


def gains(holdings: Iterable[Holding], currency: str) -> dict[Treatment, Money]:
    """Known gains by treatment: what is taxable and what is not are two sums and never one."""
    sums = {treatment: Money.zero(currency) for treatment in Treatment}
    for holding in holdings:
        if holding.gain is not None and holding.gain.currency == currency:
            sums[holding.treatment] += holding.gain
    return sums


def is_security(asset_class: AssetClass) -> bool:
    """Whether the wash-sale rule speaks of it (IRC 1091(a): stock or securities). Coins, currencies and futures are not."""
    match asset_class:
        case AssetClass.STOCK | AssetClass.FUND | AssetClass.OPTION:
            return True
        case AssetClass.FUTURE | AssetClass.CRYPTO | AssetClass.CURRENCY:
            return False


def _part(account_id: AccountId, lot: Lot, treatment: Treatment, families: dict[InstrumentId, str], order: dict[LotId, int]) -> Holding:
    """What is left of a lot, as a holding."""
    instrument_id = lot.instrument.instrument_id
    return Holding(
        lot_id=lot.lot_id,
        account_id=account_id,
        treatment=treatment,
        security=instrument_id,
        family=families.get(instrument_id, instrument_id),
        is_short=lot.quantity.value < 0,
        quantity=abs(lot.quantity),
        basis=lot.basis,
        acquired_on=lot.opened_on if lot.dated else None,
        bought_place=order[lot.lot_id],
    )


def _factor(instrument_id: InstrumentId, day: date, splits: Sequence[ShareSplit]) -> Fraction:
    """How many of today's units one unit of that day is."""
    factor = Fraction(1)
    for one in splits:
        if one.instrument_id == instrument_id and one.split.effective > day:
            factor *= Fraction(one.split.numerator, one.split.denominator)
    return factor
