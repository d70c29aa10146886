"""The ledger of one account, made of everything that happened to it: the order in which it was heard does not matter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import assert_never
from uuid import UUID

from quantmatrix.common.names import AccountId, InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.actions import Acted, Merger, Rename, ReturnOfCapital, SpinOff, merge, rename, return_capital, spin_off
from quantmatrix.portfolio.domain.arrivals import Arrival, Completion, Departure, Left, arrived, completed, depart
from quantmatrix.portfolio.domain.book import cash_moved
from quantmatrix.portfolio.domain.lots import NOTHING, Closing, Fill, Lot, Split, book_fill, split_lot
from quantmatrix.portfolio.domain.methods import LotMethods, picker_for
from quantmatrix.portfolio.domain.options import Ended, book_end


@dataclass(frozen=True, slots=True)
class ShareSplit:
    """A split of an instrument. What is paid for a fraction is a sale of its own, with the amount that came."""

    instrument_id: InstrumentId
    split: Split


@dataclass(frozen=True, slots=True)
class Reversal:
    """Takes back an event that was wrong: the ledger is as if it had never been. Reversing the reversal brings it back."""

    reverses: UUID


What = Fill | Ended | Arrival | Departure | ShareSplit | SpinOff | Merger | Rename | ReturnOfCapital
"""What changes lots."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, once for each id. place settles the order of what happened in one instant: the row of a file."""

    event_id: UUID
    what: What | Completion | Reversal
    place: int = 0


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """What an account's owner and law decide: the lot methods, and whether premiums go into the stock."""

    methods: LotMethods = field(default_factory=LotMethods)
    fold_premium: bool = True


class EventConflictError(ValueError):
    """Two events have one id and differ, or an event is of another account."""


@dataclass(slots=True)
class Ledger:
    """Lots by id (closed ones too), closings in order, cash by currency.

    entered: basis that came in less basis that left without a trade, by currency: cash + Σ basis = realised + entered.
    """

    lots: dict[LotId, Lot] = field(default_factory=dict)
    closings: list[Closing] = field(default_factory=list)
    cash: dict[str, Money] = field(default_factory=dict)
    entered: dict[str, Money] = field(default_factory=dict)
    departures: list[Left] = field(default_factory=list)

    def open_lots(self, instrument_id: InstrumentId) -> list[Lot]:
        """What is held of an instrument, in no order."""
        return [lot for lot in self.lots.values() if lot.quantity and lot.instrument.instrument_id == instrument_id]

    def quantity(self, instrument_id: InstrumentId) -> Quantity:
        total = NOTHING
        for lot in self.open_lots(instrument_id):
            total += lot.quantity
        return total

    def basis(self, currency: str) -> Money:
        """Σ basis of what is open. Raises UnknownBasisError while one is unknown."""
        total = Money.zero(currency)
        for lot in self.lots.values():
            if lot.quantity and lot.instrument.currency == currency:
                total += lot.known_basis
        return total

    def realised(self, currency: str) -> Money:
        """Σ gains that are known."""
        total = Money.zero(currency)
        for closing in self.closings:
            if closing.realised is not None and closing.realised.currency == currency:
                total += closing.realised
        return total

    @property
    def pending(self) -> list[Closing]:
        """Closings whose gain waits for a basis."""
        return [closing for closing in self.closings if closing.realised is None]


def booked(events: Iterable[Event], rules: LedgerRules | None = None) -> Ledger:
    """The ledger that these events make. An event given twice counts once; a reversed one not at all.

    They are booked by day: what is effective before the open, what arrives, trades by time and place, what leaves. Raises
    EventConflictError when ids or accounts disagree, and what booking raises (LotChoiceError, NotEnoughHeldError).
    """
    keeper = _Keeper(rules or LedgerRules())
    for event in in_order(events):
        keeper.book(event)
    return keeper.ledger


@dataclass(frozen=True, slots=True)
class Ordered:
    """An event that counts, with its completion applied."""

    event_id: UUID
    what: What
    place: int


def in_order(events: Iterable[Event]) -> list[Ordered]:
    """The events that count, each once, in the order of booking."""
    by_id: dict[UUID, Event] = {}
    for event in events:
        known = by_id.setdefault(event.event_id, event)
        if known.what != event.what:
            raise EventConflictError(f"two events have the id {event.event_id} and say different things")
    reversals: dict[UUID, list[UUID]] = {}
    for event in by_id.values():
        if isinstance(event.what, Reversal):
            reversals.setdefault(event.what.reverses, []).append(event.event_id)
    standing = [event for event in by_id.values() if _stands(event.event_id, reversals, frozenset())]
    completions = {event.what.arrival_id: event.what for event in standing if isinstance(event.what, Completion)}
    found = []
    for event in standing:
        what = event.what
        if isinstance(what, Completion | Reversal):
            continue
        if isinstance(what, Arrival) and what.arrival_id in completions:
            what = completed(what, completions[what.arrival_id])
        found.append(Ordered(event.event_id, what, event.place))
    _of_one_account(found)
    return sorted(found, key=_when)


def _stands(event_id: UUID, reversals: dict[UUID, list[UUID]], above: frozenset[UUID]) -> bool:
    """Whether no standing reversal takes the event back."""
    if event_id in above:
        raise EventConflictError(f"reversal {event_id} reverses itself")
    return not any(_stands(reversal, reversals, above | {event_id}) for reversal in reversals.get(event_id, ()))


def _of_one_account(events: Sequence[Ordered]) -> None:
    accounts: set[AccountId] = {one.what.account_id for one in events if isinstance(one.what, Fill | Ended | Arrival)}
    if len(accounts) > 1:
        raise EventConflictError(f"a ledger is of one account, these events are of {', '.join(sorted(accounts))}")


def _when(event: Ordered) -> tuple[date, int, datetime, int, str]:
    day, phase, at = _time_of(event.what)
    return day, phase, at, event.place, str(event.event_id)


def _time_of(what: What) -> tuple[date, int, datetime]:
    """The day, the phase of the day, and the instant in it."""
    match what:
        case Fill():
            return what.session, 2, what.executed_at
        case Ended():
            return what.session, 2, what.ended_at
        case Arrival():
            return what.session, 1, what.arrived_at
        case Departure():
            return what.session, 3, what.left_at
        case ShareSplit():
            return _before_open(what.split.effective)
        case SpinOff() | Merger() | Rename() | ReturnOfCapital():
            return _before_open(what.effective)
        case _:
            assert_never(what)


def _before_open(day: date) -> tuple[date, int, datetime]:
    return day, 0, datetime.combine(day, time(0), UTC)


class _Keeper:
    """Books one event after the other into a ledger that it owns."""

    def __init__(self, rules: LedgerRules) -> None:
        self.ledger = Ledger()
        self._rules = rules
        self._open: dict[InstrumentId, dict[LotId, Lot]] = {}

    def book(self, event: Ordered) -> None:
        what = event.what
        match what:
            case Fill():
                self._fill(what)
            case Ended():
                self._end(what)
            case Arrival():
                self._arrival(what)
            case Departure():
                self._departure(what)
            case ShareSplit():
                self._keep([split_lot(lot, what.split) for lot in self._held(what.instrument_id)])
            case SpinOff():
                self._acted(spin_off(what, self._held(what.parent.instrument_id)))
            case Merger():
                self._acted(merge(what, self._held(what.old.instrument_id)))
            case Rename():
                self._acted(rename(what, self._held(what.old.instrument_id)))
            case ReturnOfCapital():
                self._acted(return_capital(what, self._held(what.instrument.instrument_id)))
            case _:
                assert_never(what)

    def _fill(self, fill: Fill) -> None:
        done = book_fill(fill, self._held(fill.instrument.instrument_id), picker_for(self._rules.methods.on(fill.session)))
        self.ledger.closings += done.closings
        self._keep([*done.changed, *([done.opened] if done.opened is not None else [])])
        self._pay(cash_moved(fill))

    def _end(self, end: Ended) -> None:
        pick = picker_for(self._rules.methods.on(end.session))
        ended = book_end(end, self._held(end.option.instrument_id), self._rules.fold_premium, pick)
        self.ledger.closings += ended.option.closings
        self._keep(ended.option.changed)
        if ended.delivery is not None:
            self._fill(ended.delivery)
        else:
            self._pay(-end.fee)

    def _arrival(self, arrival: Arrival) -> None:
        self._keep([arrived(arrival)])
        if arrival.basis is not None:
            self._enter(arrival.basis)

    def _departure(self, departure: Departure) -> None:
        left, remaining = depart(departure, self._held(departure.instrument.instrument_id))
        self._keep(remaining)
        self.ledger.departures += left
        for part in left:
            if part.basis is not None:
                self._enter(-part.basis)

    def _acted(self, acted: Acted) -> None:
        self.ledger.closings += acted.closings
        self._keep([*acted.changed, *acted.opened])
        self._pay(acted.cash)

    def _held(self, instrument_id: InstrumentId) -> list[Lot]:
        return list(self._open.get(instrument_id, {}).values())

    def _keep(self, lots: Iterable[Lot]) -> None:
        for lot in lots:
            before = self.ledger.lots.get(lot.lot_id)
            if before is not None:
                self._open.get(before.instrument.instrument_id, {}).pop(lot.lot_id, None)
            self.ledger.lots[lot.lot_id] = lot
            if lot.quantity:
                self._open.setdefault(lot.instrument.instrument_id, {})[lot.lot_id] = lot

    def _pay(self, amount: Money) -> None:
        self.ledger.cash[amount.currency] = self.ledger.cash.get(amount.currency, Money.zero(amount.currency)) + amount

    def _enter(self, basis: Money) -> None:
        self.ledger.entered[basis.currency] = self.ledger.entered.get(basis.currency, Money.zero(basis.currency)) + basis
