"""A book made anew from very many facts: in columns where that gives the same figures, one by one where it does not."""

from collections.abc import Sequence
from decimal import Context, Decimal

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import LotId
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Quantity
from quantmatrix.portfolio.domain.book import Book, rebuilt
from quantmatrix.portfolio.domain.columns import TooLargeError, book_columns, columns_of, total_of
from quantmatrix.portfolio.domain.lots import Fill, Lot, Split, age
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods

FACTS_MIN = 500
"""Below this many facts, columns cost more than they save."""
_EXACT = Context(prec=64)


def rebuilt_swiftly(currency: str, facts: Sequence[Fill | Split], methods: LotMethods | None = None) -> Book:
    """The same book as `rebuilt` makes, lot by lot; facts are of one account and instrument, in the order of booking.

    Columns use lots up in the order of booking. Where lots were opened in another order than that of their times (a fill
    that was heard late, two of one instant), the facts are booked one by one.
    """
    chosen = methods or LotMethods()
    fills = [fact for fact in facts if isinstance(fact, Fill)]
    always_fifo = {chosen.first, *(method for _, method in chosen.changes)} == {LotMethod.FIFO}
    if len(fills) < FACTS_MIN or len(fills) < len(facts) or not always_fifo:
        return rebuilt(currency, facts, chosen)
    try:
        book = _in_columns(currency, fills)
    except TooLargeError:
        return rebuilt(currency, facts, chosen)
    ages = [age(lot) for lot in book.lots.values()]
    return book if ages == sorted(ages) else rebuilt(currency, facts, chosen)


def _in_columns(currency: str, fills: Sequence[Fill]) -> Book:
    frame, digits = columns_of(fills)
    made = book_columns(frame)
    lots = {}
    for place, opened, quantity, basis in made.lots.iter_rows():
        lot = _lot(fills[place], _quantity(opened, digits), _quantity(quantity, digits), _money(basis, currency))
        lots[lot.lot_id] = lot
    paid = total_of((frame["value"] * frame["quantity"].sign()).sum()) + total_of(frame["fee"].sum())
    return Book(currency, lots, _money(total_of(made.closings["realised"].sum()), currency), _money(-paid, currency))


def _lot(fill: Fill, opened: Quantity, quantity: Quantity, basis: Money) -> Lot:
    return Lot(
        lot_id=LotId(derived_id("lot", fill.fill_id)),
        fill_id=fill.fill_id,
        account_id=fill.account_id,
        user_id=fill.user_id,
        instrument=fill.instrument,
        opened_quantity=opened,
        quantity=quantity,
        basis=basis,
        opened_on=fill.session,
        opened_at=fill.executed_at,
        triggered_by=fill.triggered_by,
    )


def _quantity(number: int, digits: int) -> Quantity:
    return Quantity(_EXACT.scaleb(Decimal(number), -digits))


def _money(number: int, currency: str) -> Money:
    return Money(_EXACT.scaleb(Decimal(number), -FRACTION_DIGITS_MAX), currency)
