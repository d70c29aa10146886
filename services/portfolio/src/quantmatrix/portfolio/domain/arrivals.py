"""Units that come and go without a trade: transfers, grants, income in kind, opening inventory; and bases supplied later."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, LotId, UserId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import Closing, Lot, NamedLot, Pick, age, less, share_known, take


class Origin(StrEnum):
    """Where units came from that nobody bought in this account."""

    TRANSFER = "transfer"
    OPENING = "opening"
    GRANT = "grant"
    INCOME = "income"
    GIFT = "gift"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Units that came without a trade. quantity carries a sign, a short position may be transferred too.

    basis: the total, None while unknown (a transferred lot before its statement); of a grant the market value at
    vesting, of income in kind the value when it was received. acquired_on: when the holding began, None while unknown.
    """

    arrival_id: FillId
    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    origin: Origin
    quantity: Quantity
    basis: Money | None
    acquired_on: date | None
    session: date
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Departure:
    """quantity (above zero) units that left without a trade, with named lots or the oldest first."""

    departure_id: FillId
    instrument: Instrument
    quantity: Quantity
    session: date
    left_at: datetime
    named: tuple[NamedLot, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What was found out later about an arrival: its total basis, and when the holding began."""

    arrival_id: FillId
    basis: Money
    acquired_on: date | None


@dataclass(frozen=True, slots=True)
class Left:
    """A part of a lot that left: what the receiving account needs to go on with it."""

    lot_id: LotId
    quantity: Quantity
    basis: Money | None
    acquired_on: date | None


class NotEnoughHeldError(ValueError):
    """More units were to go than are held, or than the named lots hold."""

    def __init__(self, held: Quantity, wanted: Quantity, symbol: str) -> None:
        super().__init__(f"{wanted} {symbol} were to go, {held} are held in the lots they may come from")


def arrived(arrival: Arrival) -> Lot:
    """The lot of an arrival. Its holding goes back to the original date; corporate actions see the day it came."""
    opened_on = arrival.acquired_on or arrival.session
    held_before = opened_on != arrival.session
    return Lot(
        lot_id=LotId(derived_id("lot", arrival.arrival_id)),
        fill_id=arrival.arrival_id,
        account_id=arrival.account_id,
        user_id=arrival.user_id,
        instrument=arrival.instrument,
        opened_quantity=arrival.quantity,
        quantity=arrival.quantity,
        basis=arrival.basis,
        opened_on=opened_on,
        opened_at=datetime.combine(opened_on, arrival.arrived_at.timetz()) if held_before else arrival.arrived_at,
        triggered_by=arrival.origin.value,
        dated=arrival.acquired_on is not None,
        arrived_on=arrival.session if held_before else None,
    )


def depart(departure: Departure, lots: Sequence[Lot]) -> tuple[list[Left], list[Lot]]:
    """What leaves, and the lots it leaves behind. No gain: the basis goes along.

    Raises NotEnoughHeldError when lots (or the named ones) do not reach.
    """
    side = [lot for lot in lots if lot.quantity]
    if departure.named:
        open_lots = {lot.lot_id: lot for lot in side}
        picks = [Pick(open_lots[one.lot_id], one.quantity) for one in departure.named if one.lot_id in open_lots]
    else:
        picks = [Pick(lot) for lot in sorted(side, key=age)]
    parts = list(take(picks, departure.quantity))
    gone = Quantity(0)
    for taken in parts:
        gone += abs(taken.part)
    if gone != departure.quantity:
        raise NotEnoughHeldError(gone, departure.quantity, departure.instrument.symbol)
    moved = [Left(taken.lot.lot_id, taken.part, taken.basis, taken.lot.opened_on if taken.lot.dated else None) for taken in parts]
    return moved, [taken.remaining for taken in parts]


def completed(arrival: Arrival, completion: Completion) -> Arrival:
    """The arrival as it would have been booked, had everything been known."""
    return replace(arrival, basis=completion.basis, acquired_on=completion.acquired_on or arrival.acquired_on)


def complete_lot(lot: Lot, closings: Sequence[Closing], basis: Money) -> tuple[Lot, list[Closing]]:
    """Give a lot that was booked without one its total basis: what is left, and its closings in their order, gains no longer pending.

    The shares are those that booking would have made. Where the lot went through actions that move basis, the book is
    made anew from its facts instead.
    """
    left: Money | None = basis
    done = []
    for closing in closings:
        part = share_known(left, closing.quantity, closing.left + closing.quantity)
        left = less(left, part)
        done.append(replace(closing, basis=part, realised=less(closing.proceeds, part)))
    return replace(lot, basis=left), done
