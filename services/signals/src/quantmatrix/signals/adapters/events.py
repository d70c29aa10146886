"""Runs a class written as `on_bar` events: it sees one closed bar after the other, and what it orders fills at the next open.

Such a class remembers what it likes, so it runs on one instrument, from the first bar on, in a backtest. What it ordered is
checked, cut and booked as every other order of a backtest.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from quantmatrix.common.values import Money
from quantmatrix.signals.backtest.column_run import ColumnRun, Walked
from quantmatrix.signals.backtest.history import BacktestError, History, check
from quantmatrix.signals.backtest.limits import Place, TookTooLongError, limited
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.whole_book import WholeBook, goes_in_whole_numbers

LIMIT_S = 5.0


class Bar(NamedTuple):
    """One closed bar of the forward-adjusted series, as statistics."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float


class Events:
    """What a class of this style inherits. position: whole units that are held now."""

    position: int = 0
    _order: int = 0

    def on_bar(self, bar: Bar) -> None:
        """Called on every closed bar, the oldest first."""
        raise NotImplementedError(f"{type(self).__name__} has no on_bar")

    def buy(self, quantity: int) -> None:
        """Buy at the next open. Raises ValueError for no positive whole number, and for a second order on the same bar."""
        self._ordered(quantity, 1)

    def sell(self, quantity: int | None = None) -> None:
        """Sell at the next open: all that is held, unless told otherwise."""
        self._ordered(self.position if quantity is None else quantity, -1)

    def _ordered(self, quantity: int, sign: int) -> None:
        if type(quantity) is not int or quantity <= 0:
            raise ValueError(f"an order is for a whole number of units above zero, got {quantity!r}")
        if self._order:
            raise ValueError("there is an order on this bar already; one is filled at the next open")
        self._order = sign * quantity


def run_events(written: Events, history: History, cash: Money, rules: FillRules, limit_s: float = LIMIT_S) -> ColumnRun:
    """Run over all bars. Raises BacktestError with the bar on which the class raised or did not come back within `limit_s` seconds."""
    check([history], 1)
    if not goes_in_whole_numbers(history, rules):
        raise BacktestError(
            "a class of events runs without splits, slippage, volume limits and resting stops; make it a strategy of the slot for these"
        )
    book, name = WholeBook(history, cash, rules), type(written).__name__
    place = Place()
    try:
        with limited(limit_s) as place:
            _over(written, history, book, place)
    except TookTooLongError:
        raise BacktestError(f"{name} had not come back from {_place(history, place)} after {limit_s:g} s") from None
    except Exception as error:
        raise BacktestError(f"{name} raised {type(error).__name__} on {_place(history, place)}: {error}") from error
    walked = book.walked
    walked.unit(history)

    def why(walked: Walked) -> list[tuple[str, ...]]:
        return [(f"ON_BAR: {name} ordered {wanted} units",) for wanted in walked.wanted.tolist()]

    return ColumnRun(history, cash, 0, len(history.bars), walked, history.columns.select(), why)


def _over(written: Events, history: History, book: WholeBook, place: Place) -> None:
    opens, closes, last = history.opens, history.closes, len(history.bars) - 1
    for number, bar in enumerate(_bars(history)):
        if written._order:
            _fill(book, written._order, number - 1, opens[number])
            written._order, written.position = 0, book.held
        place.number = number
        written.on_bar(bar)
        if (written._order and not _allowed(book, written._order, number, closes[number])) or number == last:
            written._order = 0


def _bars(history: History) -> Iterator[Bar]:
    return map(Bar._make, history.frame.select(Bar._fields).iter_rows())


def _fill(book: WholeBook, order: int, bar: int, opened: int) -> None:
    if order > 0:
        book.buy(bar, opened, order)
    else:
        book.sell(bar, opened, -order)


def _allowed(book: WholeBook, order: int, bar: int, close: int) -> bool:
    return book.may_buy(bar, close, order) if order > 0 else book.may_sell(bar, -order)


def _place(history: History, place: Place) -> str:
    return f"{history.symbol}, bar {place.number + 1} of {len(history.bars)} ({history.sessions[place.number]})"
