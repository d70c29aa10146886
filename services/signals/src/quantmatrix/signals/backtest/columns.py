"""The way of a backtest whose decisions are columns: from purchase to sale, in whole numbers, with the fills of the general engine.

Polars finds the bars. Purchases of one size are filled all at once; where the size follows the cash, or something is refused or
cut, the few fills are walked through in Python's integers, which do not overflow.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.backtest.at_once import filled_at_once, following, path_of
from quantmatrix.signals.backtest.column_run import ColumnRun, Ints, NotInColumnsError, Walked
from quantmatrix.signals.backtest.history import BacktestError, History, bars_needed, check, computed
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.whole_book import WholeBook, goes_in_whole_numbers
from quantmatrix.signals.domain.planning import rounded_division
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.ports import ColumnStrategy, Strategy

Flags = npt.NDArray[np.bool_]


def runs_in_columns(strategy: Strategy, history: History, rules: FillRules) -> bool:
    """Whether the column path makes exactly what the general engine makes of one instrument."""
    return isinstance(strategy, ColumnStrategy) and goes_in_whole_numbers(history, rules)


def run_in_columns(
    strategy: ColumnStrategy, history: History, cash: Money, rules: FillRules, first: date | None = None, last: date | None = None
) -> ColumnRun:
    """Run over the sessions from `first` to `last`; earlier bars serve as history only.

    Raises BacktestError for bars that cannot be used, NotInColumnsError for amounts beyond 64 bits or what `runs_in_columns` denies.
    """
    check([history], bars_needed(strategy))
    if not runs_in_columns(strategy, history, rules):
        raise NotInColumnsError(f"{strategy.name} on {history.symbol} does not go by columns under these rules")
    start, end = bounds(history, first, last)
    return run_on(strategy, history, cash, rules, computed(strategy, history, strategy.columns(held=True)), start, end)


def bounds(history: History, first: date | None, last: date | None) -> tuple[int, int]:
    """The numbers of the first bar and of the one after the last. Raises BacktestError when there are none between."""
    start = 0 if first is None else bisect_left(history.sessions, first)
    end = len(history.bars) if last is None else bisect_right(history.sessions, last)
    if start >= end:
        known = history.columns["session"]
        raise BacktestError(f"there are no bars between {first} and {last}; the first is of {known[0]}, the last of {known[-1]}")
    return start, end


def run_on(
    strategy: ColumnStrategy,
    history: History,
    cash: Money,
    rules: FillRules,
    figures: pl.DataFrame,
    start: int,
    end: int,
) -> ColumnRun:
    """Decide on the closes of the bars from `start` to before `end`, fill at the opens after them. figures: the strategy's columns on all bars.

    Raises NotInColumnsError for amounts beyond 64 bits.
    """
    book = WholeBook(history, cash, rules)
    screen = figures.select(enter=_yes(strategy.may_enter()), leave=_yes(strategy.may_leave()))
    enter, leave = (screen[name].to_numpy().view(np.bool_) for name in ("enter", "leave"))
    entries, leaves = _places(enter, start, end), _places(_first_ones(leave, enter), start, end - 1)
    walked, units = None, strategy.sizing.units
    if units is not None:
        walked = filled_at_once(history, cash, rules, path_of(entries, leaves, end), units // book.lot * book.lot)
    if walked is None:
        walked = _one_by_one(strategy.sizing, history, book, entries, leaves, end)
    walked.unit(history)

    def why(walked: Walked) -> list[tuple[str, ...]]:
        rows = figures[walked.decided].iter_rows(named=True)
        filled = zip(rows, walked.wanted.tolist(), walked.bought.tolist(), strict=True)
        told = (strategy.why_enter(row, Quantity(wanted)) if bought else strategy.why_leave(row) for row, wanted, bought in filled)
        return [tuple(f"{one.code}: {one.text}" for one in because if one.met) for because in told]

    return ColumnRun(history, cash, start, end, walked, figures, why)


def _yes(asked: pl.Expr) -> pl.Expr:
    return asked.fill_null(False).cast(pl.UInt8)


def _first_ones(leave: Flags, enter: Flags) -> Flags:
    """The bars on which what is held may leave for the first time since they may not, or since something was entered on the bar before."""
    found = leave.copy()
    found[1:] &= ~leave[:-1] | enter[:-1]
    return found


def _places(found: Flags, start: int, end: int) -> Ints:
    """The bars from `start` to before `end` on which it is so."""
    places: Ints = np.flatnonzero(found[start : max(start, end)])
    return places + start if start else places


def _one_by_one(sizing: Sizing, history: History, book: WholeBook, entries: Ints, leaves: Ints, end: int) -> Walked:
    """Go from purchase to sale with the cash that each leaves."""
    opens, closes = history.units("open").to_numpy(), history.units("close").to_numpy()
    sales = following(leaves, entries, -1)
    after = np.append(opens[1:], 0)
    wanted_of, free_from = _wanted(sizing, book), 0
    events = (one.tolist() for one in (entries, closes[entries], after[entries], sales, after[sales]))
    for bar, close, opened, sale, sale_open in zip(*events, strict=True):
        if bar < free_from or not (wanted := wanted_of(close)) or not book.may_buy(bar, close, wanted) or bar == end - 1:
            continue
        quantity = book.buy(bar, opened, wanted)
        if quantity and sale < 0:
            break
        if quantity:
            book.sell(sale, sale_open, quantity)
            free_from = sale + 1
    return book.walked


def _wanted(sizing: Sizing, book: WholeBook) -> Callable[[int], int]:
    """How much is bought while nothing is held, by the close in whole units."""
    units, (share, of) = sizing.units, sizing.share.as_integer_ratio()
    if units is not None:
        return lambda _: units // book.lot * book.lot
    return lambda close: rounded_division(book.cash * share, of) // (close * book.unit) // book.lot * book.lot
