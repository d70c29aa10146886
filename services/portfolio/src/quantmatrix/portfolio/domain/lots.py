"""Tax lots: a fill closes lots of the other side, oldest first, and opens a lot with what is left of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ClosingId, FillId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, notional


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution as the ledger books it. quantity is above zero; fee is what it cost, normally zero or more."""

    fill_id: FillId
    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    session: date
    executed_at: datetime
    triggered_by: str

    @property
    def value(self) -> Money:
        """Price × quantity × multiplier, without fee."""
        return notional(self.price, self.quantity, self.instrument.multiplier, self.instrument.currency)


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one purchase, or (negative) of one short sale. basis is the exact total, fees inside.

    A long lot's basis is what it cost, a short lot's is the negative of what it brought.
    """

    lot_id: LotId
    fill_id: FillId
    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    opened_quantity: Quantity
    quantity: Quantity
    basis: Money
    opened_on: date
    opened_at: datetime
    triggered_by: str


@dataclass(frozen=True, slots=True)
class Closing:
    """`quantity` of a lot used up by a fill. realised = proceeds - basis, fees inside both; quantity carries the lot's sign."""

    closing_id: ClosingId
    lot_id: LotId
    fill_id: FillId
    quantity: Quantity
    proceeds: Money
    basis: Money
    realised: Money
    left: Quantity
    opened_on: date
    closed_on: date
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """What one fill did: closings in order, the lots they changed, and the lot that was opened, if any."""

    closings: tuple[Closing, ...]
    changed: tuple[Lot, ...]
    opened: Lot | None

    @property
    def realised(self) -> Money | None:
        """The sum of the closings' gains; None when nothing was closed."""
        if not self.closings:
            return None
        total = self.closings[0].realised
        for closing in self.closings[1:]:
            total += closing.realised
        return total


def book_fill(fill: Fill, lots: Sequence[Lot]) -> Booked:
    """Book a fill against the open lots of its account and instrument (26 CFR 1.1012-1(c): first in, first out).

    An order that closes and reverses is split: value and fee are shared by quantity, and the last part takes the exact
    rest. Ties between lots of one instant are settled by lot id, so that every replay agrees.
    """
    sign = fill.side.sign
    left, value_left, fee_left = fill.quantity, fill.value, fill.fee
    closings, changed = [], []
    for lot in sorted(lots, key=lambda one: (one.opened_at, one.lot_id)):
        if not left or lot.quantity.value * sign >= 0:
            continue
        taken = min(left, abs(lot.quantity))
        value, fee = value_left.share(taken, left), fee_left.share(taken, left)
        closing, remaining = _close(fill, lot, taken, value, fee)
        closings.append(closing)
        changed.append(remaining)
        left, value_left, fee_left = left - taken, value_left - value, fee_left - fee
    opened = _open(fill, left, value_left, fee_left) if left else None
    return Booked(tuple(closings), tuple(changed), opened)


def _close(fill: Fill, lot: Lot, taken: Quantity, value: Money, fee: Money) -> tuple[Closing, Lot]:
    """Use up part of a lot. A sale brings value less fee; covering a short costs value plus fee."""
    part = taken if lot.quantity.value > 0 else -taken
    basis = lot.basis.share(part, lot.quantity)
    proceeds = value - fee if fill.side is Side.SELL else -(value + fee)
    remaining = replace(lot, quantity=lot.quantity - part, basis=lot.basis - basis)
    closing = Closing(
        closing_id=ClosingId(derived_id("closing", fill.fill_id, lot.lot_id)),
        lot_id=lot.lot_id,
        fill_id=fill.fill_id,
        quantity=part,
        proceeds=proceeds,
        basis=basis,
        realised=proceeds - basis,
        left=remaining.quantity,
        opened_on=lot.opened_on,
        closed_on=fill.session,
        closed_at=fill.executed_at,
    )
    return closing, remaining


def _open(fill: Fill, quantity: Quantity, value: Money, fee: Money) -> Lot:
    signed = quantity if fill.side is Side.BUY else -quantity
    return Lot(
        lot_id=LotId(derived_id("lot", fill.fill_id)),
        fill_id=fill.fill_id,
        account_id=fill.account_id,
        user_id=fill.user_id,
        instrument=fill.instrument,
        opened_quantity=signed,
        quantity=signed,
        basis=value + fee if fill.side is Side.BUY else -(value - fee),
        opened_on=fill.session,
        opened_at=fill.executed_at,
        triggered_by=fill.triggered_by,
    )


@dataclass(frozen=True, slots=True)
class Split:
    """numerator new units for denominator old ones, effective before the open of `effective`."""

    effective: date
    numerator: int
    denominator: int


def split_lot(lot: Lot, split: Split) -> Lot:
    """A lot after a split: more or fewer units, the same total basis and dates. Lots opened on or after it stay as they are."""
    if lot.opened_on >= split.effective:
        return lot
    return replace(
        lot,
        quantity=lot.quantity.scaled(split.numerator, split.denominator),
        opened_quantity=lot.opened_quantity.scaled(split.numerator, split.denominator),
    )
