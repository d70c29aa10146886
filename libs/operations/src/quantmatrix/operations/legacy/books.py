"""The portfolio that the trades make: first in, first out by the ledger's own booking, with what was missing at the beginning."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AssetClass, FillId, Side
from quantmatrix.common.values import Money, Quantity
from quantmatrix.operations.legacy.found import Found, Trade, Where
from quantmatrix.portfolio.domain.arrivals import Arrival, Origin, arrived
from quantmatrix.portfolio.domain.lots import Fill, Lot, age, book_fill

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


def booked_positions(trades: Iterable[Trade], openings: Mapping[Where, Decimal], *, fees: bool) -> dict[Where, Position]:
    """What the ledger's booking makes of each instrument, with or without the fees of the trades; closed ones too."""
    made = {}
    for where, traded in by_place(trades).items():
        queue = _Queue()
        if where in openings:
            queue.keep(arrived(opening_of(traded[0], openings[where])))
        for trade in traded:
            queue.book(fill_of(trade if fees else replace(trade, fee=Money.zero(trade.fee.currency))))
        made[where] = queue.position()
    return made


class _Queue:
    """The open lots of one instrument, the oldest first. Each fill is shown no more lots than it can use up."""

    def __init__(self) -> None:
        self._lots: deque[Lot] = deque()
        self._realised = self._pending = self._pending_proceeds = NONE

    def book(self, fill: Fill) -> None:
        reached: list[Lot] = []
        units = fill.moved
        while self._lots and units.value > 0 and self._lots[0].quantity.value * fill.side.sign < 0:
            reached.append(self._lots.popleft())
            units -= abs(reached[-1].quantity)
        booked = book_fill(fill, reached)
        for closing in booked.closings:
            if closing.realised is None:
                self._pending += closing.quantity.value
                self._pending_proceeds += closing.known_proceeds.amount
            else:
                self._realised += closing.realised.amount
        self._lots.extendleft(lot for lot in reversed(booked.changed) if lot.quantity)
        if booked.opened is not None:
            self.keep(booked.opened)

    def keep(self, lot: Lot) -> None:
        """Put a lot behind all that are older; ties of one instant go by lot id, as everywhere."""
        younger = []
        while self._lots and age(self._lots[-1]) > age(lot):
            younger.append(self._lots.pop())
        self._lots.append(lot)
        self._lots.extend(reversed(younger))

    def position(self) -> Position:
        known = [lot for lot in self._lots if lot.basis is not None]
        return Position(
            quantity=sum((lot.quantity.value for lot in self._lots), NONE),
            realised=self._realised,
            open_cost=sum((lot.known_basis.amount for lot in known), NONE),
            pending=self._pending,
            pending_proceeds=self._pending_proceeds,
            unknown=sum((lot.quantity.value for lot in self._lots if lot.basis is None), NONE),
        )


def fill_of(trade: Trade) -> Fill:
    return Fill(
        FillId(derived_id("older trade", trade.account, trade.key)), trade.account, FIRST_ADMINISTRATOR, trade.instrument, trade.side,
        trade.quantity, trade.price, trade.fee, trade.session, trade.at, trade.triggered_by, amount=trade.value,
    )  # fmt: skip


def opening_of(first: Trade, quantity: Decimal) -> Arrival:
    """The units before the first trade, of unknown cost and date: they leave first."""
    return Arrival(
        FillId(derived_id("older opening", *first.where)), first.account, FIRST_ADMINISTRATOR, first.instrument, Origin.OPENING,
        Quantity(quantity), None, None, first.session, datetime.combine(first.session, time(0), UTC),
    )  # fmt: skip


def signed(trades: Iterable[Trade]) -> dict[Where, Decimal]:
    """What the trades add up to, by account and instrument, computed without the ledger."""
    total: dict[Where, Decimal] = defaultdict(Decimal)
    for trade in trades:
        total[trade.where] += trade.quantity.value if trade.side is Side.BUY else -trade.quantity.value
    return dict(total)
