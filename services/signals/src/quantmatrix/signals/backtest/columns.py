"""The way of a backtest whose decisions are columns: from purchase to sale, in whole numbers, with the fills of the general engine.

Polars finds the bars; the few fills are walked through in Python's integers, which do not overflow; the equity of every bar is
a column of 64-bit integers, whose largest possible value is known before it is computed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date

import polars as pl

from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.backtest.column_run import ColumnRun, Walked
from quantmatrix.signals.backtest.history import BacktestError, History, check, computed
from quantmatrix.signals.backtest.rules import FillRules, rounded_division
from quantmatrix.signals.backtest.whole_book import NotInColumnsError, WholeBook, goes_in_whole_numbers
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.ports import ColumnStrategy, Strategy

_ENTER, _LEAVE = "may enter", "next leave"


def runs_in_columns(strategy: Strategy, history: History, rules: FillRules) -> bool:
    """Whether the column path makes exactly what the general engine makes of one instrument."""
    return isinstance(strategy, ColumnStrategy) and goes_in_whole_numbers(history, rules)


def run_in_columns(
    strategy: ColumnStrategy, history: History, cash: Money, rules: FillRules, first: date | None = None, last: date | None = None
) -> ColumnRun:
    """Run over the sessions from `first` to `last`; earlier bars serve as history only.

    Raises BacktestError for bars that cannot be used, NotInColumnsError for amounts beyond 64 bits or what `runs_in_columns` denies.
    """
    check([history], strategy.catalogue.bars_min)
    if not runs_in_columns(strategy, history, rules):
        raise NotInColumnsError(f"{strategy.name} on {history.symbol} does not go by columns under these rules")
    start = 0 if first is None else bisect_left(history.sessions, first)
    end = len(history.bars) if last is None else bisect_right(history.sessions, last)
    if start >= end:
        known = history.columns["session"]
        raise BacktestError(f"there are no bars between {first} and {last}; the first is of {known[0]}, the last of {known[-1]}")
    book = WholeBook(history, cash, rules)
    figures = _walk(strategy, history, book, start, end)
    curve, digits = book.curve(start, end)

    def why(walked: Walked) -> list[tuple[str, ...]]:
        rows = figures[walked.decided].iter_rows(named=True)
        filled = zip(rows, walked.wanted, walked.bought(), strict=True)
        told = (strategy.why_enter(row, Quantity(wanted)) if bought else strategy.why_leave(row) for row, wanted, bought in filled)
        return [tuple(f"{one.code}: {one.text}" for one in because if one.met) for because in told]

    return ColumnRun(history, cash, start, book.walked, why, curve, digits)


def _walk(strategy: ColumnStrategy, history: History, book: WholeBook, start: int, end: int) -> pl.DataFrame:
    """Go from purchase to sale: decide on the closes of the bars from `start` to before `end`, fill at the opens after them.

    Gives the strategy's columns on all bars.
    """
    at = pl.int_range(pl.len())
    leaving = pl.when(strategy.may_leave() & (at < end - 1)).then(at).backward_fill().shift(-1).fill_null(-1)
    found = computed(strategy, history, strategy.columns(held=True), {_ENTER: strategy.may_enter(), _LEAVE: leaving})
    bars = found[_ENTER].slice(start, end - start).arg_true().cast(pl.Int64) + start
    after, leave = history.units("open").shift(-1), found[_LEAVE].gather(bars)
    closes, opens, sold_at = history.units("close").gather(bars), after.gather(bars), after.gather(leave.clip(0))
    wanted_of, free_from = _wanted(strategy.sizing, book), start
    events = zip(bars.to_list(), closes.to_list(), opens.to_list(), leave.to_list(), sold_at.to_list(), strict=True)
    for bar, close, opened, sale, sale_open in events:
        if bar < free_from or not (wanted := wanted_of(close)) or not book.may_buy(bar, close, wanted) or bar == end - 1:
            continue
        quantity = book.buy(bar, opened, wanted)
        if quantity and sale < 0:
            break
        if quantity:
            book.sell(sale, sale_open, quantity)
            free_from = sale + 1
    return found.drop(_ENTER, _LEAVE)


def _wanted(sizing: Sizing, book: WholeBook) -> Callable[[int], int]:
    """How much is bought while nothing is held, by the close in whole units."""
    units, (share, of) = sizing.units, sizing.share.as_integer_ratio()
    if units is not None:
        return lambda _: units // book.lot * book.lot
    return lambda close: rounded_division(book.cash * share, of) // (close * book.unit) // book.lot * book.lot
