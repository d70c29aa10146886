"""Books made anew from very many facts: in columns where that gives the same figures, one by one where it does not."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal

import polars as pl

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId, LotId
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Quantity
from quantmatrix.portfolio.domain.book import Book, rebuilt
from quantmatrix.portfolio.domain.lots import Fill, Lot, Split, age, lot_of_fill
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods

FACTS_MIN = 500
"""Below this many fills altogether, columns cost more than they save."""
_EXACT = Context(prec=64)

Facts = Mapping[Instrument, Sequence[Fill | Split]]


def rebuilt_swiftly(facts: Facts, methods: LotMethods | None = None) -> dict[InstrumentId, Book]:
    """The books of an account by instrument, each the same that `rebuilt` makes, lot by lot; facts are in the order of booking.

    Columns use lots up in the order of booking. Where lots were opened in another order than that of their times (a fill
    that was heard late, two of one instant), where there are splits, and where the method is not always first in, first
    out, an instrument's facts are booked one by one.
    """
    chosen = methods or LotMethods()
    always_fifo = {chosen.first, *(method for _, method in chosen.changes)} == {LotMethod.FIFO}
    books: dict[InstrumentId, Book] = {}
    for currency in sorted({instrument.currency for instrument in facts}) if always_fifo else ():
        plain = {instrument: _fills(told) for instrument, told in facts.items() if instrument.currency == currency}
        books |= _in_columns(currency, [one for fills in plain.values() for one in fills])
    return {
        instrument.instrument_id: _sure(books.get(instrument.instrument_id)) or rebuilt(instrument.currency, told, chosen)
        for instrument, told in facts.items()
    }


def is_plain(fill: Fill) -> bool:
    """Whether a fill is price, quantity and fee alone, as columns and books of one instrument know them."""
    return fill.amount is None and not fill.fee_in_kind and not fill.named and fill.premium is None


def _fills(facts: Sequence[Fill | Split]) -> Sequence[Fill]:
    """The fills of an instrument that was never split; none of another."""
    fills = [fact for fact in facts if isinstance(fact, Fill)]
    return fills if len(fills) == len(facts) else ()


def _sure(book: Book | None) -> Book | None:
    """The book, if its lots were opened in the order of their ages."""
    ages = [age(lot) for lot in book.lots.values()] if book is not None else []
    return book if ages == sorted(ages) else None


def _in_columns(currency: str, fills: Sequence[Fill]) -> dict[InstrumentId, Book]:
    """Books by instrument; none where columns do not pay or the figures do not fit."""
    if len(fills) < FACTS_MIN:
        return {}
    from quantmatrix.portfolio.domain.columns import (  # noqa: PLC0415 - NumPy is loaded where it computes, not by idle services
        TooLargeError,
        book_columns,
        columns_of,
    )

    try:
        frame, digits = columns_of(fills)
        made = book_columns(frame)
    except TooLargeError:
        return {}
    lots: dict[InstrumentId, dict[LotId, Lot]] = {}
    columns = (made.lots.fill, made.lots.opened, made.lots.quantity, made.lots.basis)
    for place, opened, quantity, basis in zip(*(one.tolist() for one in columns), strict=True):
        lot = lot_of_fill(fills[place], _quantity(opened, digits), _quantity(quantity, digits), _money(basis, currency))
        lots.setdefault(lot.instrument.instrument_id, {})[lot.lot_id] = lot
    realised = pl.Series("amount", made.closings.realised.tolist(), dtype=pl.Int128)
    gains = _by_instrument(pl.DataFrame([frame["instrument"].gather(made.closings.fill), realised]))
    spent = pl.col("value").cast(pl.Int128) * pl.col("quantity").sign() + pl.col("fee")
    paid = _by_instrument(frame.select("instrument", amount=spent))
    return {
        InstrumentId(one): Book(currency, lots[InstrumentId(one)], _money(gains.get(one, 0), currency), _money(-amount, currency))
        for one, amount in paid.items()
    }


def _by_instrument(amounts: pl.DataFrame) -> dict[str, int]:
    rows: Iterable[tuple[str, object]] = amounts.group_by("instrument").agg(pl.col("amount").sum()).iter_rows()
    return {instrument: amount for instrument, amount in rows if isinstance(amount, int)}


def _quantity(number: int, digits: int) -> Quantity:
    return Quantity(_EXACT.scaleb(Decimal(number), -digits))


def _money(number: int, currency: str) -> Money:
    return Money(_EXACT.scaleb(Decimal(number), -FRACTION_DIGITS_MAX), currency)
