"""Exercise, assignment and expiry of options: the premium goes into the stock, or is settled apart where the law says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.portfolio.domain.arrivals import NotEnoughHeldError
from quantmatrix.portfolio.domain.lots import Booked, Closing, Fill, Lot, Picker, Premium, book_fill, oldest_first


class Right(StrEnum):
    CALL = "call"
    PUT = "put"


class OptionEnd(StrEnum):
    """How contracts ended. Exercise is of long ones, assignment of short ones."""

    EXERCISE = "exercise"
    ASSIGNMENT = "assignment"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Ended:
    """Contracts (above zero) that ended. underlying, strike and right are those of the option; fee is that of the delivery.

    end_id: the stock's fill has this id, the option's one derived from it. shares: what was delivered in all, where a split
    changed it; None for the multiplier of each contract.
    """

    end_id: FillId
    account_id: AccountId
    user_id: UserId
    how: OptionEnd
    option: Instrument
    underlying: Instrument
    right: Right
    strike: Price
    contracts: Quantity
    fee: Money
    session: date
    ended_at: datetime
    triggered_by: str
    shares: Quantity | None = None

    @property
    def holds_long(self) -> bool:
        return self.how is OptionEnd.EXERCISE

    @property
    def stock_side(self) -> Side:
        """A call exercised and a put assigned bring stock, the two others take it away."""
        return Side.BUY if self.holds_long is (self.right is Right.CALL) else Side.SELL


@dataclass(frozen=True, slots=True)
class EndBooked:
    """What the end of contracts did to the option's lots, and the fill of the stock it delivered; None on expiry."""

    option: Booked
    delivery: Fill | None


def book_end(end: Ended, lots: Sequence[Lot], fold_premium: bool = True, pick: Picker = oldest_first) -> EndBooked:
    """Close the option's lots and make the stock's fill; the caller books that as any other.

    fold_premium (United States, Publication 550, "Puts and Calls"): the option closes without gain, and what it cost or
    brought becomes part of the stock's cost or proceeds. Without it (Germany) the option is a closing of its own at zero,
    and the stock changes hands at the strike. Expiry is a closing at zero everywhere. lots are the option's open ones.
    Raises NotEnoughHeldError when they hold fewer contracts: what was held before the ledger began must be entered first.
    """
    booked = book_fill(_at_zero(end, lots), lots, pick)
    if booked.opened is not None:
        raise NotEnoughHeldError(end.contracts - abs(booked.opened.quantity), end.contracts, end.option.symbol)
    if end.how is OptionEnd.EXPIRY:
        return EndBooked(booked, None)
    if not fold_premium:
        return EndBooked(booked, _delivery(end, None))
    premium = _given_on(booked.closings, end.option.currency)
    closings = tuple(without_gain(closing) for closing in booked.closings)
    return EndBooked(replace(booked, closings=closings), _delivery(end, premium))


def _at_zero(end: Ended, lots: Sequence[Lot]) -> Fill:
    """The option's side of it: a fill at a price of zero. Of an expiry the lots say which side is held."""
    holds_long = any(lot.quantity.value > 0 for lot in lots) if end.how is OptionEnd.EXPIRY else end.holds_long
    return Fill(
        fill_id=FillId(derived_id("option", end.end_id)),
        account_id=end.account_id,
        user_id=end.user_id,
        instrument=end.option,
        side=Side.SELL if holds_long else Side.BUY,
        quantity=end.contracts,
        price=Price(0),
        fee=end.fee if end.how is OptionEnd.EXPIRY else Money.zero(end.option.currency),
        session=end.session,
        executed_at=end.ended_at,
        triggered_by=end.triggered_by,
    )


def _delivery(end: Ended, premium: Premium | None) -> Fill:
    units = Quantity(notional(Price(1), end.contracts, end.option.multiplier, end.option.currency).amount)
    adjusted = end.shares is not None and end.shares != units
    return Fill(
        fill_id=end.end_id,
        account_id=end.account_id,
        user_id=end.user_id,
        instrument=end.underlying,
        side=end.stock_side,
        quantity=end.shares or units,
        price=end.strike,
        fee=end.fee,
        session=end.session,
        executed_at=end.ended_at,
        triggered_by=end.triggered_by,
        amount=notional(end.strike, units, end.underlying.multiplier, end.option.currency) if adjusted else None,
        premium=premium,
    )


def _given_on(closings: Sequence[Closing], currency: str) -> Premium:
    """The basis of the closed contracts: what they cost, or the negative of what they brought."""
    total = Money.zero(currency)
    for closing in closings:
        if closing.basis is None:
            return Premium(None)
        total += closing.basis
    return Premium(total)


def without_gain(closing: Closing) -> Closing:
    """The basis went into the stock: what the option brought is what it cost."""
    gain = None if closing.basis is None else Money.zero(closing.basis.currency)
    return replace(closing, proceeds=closing.basis, realised=gain)
