"""Making books anew from their facts, and comparing them with what was booked one by one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.events import Ordered, ShareSplit, in_order
from quantmatrix.portfolio.domain.keeping import Change, Keeper, LedgerRules
from quantmatrix.portfolio.domain.lots import NOTHING, Closing, Fill, Lot, Split
from quantmatrix.portfolio.domain.rebuilding import is_plain, rebuilt_swiftly
from quantmatrix.portfolio.fact_store import FactStore
from quantmatrix.portfolio.rows import Account, Position
from quantmatrix.portfolio.store import PortfolioStore


@dataclass(frozen=True, slots=True)
class Books:
    """The books of instruments that hang together, made of all their facts. events: those that are taken back too."""

    instruments: tuple[InstrumentId, ...]
    events: tuple[UUID, ...]
    lots: tuple[Lot, ...]
    changes: tuple[Change, ...]


def rules_of(account: Account) -> LedgerRules:
    """How an account's events are booked: what brokers executed has happened, whatever lots were named for it."""
    return LedgerRules(account.methods, names_bind=False)


async def books_of(account: Account, instruments: Collection[InstrumentId], connection: Connection) -> Books:
    """The books as their facts make them; nothing is written. Raises what booking raises."""
    facts = FactStore(connection)
    family = await facts.family(account.account_id, instruments)
    events = await facts.events(account.account_id, account.user_id, family)
    return replace(_books(account, family, in_order(events)), events=tuple(event.event_id for event in events))


def _books(account: Account, family: Sequence[InstrumentId], events: Sequence[Ordered]) -> Books:
    keeper = Keeper(rules_of(account))
    changes = tuple(keeper.book(event) for event in events)
    return Books(tuple(family), tuple(event.event_id for event in events), tuple(keeper.lots.values()), changes)


async def rebuild(account: Account, instruments: Collection[InstrumentId], connection: Connection) -> None:
    """Throw away lots, closings, cash and positions of these instruments and of what hangs together with them, and write them anew."""
    books = await books_of(account, instruments, connection)
    store = PortfolioStore(connection)
    await store.forget_books(account.account_id, books.instruments)
    await store.forget_cash_of(account.account_id, books.events)
    await store.add_lots(books.lots)
    await store.add_closings(books.changes)
    await store.enter_cash(account, books.changes)
    await store.resum_positions(account.account_id, books.instruments)


async def differences(account: Account, instruments: Sequence[Instrument], connection: Connection) -> list[str]:
    """What a rebuild from the facts would change, in words; nothing is written. `rebuild == incremental` when it is empty."""
    facts = FactStore(connection)
    plain: dict[Instrument, list[Fill | Split]] = {}
    found: list[str] = []
    for instrument in instruments:
        family = await facts.family(account.account_id, [instrument.instrument_id])
        events = in_order(await facts.events(account.account_id, account.user_id, family))
        told = [one.what.split if isinstance(one.what, ShareSplit) else one.what for one in events]
        if len(family) == 1 and all(isinstance(one, Split) or (isinstance(one, Fill) and is_plain(one)) for one in told):
            plain[instrument] = [one for one in told if isinstance(one, Fill | Split)]
        else:
            found += await _book_differs(instrument, _books(account, family, events), account, connection)
    return found + await _plain_differ(account, plain, connection)


async def _plain_differ(account: Account, plain: Mapping[Instrument, Sequence[Fill | Split]], connection: Connection) -> list[str]:
    """Of instruments with fills and splits alone: in columns where there are many and these give the same figures."""
    found: list[str] = []
    books = rebuilt_swiftly(plain, account.methods)
    for instrument in plain:
        book = books[instrument.instrument_id]
        found += await _differ(instrument, list(book.lots.values()), book.realised or Money.zero(book.currency), account, connection)
    return found


async def _book_differs(instrument: Instrument, books: Books, account: Account, connection: Connection) -> list[str]:
    closings = [
        closing
        for change in books.changes
        for closing in change.closings
        if change.lot_of(closing).instrument.instrument_id == instrument.instrument_id
    ]
    realised = Money.zero(instrument.currency)
    for closing in closings:
        if closing.realised is not None:
            realised += closing.realised
    lots = [lot for lot in books.lots if lot.instrument.instrument_id == instrument.instrument_id]
    found = await _differ(instrument, lots, realised, account, connection)
    stored = await PortfolioStore(connection).all_closings(account.account_id, [instrument.instrument_id])
    return found + _closings_differ(closings, stored, instrument)


async def _differ(instrument: Instrument, lots: Sequence[Lot], realised: Money, account: Account, connection: Connection) -> list[str]:
    store = PortfolioStore(connection)
    found = _lots_differ(lots, await store.all_lots(account.account_id, [instrument.instrument_id]), instrument)
    position = await store.position(account.account_id, instrument.instrument_id)
    return found + (_position_differs(lots, realised, position) if position is not None else [])


def _lots_differ(wanted: Sequence[Lot], stored: Sequence[Lot], instrument: Instrument) -> list[str]:
    made, have = ({lot.lot_id: lot for lot in lots} for lots in (wanted, stored))
    return [
        f"lot {lot_id} of {instrument.symbol}: facts make {_words(made.get(lot_id))}, the ledger has {_words(have.get(lot_id))}"
        for lot_id in sorted(set(made) | set(have))
        if _figures(made.get(lot_id)) != _figures(have.get(lot_id))
    ]


def _closings_differ(wanted: Sequence[Closing], stored: Sequence[Closing], instrument: Instrument) -> list[str]:
    made, have = ({one.closing_id: _closed(one) for one in closings} for closings in (wanted, stored))
    return [
        f"closing {one} of {instrument.symbol}: facts make {made.get(one)}, the ledger has {have.get(one)}"
        for one in sorted(set(made) | set(have))
        if made.get(one) != have.get(one)
    ]


def _position_differs(lots: Sequence[Lot], realised: Money, position: Position) -> list[str]:
    quantity = unknown = NOTHING
    basis = Money.zero(position.instrument.currency)
    for lot in lots:
        quantity += lot.quantity
        if lot.basis is None:
            unknown += lot.quantity
        else:
            basis += lot.basis
    made: tuple[Quantity, Money, Money, Quantity] = (quantity, basis, realised, unknown)
    if made == (position.quantity, position.basis, position.realised, position.unknown):
        return []
    return [
        f"position {position.instrument.symbol}: facts make {quantity} ({unknown} of unknown basis) with basis {basis} and realised {realised}, "
        f"the ledger has {position.quantity} ({position.unknown}) with basis {position.basis} and realised {position.realised}"
    ]


def _figures(lot: Lot | None) -> tuple[object, ...] | None:
    if lot is None or not lot.quantity:
        return None
    return (lot.lot_id, lot.quantity, lot.basis, lot.opened_on, lot.dated, lot.arrived_on)


def _closed(one: Closing) -> tuple[str, ...]:
    return tuple(str(part) for part in (one.lot_id, one.quantity, one.proceeds, one.basis, one.realised, one.opened_on, one.closed_on))


def _words(lot: Lot | None) -> str:
    return f"{lot.quantity} with basis {lot.basis}" if lot is not None and lot.quantity else "nothing"
