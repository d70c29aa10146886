"""One session: what each execution closed, with prices and fees of both ends, and the most that was held at once. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from quantmatrix.common.names import AccountId, FillId, InstrumentId, Side
from quantmatrix.common.values import Money, Price, Quantity, notional, round_half_even


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a lot that an execution used up. quantity, basis and proceeds carry the lot's sign; fees are inside both."""

    account_id: AccountId
    symbol: str
    currency: str
    multiplier: Quantity
    quantity: Quantity
    basis: Money | None
    proceeds: Money | None
    opened_at: datetime
    closed_at: datetime
    opener: str
    opened_by: FillId
    closed_by: FillId


@dataclass(frozen=True, slots=True)
class Printed:
    """An execution as its broker told it; quantity is above zero, in the units of its day."""

    quantity: Quantity
    price: Price
    fee: Money


@dataclass(frozen=True, slots=True)
class Closed:
    """What one execution closed; see the question of the same fields."""

    account_id: AccountId
    symbol: str
    opening: Side
    quantity: Quantity
    opened_at: datetime
    closed_at: datetime
    entry: Price
    exit: Price
    fees: Money
    net: Money
    staked: Money
    opener: str
    opened_by: FillId
    closed_by: FillId


@dataclass(frozen=True, slots=True)
class Held:
    """A position at the end of a session, valued at its price; the value carries the sign of the quantity."""

    account_id: AccountId
    instrument_id: InstrumentId
    symbol: str
    quantity: Quantity
    price: Price | None
    value: Money


@dataclass(frozen=True, slots=True)
class Dealt:
    """An execution of the session: quantity above zero for a purchase, below for a sale."""

    account_id: AccountId
    instrument_id: InstrumentId
    currency: str
    quantity: Quantity
    price: Price
    multiplier: Quantity


def exits_of(parts: Iterable[Part], printed: Mapping[FillId, Printed]) -> list[Closed]:
    """The parts of each execution together, in order of time. Parts whose gain is pending are left outside by the caller.

    Fees of a lot's purchase are shared out as its basis is; executions that nobody printed, such as an expiry, cost nothing.
    """

    def key(one: Part) -> tuple[datetime, str, str]:
        return one.closed_at, str(one.closed_by), one.account_id

    return [_closed(list(own), printed) for _, own in groupby(sorted(parts, key=key), key)]


def _closed(own: Sequence[Part], printed: Mapping[FillId, Printed]) -> Closed:
    first = min(own, key=lambda one: (one.opened_at, str(one.opened_by)))
    nothing, is_long = Money.zero(first.currency), first.quantity > Quantity(0)
    units, basis, proceeds, entry_fees = Decimal(0), nothing, nothing, nothing
    for one in own:
        units += abs(one.quantity.value)
        basis += one.basis or nothing
        proceeds += one.proceeds or nothing
        entry_fees += _entry_fee(one, printed.get(one.opened_by))
    quantity = Quantity(units)
    staked, brought = (basis, proceeds) if is_long else (-basis, -proceeds)
    left = printed.get(first.closed_by)
    exit_fee = left.fee.share(quantity, left.quantity) if left is not None else nothing
    return Closed(
        account_id=first.account_id,
        symbol=first.symbol,
        opening=Side.BUY if is_long else Side.SELL,
        quantity=quantity,
        opened_at=first.opened_at,
        closed_at=first.closed_at,
        entry=_unit(staked - entry_fees if is_long else staked + entry_fees, quantity, first.multiplier),
        exit=left.price if left is not None else _unit(brought, quantity, first.multiplier),
        fees=entry_fees + exit_fee,
        net=proceeds - basis,
        staked=staked,
        opener=first.opener,
        opened_by=first.opened_by,
        closed_by=first.closed_by,
    )


def _entry_fee(one: Part, opened: Printed | None) -> Money:
    """The share of the opening's fee that is inside this part's basis: splits since then change neither."""
    nothing = Money.zero(one.currency)
    if opened is None or one.basis is None or not opened.fee:
        return nothing
    value = notional(opened.price, opened.quantity, one.multiplier, one.currency)
    whole = value + opened.fee if one.quantity > Quantity(0) else opened.fee - value
    return one.basis.times(opened.fee.amount / whole.amount) if whole else nothing


def _unit(amount: Money, quantity: Quantity, multiplier: Quantity) -> Price:
    """Money per unit, rounded to six digits."""
    return Price(round_half_even(amount.amount / (quantity.value * multiplier.value), 6))


def peak_exposure(before: Iterable[Held], dealt: Iterable[Dealt]) -> Decimal:
    """The most that was held at once, both sides added up, from the end of the session before on, as executions came in.

    What an execution did not trade keeps the value of the session before. In the currency of the accounts.
    """
    held: dict[tuple[AccountId, InstrumentId], tuple[Decimal, Decimal]] = {}
    for one in before:
        if one.quantity:
            held[one.account_id, one.instrument_id] = one.quantity.value, one.value.amount / one.quantity.value
    peak = now = sum((abs(units * unit) for units, unit in held.values()), Decimal(0))
    for trade in dealt:
        key, unit = (trade.account_id, trade.instrument_id), trade.price.value * trade.multiplier.value
        units, was = held.get(key, (Decimal(0), unit))
        held[key] = units + trade.quantity.value, unit
        now += abs(held[key][0] * unit) - abs(units * was)
        peak = max(peak, now)
    return peak
