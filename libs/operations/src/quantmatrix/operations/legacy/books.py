"""The portfolio that the trades make: first in, first out by the ledger's own booking, with what was missing at the beginning."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, AssetClass, FillId, Side
from quantmatrix.common.values import Money, Quantity
from quantmatrix.operations.legacy.found import Found, Trade, Where
from quantmatrix.portfolio.domain.arrivals import Arrival, Origin
from quantmatrix.portfolio.domain.ledger import Event, Ledger, booked
from quantmatrix.portfolio.domain.lots import Fill

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """One instrument of one account after booking.

    realised and open_cost: what is known. pending and pending_proceeds: units sold out of an opening lot whose cost nobody
    knows, and what they brought. unknown: units of that lot still held.
    """

    quantity: Decimal
    realised: Decimal
    open_cost: Decimal
    pending: Decimal
    pending_proceeds: Decimal
    unknown: Decimal


def openings_of(found: Found) -> dict[Where, Decimal]:
    """Units that were there before the first trade, by account and instrument.

    Where the older system says what it holds, it is that less what was traded. Where it keeps no such list, it is the most
    that was ever sold beyond what had been bought. An option is never guessed at: selling one that is not held is normal.
    """
    needed: dict[Where, Decimal] = {}
    for where, trades in by_place(found.trades).items():
        lowest = level = NONE
        for trade in trades:
            level += trade.side.sign * trade.quantity.value
            lowest = min(lowest, level)
        missing = -lowest
        if found.stored is not None:
            stored = found.stored.get(where)
            missing = (stored.quantity if stored else NONE) - level
        if missing > 0 and found.instruments[where].asset_class is not AssetClass.OPTION:
            needed[where] = missing
    return needed


def by_place(trades: Iterable[Trade]) -> dict[Where, list[Trade]]:
    """Trades by account and instrument in the order of time; equal times by their ids."""
    found: dict[Where, list[Trade]] = defaultdict(list)
    for trade in sorted(trades, key=lambda one: (one.at, one.key)):
        found[trade.where].append(trade)
    return dict(found)


def ledgers(trades: Sequence[Trade], openings: Mapping[Where, Decimal], *, fees: bool) -> dict[AccountId, Ledger]:
    """The ledger of each account, with or without the fees of the trades."""
    events: dict[AccountId, list[Event]] = defaultdict(list)
    for (account, _), traded in by_place(trades).items():
        first = traded[0]
        if first.where in openings:
            events[account].append(_opening(first, openings[first.where]))
        for place, trade in enumerate(traded):
            fill = _fill(trade if fees else replace(trade, fee=Money.zero(trade.fee.currency)))
            events[account].append(Event(fill.fill_id, fill, place))
    return {account: booked(known) for account, known in events.items()}


def positions(ledger: Ledger, account: AccountId) -> dict[Where, Position]:
    """What a ledger says of each instrument, closed ones too."""
    sums: dict[Where, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(Position.__dataclass_fields__, NONE))
    for lot in ledger.lots.values():
        mine = sums[account, lot.instrument.instrument_id]
        mine["quantity"] += lot.quantity.value
        mine["open_cost" if lot.basis is not None else "unknown"] += lot.quantity.value if lot.basis is None else lot.basis.amount
    for closing in ledger.closings:
        mine = sums[account, ledger.lots[closing.lot_id].instrument.instrument_id]
        if closing.realised is None:
            mine["pending"] += closing.quantity.value
            mine["pending_proceeds"] += closing.known_proceeds.amount
        else:
            mine["realised"] += closing.realised.amount
    return {where: Position(**found) for where, found in sums.items()}


def _fill(trade: Trade) -> Fill:
    return Fill(
        FillId(derived_id("older trade", trade.account, trade.key)), trade.account, FIRST_ADMINISTRATOR, trade.instrument, trade.side,
        trade.quantity, trade.price, trade.fee, trade.session, trade.at, trade.triggered_by, amount=trade.value,
    )  # fmt: skip


def _opening(first: Trade, quantity: Decimal) -> Event:
    """The units before the first trade, of unknown cost and date: they leave first."""
    arrival = Arrival(
        FillId(derived_id("older opening", *first.where)), first.account, FIRST_ADMINISTRATOR, first.instrument, Origin.OPENING,
        Quantity(quantity), None, None, first.session, datetime.combine(first.session, time(0), UTC),
    )  # fmt: skip
    return Event(arrival.arrival_id, arrival)


def signed(trades: Iterable[Trade]) -> dict[Where, Decimal]:
    """What the trades add up to, by account and instrument, computed without the ledger."""
    total: dict[Where, Decimal] = defaultdict(Decimal)
    for trade in trades:
        total[trade.where] += trade.quantity.value if trade.side is Side.BUY else -trade.quantity.value
    return dict(total)
