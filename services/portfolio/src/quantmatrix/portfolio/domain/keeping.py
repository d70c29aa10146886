"""The one place that books: what each event does to the lots that are open, live and in every rebuild alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from quantmatrix.common.names import InstrumentId, LotId
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.actions import Acted, Merger, Rename, ReturnOfCapital, SpinOff, merge, rename, return_capital, spin_off
from quantmatrix.portfolio.domain.arrivals import Arrival, Departure, Left, arrived, depart
from quantmatrix.portfolio.domain.book import cash_moved
from quantmatrix.portfolio.domain.events import Ordered, ShareSplit, time_of
from quantmatrix.portfolio.domain.lots import Closing, Fill, Lot, Split, book_fill, split_lots
from quantmatrix.portfolio.domain.methods import LotChoiceError, LotMethods, picker_for
from quantmatrix.portfolio.domain.options import Ended, book_end

BY_ACTION = "corporate_action"
"""What closings by a corporate action are triggered by."""


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """What an account's owner and law decide: the lot methods, and whether premiums go into the stock.

    names_bind: whether a fill is refused when its named lots cannot be used as named. A broker's execution has happened
    and cannot be refused: it is booked by the method of its day instead, and the change tells why.
    """

    methods: LotMethods = field(default_factory=LotMethods)
    fold_premium: bool = True
    names_bind: bool = True


class CashKind(StrEnum):
    """What moved cash: a trade's value, a fee, or a corporate action."""

    TRADE = "trade"
    FEE = "fee"
    ACTION = "corporate_action"


@dataclass(frozen=True, slots=True)
class Paid:
    """One movement of cash. about: the event's id; session: the exchange's day; at: its instant."""

    kind: CashKind
    about: UUID
    amount: Money
    session: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What one event did. lots: those it changed or made, as they are after it, every closed one among them.

    entered: basis that came without a trade, negative where it left. triggered_by: who caused the closings. misnamed: why
    the lots that were named were not used; None where they were, or none were named.
    """

    triggered_by: str
    lots: tuple[Lot, ...] = ()
    closings: tuple[Closing, ...] = ()
    paid: tuple[Paid, ...] = ()
    entered: tuple[Money, ...] = ()
    departures: tuple[Left, ...] = ()
    misnamed: str | None = None

    def lot_of(self, closing: Closing) -> Lot:
        """The lot that a closing used up, as it is after it."""
        return next(lot for lot in self.lots if lot.lot_id == closing.lot_id)


class Keeper:
    """Books one event after the other over lots that it keeps.

    `lots` holds all it was given or has made, by id. It starts with open lots (none for a rebuild), and each event finds
    those of its instruments. Raises what booking raises: LotChoiceError, NotEnoughHeldError.
    """

    def __init__(self, rules: LedgerRules, lots: Iterable[Lot] = ()) -> None:
        self.lots: dict[LotId, Lot] = {}
        self._rules = rules
        self._open: dict[InstrumentId, dict[LotId, Lot]] = {}
        self._keep(lots)

    def book(self, event: Ordered) -> Change:
        """Book an event and tell what it did."""
        change = self._booked(event)
        self._keep(change.lots)
        return change

    def _booked(self, event: Ordered) -> Change:
        what = event.what
        match what:
            case Fill():
                return self._fill(what)
            case Ended():
                return self._end(what)
            case Arrival():
                lot = arrived(what)
                return Change(lot.triggered_by, (lot,), entered=() if what.basis is None else (what.basis,))
            case Departure():
                left, remaining = depart(what, self._held(what.instrument.instrument_id))
                bases = tuple(-part.basis for part in left if part.basis is not None)
                return Change(BY_ACTION, tuple(remaining), entered=bases, departures=tuple(left))
            case ShareSplit():
                return Change(BY_ACTION, _split(self._held(what.instrument_id), what.split))
            case SpinOff():
                return _acted(event, what.effective, spin_off(what, self._held(what.parent.instrument_id)))
            case Merger():
                return _acted(event, what.effective, merge(what, self._held(what.old.instrument_id)))
            case Rename():
                return _acted(event, what.effective, rename(what, self._held(what.old.instrument_id)))
            case ReturnOfCapital():
                return _acted(event, what.effective, return_capital(what, self._held(what.instrument.instrument_id)))
            case _:
                assert_never(what)

    def _fill(self, fill: Fill) -> Change:
        pick, misnamed = picker_for(self._rules.methods.on(fill.session)), None
        held = self._held(fill.instrument.instrument_id)
        try:
            done = book_fill(fill, held, pick)
        except LotChoiceError as error:
            if self._rules.names_bind:
                raise
            misnamed = str(error)
            done = book_fill(replace(fill, named=()), held, pick)
        lots = (*done.changed, *([done.opened] if done.opened is not None else []))
        return Change(fill.triggered_by, lots, done.closings, _paid_for(fill), misnamed=misnamed)

    def _end(self, end: Ended) -> Change:
        pick = picker_for(self._rules.methods.on(end.session))
        ended = book_end(end, self._held(end.option.instrument_id), self._rules.fold_premium, pick)
        option = Change(end.triggered_by, ended.option.changed, ended.option.closings)
        if ended.delivery is None:
            fee = (Paid(CashKind.FEE, end.end_id, -end.fee, end.session, end.ended_at),) if end.fee else ()
            return replace(option, paid=fee)
        stock = self._fill(ended.delivery)
        return replace(stock, lots=(*option.lots, *stock.lots), closings=(*option.closings, *stock.closings))

    def _held(self, instrument_id: InstrumentId) -> list[Lot]:
        return list(self._open.get(instrument_id, {}).values())

    def _keep(self, lots: Iterable[Lot]) -> None:
        for lot in lots:
            before = self.lots.get(lot.lot_id)
            if before is not None:
                self._open.get(before.instrument.instrument_id, {}).pop(lot.lot_id, None)
            self.lots[lot.lot_id] = lot
            if lot.quantity:
                self._open.setdefault(lot.instrument.instrument_id, {})[lot.lot_id] = lot


def _split(lots: Sequence[Lot], split: Split) -> tuple[Lot, ...]:
    before = {lot.lot_id: lot for lot in lots}
    return tuple(after for after in split_lots(lots, split) if after != before[after.lot_id])


def _acted(event: Ordered, effective: date, acted: Acted) -> Change:
    at = datetime.combine(effective, time(0), time_of(event.what)[2].tzinfo)
    paid = (Paid(CashKind.ACTION, event.event_id, acted.cash, effective, at),) if acted.cash else ()
    return Change(BY_ACTION, (*acted.changed, *acted.opened), acted.closings, paid)


def _paid_for(fill: Fill) -> tuple[Paid, ...]:
    """The trade's value and its fee, as two movements."""
    value = Paid(CashKind.TRADE, fill.fill_id, cash_moved(fill) + fill.fee, fill.session, fill.executed_at)
    fee = Paid(CashKind.FEE, fill.fill_id, -fill.fee, fill.session, fill.executed_at)
    return (value, fee) if fill.fee else (value,)
