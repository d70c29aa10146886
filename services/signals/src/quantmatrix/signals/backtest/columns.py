"""The way of a backtest whose decisions are columns: from purchase to sale, in whole numbers, with the fills of the general engine.

Polars finds the bars. Purchases of one size are filled all at once; where the size follows the cash, or something is refused or
cut, the few fills are walked through in Python's integers, which do not overflow.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl

from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.backtest.at_once import filled_at_once, following, path_of
from quantmatrix.signals.backtest.column_run import ColumnRun, Ints, NotInColumnsError, Walked
from quantmatrix.signals.backtest.history import BacktestError, History, bars_needed, check, computed, yes
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.whole_book import WholeBook, goes_in_whole_numbers
from quantmatrix.signals.domain.crossing import Crossing
from quantmatrix.signals.domain.planning import rounded_division
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.ports import ColumnStrategy, Strategy


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
    # Asked by name, because asking whether it is of a protocol takes as long as a pass over the bars.
    crossing: Crossing | None = getattr(strategy, "crossing", None)
    entries, leaves = (crossing and crossed(crossing, figures)) or _screened(strategy, history, figures)
    entries, leaves = _between(entries, start, end), _between(leaves, start, end - 1)
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


def crossed(crossing: Crossing, figures: pl.DataFrame) -> tuple[Ints, Ints] | None:
    """The bars on which the one column comes above the other, and those from which on it is below; None where one has gaps."""
    columns = figures[crossing.over], figures[crossing.under]
    first = max(one.null_count() for one in columns)
    over, under = (one.slice(first) for one in columns)
    if over.null_count() or under.null_count():
        return None
    fast, slow = over.to_numpy(), under.to_numpy()
    is_above, is_below = fast > slow, fast < slow
    entries: Ints = np.flatnonzero(is_above[1:] > is_above[:-1]) + (first + 1)
    leaves: Ints = np.flatnonzero(is_below[1:] > is_below[:-1]) + (first + 1)
    return entries, np.append(first, leaves) if is_below[:1].any() else leaves


def _screened(strategy: ColumnStrategy, history: History, figures: pl.DataFrame) -> tuple[Ints, Ints]:
    """The bars on which something may be entered; those on which what is held may leave first, or again after something was entered.

    Columns of bits pick from the numbers faster than they become bytes.
    """
    enter, leave = figures.select(enter=yes(strategy.may_enter()), leave=yes(strategy.may_leave())).get_columns()
    first = leave & ~(leave & ~enter).shift(1, fill_value=False)
    return history.numbers.filter(enter).to_numpy(), history.numbers.filter(first).to_numpy()


def _between(places: Ints, start: int, end: int) -> Ints:
    """Those from `start` to before `end`; they ascend."""
    first, last = np.searchsorted(places, [start, end])
    return places[first:last]


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
