"""Making a book anew from its facts, and comparing it with what was booked one by one."""

from collections.abc import Mapping, Sequence

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import LotId
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.book import Book, with_fill, with_split
from quantmatrix.portfolio.domain.lots import Lot, Split
from quantmatrix.portfolio.domain.rebuilding import rebuilt_swiftly
from quantmatrix.portfolio.store import Account, PortfolioStore, Position


async def rebuild_book(account: Account, instrument: Instrument, store: PortfolioStore) -> Book:
    """Throw away lots, closings and position of one instrument, and write what its facts make."""
    facts = await store.facts(account, instrument)
    await store.forget_book(account, instrument.instrument_id)
    book = Book(instrument.currency)
    for fact in facts:
        if isinstance(fact, Split):
            book = with_split(book, fact)
            for lot in book.lots.values():
                await store.change_lot(lot)
            continue
        book, booked = with_fill(book, fact)
        for lot in booked.changed:
            await store.change_lot(lot)
        if booked.opened is not None:
            await store.add_lot(booked.opened)
        for closing in booked.closings:
            await store.add_closing(closing, fact)
        await store.move_position(fact, booked.realised or Money.zero(instrument.currency))
    await store.resum_position(account.account_id, instrument.instrument_id)
    return book


async def differences(account: Account, instruments: Sequence[Instrument], store: PortfolioStore) -> list[str]:
    """What a rebuild from the facts would change, in words; nothing is written. `rebuild == incremental` when it is empty."""
    books = rebuilt_swiftly({instrument: await store.facts(account, instrument) for instrument in instruments})
    positions = {one.instrument.instrument_id: one for one in await store.positions(account.account_id)}
    found = []
    for instrument in instruments:
        book, stored = books[instrument.instrument_id], await store.all_lots(account.account_id, instrument.instrument_id)
        found += _lots_apart(instrument, book, {lot.lot_id: lot for lot in stored})
        found += _position_apart(book, positions.get(instrument.instrument_id))
    return found


def _lots_apart(instrument: Instrument, book: Book, stored: Mapping[LotId, Lot]) -> list[str]:
    return [
        f"lot {lot_id} of {instrument.symbol}: facts make {_words(book.lots.get(lot_id))}, the ledger has {_words(stored.get(lot_id))}"
        for lot_id in sorted(set(book.lots) | set(stored))
        if _figures(book.lots.get(lot_id)) != _figures(stored.get(lot_id))
    ]


def _position_apart(book: Book, position: Position | None) -> list[str]:
    realised = book.realised or Money.zero(book.currency)
    if position is None or (position.quantity, position.basis, position.realised) == (book.quantity, book.basis, realised):
        return []
    return [
        f"position {position.instrument.symbol}: facts make {book.quantity} with basis {book.basis} and realised {realised}, "
        f"the ledger has {position.quantity} with basis {position.basis} and realised {position.realised}"
    ]


def _figures(lot: Lot | None) -> tuple[LotId, object, object, object] | None:
    return (lot.lot_id, lot.quantity, lot.basis, lot.opened_on) if lot is not None and lot.quantity else None


def _words(lot: Lot | None) -> str:
    return f"{lot.quantity} with basis {lot.basis}" if lot is not None else "nothing"
