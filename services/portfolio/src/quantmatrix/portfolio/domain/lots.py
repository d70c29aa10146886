"""Tax lots: a fill closes lots of the other side in the order a method picks them, and opens a lot with what is left of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ClosingId, FillId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, notional

NOTHING = Quantity(0)


class UnknownBasisError(ValueError):
    """A figure was asked for that waits for a lot's basis."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the basis of {what} is not known yet: supply it first")


@dataclass(frozen=True, slots=True)
class NamedLot:
    """`quantity` units (above zero) of a lot that a person picked for an order."""

    lot_id: LotId
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Premium:
    """The basis that option lots leave to the stock they deliver; amount is None while it is unknown."""

    amount: Money | None


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution as the ledger books it. quantity is above zero; fee is what it cost, normally zero or more.

    amount: the value as it was paid, where it is not price × quantity × multiplier. fee_in_kind: units of the instrument
    itself that went to the venue. named: the lots picked with the order. premium: what an exercised or assigned option adds.
    """

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
    amount: Money | None = None
    fee_in_kind: Quantity = NOTHING
    named: tuple[NamedLot, ...] = ()
    premium: Premium | None = None

    @property
    def value(self) -> Money:
        """Price × quantity × multiplier without fee, or the amount that was paid instead."""
        if self.amount is not None:
            return self.amount
        return notional(self.price, self.quantity, self.instrument.multiplier, self.instrument.currency)

    @property
    def moved(self) -> Quantity:
        """The units that reach or leave the lots: a fee in kind makes a purchase smaller and a sale larger."""
        if not self.fee_in_kind:
            return self.quantity
        return self.quantity - self.fee_in_kind if self.side is Side.BUY else self.quantity + self.fee_in_kind

    @property
    def taxed_value(self) -> Money | None:
        """The value with the premium of the option that led to it: added to a cost, taken from what a sale brings."""
        if self.premium is None:
            return self.value
        if self.premium.amount is None:
            return None
        return self.value + self.premium.amount if self.side is Side.BUY else self.value - self.premium.amount


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one purchase, or (negative) of one short sale. basis is the exact total, fees inside.

    A long lot's basis is what it cost, a short lot's is the negative of what it brought; None while nobody knows it.
    dated: False while it is unknown when the lot was acquired; opened_on is then the day it came. arrived_on: the day it
    came into the account, where that is not opened_on.
    """

    lot_id: LotId
    fill_id: FillId
    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    opened_quantity: Quantity
    quantity: Quantity
    basis: Money | None
    opened_on: date
    opened_at: datetime
    triggered_by: str
    dated: bool = True
    arrived_on: date | None = None

    @property
    def known_basis(self) -> Money:
        """The basis. Raises UnknownBasisError while it is unknown."""
        if self.basis is None:
            raise UnknownBasisError(f"lot {self.lot_id} of {self.instrument.symbol}")
        return self.basis

    @property
    def created_on(self) -> date:
        """Since when the lot is in this account: what corporate actions look at."""
        return self.arrived_on or self.opened_on


@dataclass(frozen=True, slots=True)
class Closing:
    """`quantity` of a lot used up by a fill. realised = proceeds - basis, fees inside both; quantity carries the lot's sign.

    basis and realised are None, and the gain is pending, while the lot's basis is unknown; proceeds is None while it
    waits for the premium of an option.
    """

    closing_id: ClosingId
    lot_id: LotId
    fill_id: FillId
    quantity: Quantity
    proceeds: Money | None
    basis: Money | None
    realised: Money | None
    left: Quantity
    opened_on: date
    closed_on: date
    closed_at: datetime

    @property
    def known_proceeds(self) -> Money:
        """What the closing brought. Raises UnknownBasisError while it is pending."""
        return self._known(self.proceeds)

    @property
    def known_basis(self) -> Money:
        """The basis used up. Raises UnknownBasisError while it is unknown."""
        return self._known(self.basis)

    @property
    def known_realised(self) -> Money:
        """The gain. Raises UnknownBasisError while it is pending."""
        return self._known(self.realised)

    def _known(self, amount: Money | None) -> Money:
        if amount is None:
            raise UnknownBasisError(f"closing {self.closing_id} of lot {self.lot_id}")
        return amount


@dataclass(frozen=True, slots=True)
class Booked:
    """What one fill did: closings in order, the lots they changed, and the lot that was opened, if any."""

    closings: tuple[Closing, ...]
    changed: tuple[Lot, ...]
    opened: Lot | None

    @property
    def realised(self) -> Money | None:
        """The sum of the closings' gains that are known; None when there is none."""
        known = [closing.realised for closing in self.closings if closing.realised is not None]
        if not known:
            return None
        total = known[0]
        for gain in known[1:]:
            total += gain
        return total

    @property
    def pending(self) -> bool:
        """Whether a gain waits for a basis."""
        return any(closing.realised is None for closing in self.closings)


@dataclass(frozen=True, slots=True)
class Pick:
    """A lot that may be used up, at most `most` of it (above zero), all of it when None.

    rebased: the lot carries another basis than it had, which is kept whether or not it is used.
    """

    lot: Lot
    most: Quantity | None = None
    rebased: bool = False


Picker = Callable[[Fill, Sequence[Lot]], Sequence[Pick]]
"""Puts the open lots of the other side into the order in which a fill uses them up."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A part (signed like the lot) taken out of a lot, its basis, and what remains of the lot."""

    lot: Lot
    part: Quantity
    basis: Money | None
    remaining: Lot


def age(lot: Lot) -> tuple[bool, datetime, LotId]:
    """The order of first in, first out: lots whose date nobody knows are older than the account, ties go by lot id."""
    return (lot.dated, lot.opened_at, lot.lot_id)


def oldest_first(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    """First in, first out (26 CFR 1.1012-1(c)): the default wherever no lot was identified."""
    return [Pick(lot) for lot in sorted(lots, key=age)]


def book_fill(fill: Fill, lots: Sequence[Lot], pick: Picker = oldest_first) -> Booked:
    """Book a fill against the open lots of its account and instrument, in the order of `pick`.

    An order that closes and reverses is split: value and fee are shared by quantity, and the last part takes the exact
    rest. Ties between lots of one instant are settled by lot id, so that every replay agrees.
    """
    sign = fill.side.sign
    left, value_left, fee_left = fill.moved, fill.taxed_value, fill.fee
    picks = pick(fill, [lot for lot in lots if lot.quantity.value * sign < 0])
    closings, changed = [], []
    for taken in take(picks, left):
        units = abs(taken.part)
        changed.append(taken.remaining)
        if not units:
            continue
        value, fee = share_known(value_left, units, left), fee_left.share(units, left)
        closings.append(_closing(fill, taken, value, fee))
        left, value_left, fee_left = left - units, less(value_left, value), fee_left - fee
    opened = _open(fill, left, value_left, fee_left) if left else None
    return Booked(tuple(closings), tuple(changed), opened)


def take(picks: Sequence[Pick], wanted: Quantity) -> Iterator[Taken]:
    """Take `wanted` units (above zero) out of the picked lots, as far as they reach; lots with a new basis are given too."""
    left = wanted
    for chosen in picks:
        lot = chosen.lot
        units = min(left, abs(lot.quantity))
        if chosen.most is not None:
            units = min(units, chosen.most)
        if not units:
            if chosen.rebased:
                yield Taken(lot, Quantity(0), None, lot)
            continue
        part = units if lot.quantity.value > 0 else -units
        basis = share_known(lot.basis, part, lot.quantity)
        yield Taken(lot, part, basis, replace(lot, quantity=lot.quantity - part, basis=less(lot.basis, basis)))
        left -= units


def share_known(amount: Money | None, part: Quantity, whole: Quantity) -> Money | None:
    """A share of an amount; of an unknown one it is unknown."""
    return None if amount is None else amount.share(part, whole)


def less(amount: Money | None, part: Money | None) -> Money | None:
    """amount - part, unknown when either is."""
    return None if amount is None or part is None else amount - part


def _closing(fill: Fill, taken: Taken, value: Money | None, fee: Money) -> Closing:
    """Use up part of a lot. A sale brings value less fee; covering a short costs value plus fee."""
    proceeds = None if value is None else value - fee if fill.side is Side.SELL else -(value + fee)
    return Closing(
        closing_id=ClosingId(derived_id("closing", fill.fill_id, taken.lot.lot_id)),
        lot_id=taken.lot.lot_id,
        fill_id=fill.fill_id,
        quantity=taken.part,
        proceeds=proceeds,
        basis=taken.basis,
        realised=less(proceeds, taken.basis),
        left=taken.remaining.quantity,
        opened_on=taken.lot.opened_on,
        closed_on=fill.session,
        closed_at=fill.executed_at,
    )


def _open(fill: Fill, quantity: Quantity, value: Money | None, fee: Money) -> Lot:
    signed = quantity if fill.side is Side.BUY else -quantity
    basis = None if value is None else value + fee if fill.side is Side.BUY else -(value - fee)
    return lot_of_fill(fill, signed, signed, basis)


def lot_of_fill(fill: Fill, opened: Quantity, quantity: Quantity, basis: Money | None) -> Lot:
    """The lot that a fill opens. opened: its units at first, quantity: those still open, both negative when short."""
    return Lot(
        lot_id=LotId(derived_id("lot", fill.fill_id)),
        fill_id=fill.fill_id,
        account_id=fill.account_id,
        user_id=fill.user_id,
        instrument=fill.instrument,
        opened_quantity=opened,
        quantity=quantity,
        basis=basis,
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


def split_lots(lots: Iterable[Lot], split: Split) -> list[Lot]:
    """Lots of one instrument after a split: more or fewer units, the same total basis and dates.

    Lots that came on or after it stay as they are. The position is what a broker splits, and rounds once: so each lot, from the
    oldest on, gets what the sum up to it gains. Where units do not come out even, lots of equal size may differ in the last digit.
    """
    done, before, after = [], Quantity(0), Quantity(0)
    for lot in sorted(lots, key=age):
        if lot.created_on >= split.effective:
            done.append(lot)
            continue
        before += lot.quantity
        reached = before.scaled(split.numerator, split.denominator)
        opened = lot.opened_quantity.scaled(split.numerator, split.denominator)
        now, after = reached - after, reached
        done.append(replace(lot, quantity=now, opened_quantity=now if lot.quantity == lot.opened_quantity else opened))
    return done
