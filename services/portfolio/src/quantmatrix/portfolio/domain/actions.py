"""Corporate actions on the lots of one account: what becomes of quantity, basis and dates. Basis is moved, never made or lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ClosingId, FillId, LotId
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.portfolio.domain.lots import NOTHING, Closing, Lot, Split, less, share_known

WORTHLESS = Price(0)


@dataclass(frozen=True, slots=True)
class SpinOff:
    """numerator units of `child` for denominator of `parent`. Basis is divided by market value of what is held of each.

    A child price of zero leaves the basis with the parent until the company publishes its allocation (Form 8937).
    """

    action_id: UUID
    parent: Instrument
    child: Instrument
    effective: date
    numerator: int
    denominator: int
    parent_price: Price
    child_price: Price


@dataclass(frozen=True, slots=True)
class Merger:
    """The units of `old` become numerator units of `into` for denominator old ones, and `cash` per old unit.

    into None: cash alone. into_price: market value of a new unit, needed where cash comes with stock. taxable: everything
    received counts as a sale at its value; otherwise the stock takes over basis and dates, and gain is recognised up to
    the cash, loss not at all (IRC 354, 356). A short position that pays cash owes that much less.
    """

    action_id: UUID
    old: Instrument
    into: Instrument | None
    effective: date
    numerator: int
    denominator: int
    cash: Money
    into_price: Price = WORTHLESS
    taxable: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """The same units under another instrument: a new symbol, a new ISIN."""

    action_id: UUID
    old: Instrument
    into: Instrument
    effective: date


@dataclass(frozen=True, slots=True)
class ReturnOfCapital:
    """Cash that is no income: `per_unit` lowers the basis of every unit held before `effective`, the ex-date.

    booked_as_income: the cash was booked as a dividend before it was reclassified, so that no cash moves now.
    """

    action_id: UUID
    instrument: Instrument
    effective: date
    per_unit: Price
    booked_as_income: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """What an action did: closings, the lots it changed and the ones it made, and the cash it brought."""

    closings: tuple[Closing, ...]
    changed: tuple[Lot, ...]
    opened: tuple[Lot, ...]
    cash: Money


def stock_dividend(effective: date, extra: int, held: int) -> Split:
    """`extra` units for `held` ones, not taxed: the basis is spread over more units (IRC 305(a), 307)."""
    return Split(effective, held + extra, held)


def spin_off(action: SpinOff, lots: Sequence[Lot]) -> Acted:
    """Every lot of the parent gives part of its basis to a lot of the child with the same dates (IRC 355, 358)."""
    changed, opened = [], []
    for lot in _touched(lots, action.effective):
        units = lot.quantity.scaled(action.numerator, action.denominator)
        child_value = notional(action.child_price, units, action.child.multiplier, action.child.currency)
        parent_value = notional(action.parent_price, lot.quantity, action.parent.multiplier, action.parent.currency)
        whole = Quantity((child_value + parent_value).amount)
        basis = share_known(lot.basis, Quantity(child_value.amount), whole) if child_value else Money.zero(action.child.currency)
        changed.append(replace(lot, basis=less(lot.basis, basis)))
        opened.append(_carried(lot, action.child, units, basis, action.action_id, action.effective))
    return Acted((), tuple(changed), tuple(opened), Money.zero(action.parent.currency))


def merge(action: Merger, lots: Sequence[Lot]) -> Acted:
    """Every lot of the old instrument goes; stock and cash come for it, lot by lot."""
    closings, changed, opened = [], [], []
    paid = Money.zero(action.cash.currency)
    for lot in _touched(lots, action.effective):
        units = lot.quantity.scaled(action.numerator, action.denominator) if action.into is not None else NOTHING
        cash = notional(Price(action.cash.amount), lot.quantity, Quantity(1), action.cash.currency)
        closing, basis = _exchanged(action, lot, units, cash)
        if closing is not None:
            closings.append(closing)
        if action.into is not None:
            taken_over = _carried(lot, action.into, units, basis, action.action_id, action.effective)
            opened.append(_bought(taken_over, action.effective) if action.taxable else taken_over)
        changed.append(replace(lot, quantity=NOTHING, basis=Money.zero(lot.instrument.currency)))
        paid += cash
    return Acted(tuple(closings), tuple(changed), tuple(opened), paid)


def rename(action: Rename, lots: Sequence[Lot]) -> Acted:
    """The lots move unchanged, ids included."""
    changed = tuple(replace(lot, instrument=action.into) for lot in lots if lot.created_on < action.effective)
    return Acted((), changed, (), Money.zero(action.old.currency))


def return_capital(action: ReturnOfCapital, lots: Sequence[Lot]) -> Acted:
    """Every long unit's basis falls by the same amount; below zero it is a gain (IRC 301(c)(2) and (3)).

    An unknown basis stays unknown: the book is made anew once it is supplied, and then it is lowered. A short position
    owes the amount, which lowers what it brought.
    """
    closings, changed = [], []
    paid = Money.zero(action.instrument.currency)
    for lot in _touched(lots, action.effective):
        amount = notional(action.per_unit, lot.quantity, lot.instrument.multiplier, lot.instrument.currency)
        paid += amount
        if lot.basis is None:
            continue
        lowered = lot.basis - amount
        if lot.quantity.value > 0 and lowered.amount < 0:
            closings.append(_gain(action, lot, -lowered))
            lowered = Money.zero(lowered.currency)
        changed.append(replace(lot, basis=lowered))
    return Acted(tuple(closings), tuple(changed), (), Money.zero(paid.currency) if action.booked_as_income else paid)


def _touched(lots: Sequence[Lot], effective: date) -> list[Lot]:
    """Open lots that were in the account before the day; one that came later is in new terms already."""
    return [lot for lot in lots if lot.quantity and lot.created_on < effective]


def _exchanged(action: Merger, lot: Lot, units: Quantity, cash: Money) -> tuple[Closing | None, Money | None]:
    """The closing of a lot that is exchanged, if there is anything to settle, and the basis that the new units get."""
    stock = Money.zero(cash.currency)
    if action.into is not None:
        stock = notional(action.into_price, units, action.into.multiplier, action.into.currency)
    if action.taxable or action.into is None:
        value = cash + stock
        return _closing(action.action_id, lot, lot.quantity, value, lot.basis, action.effective), stock
    if not cash:
        return None, lot.basis
    if lot.basis is None:
        return _closing(action.action_id, lot, lot.quantity, cash, None, action.effective), None
    nothing = Money.zero(cash.currency)
    gain = min(cash, max(cash + stock - lot.basis, nothing)) if lot.quantity.value > 0 else nothing
    used = cash - gain
    return _closing(action.action_id, lot, lot.quantity, cash, used, action.effective), lot.basis - used


def _carried(lot: Lot, into: Instrument, units: Quantity, basis: Money | None, action_id: UUID, effective: date) -> Lot:
    """A lot of another instrument with the dates of the one it comes from."""
    return replace(
        lot,
        lot_id=LotId(derived_id("lot", action_id, lot.lot_id)),
        fill_id=FillId(action_id),
        instrument=into,
        opened_quantity=units,
        quantity=units,
        basis=basis,
        arrived_on=effective,
    )


def _bought(lot: Lot, effective: date) -> Lot:
    return replace(lot, opened_on=effective, opened_at=_start(lot, effective), dated=True, arrived_on=None)


def _gain(action: ReturnOfCapital, lot: Lot, excess: Money) -> Closing:
    return _closing(action.action_id, lot, NOTHING, excess, Money.zero(excess.currency), action.effective)


def _closing(action_id: UUID, lot: Lot, part: Quantity, proceeds: Money, basis: Money | None, effective: date) -> Closing:
    return Closing(
        closing_id=ClosingId(derived_id("closing", action_id, lot.lot_id)),
        lot_id=lot.lot_id,
        fill_id=FillId(action_id),
        quantity=part,
        proceeds=proceeds,
        basis=basis,
        realised=less(proceeds, basis),
        left=lot.quantity - part,
        opened_on=lot.opened_on,
        closed_on=effective,
        closed_at=_start(lot, effective),
    )


def _start(lot: Lot, day: date) -> datetime:
    """The start of a day in the zone of the lot's own times: actions are effective before the open."""
    return datetime.combine(day, time(0), lot.opened_at.tzinfo)
