"""Combinations of a sweep by columns: what they share is computed once, and of each only figures and a digest are made."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import numpy as np

from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.statistics import TradeFigures
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.column_figures import curve_and_moments, trades_of_columns
from quantmatrix.signals.backtest.column_run import ColumnRun, Ints, NotInColumnsError
from quantmatrix.signals.backtest.columns import bounds, run_on
from quantmatrix.signals.backtest.doubt import Moments
from quantmatrix.signals.backtest.history import History, bars_needed
from quantmatrix.signals.backtest.result import Asked
from quantmatrix.signals.backtest.run import Job, asked_of_run, made
from quantmatrix.signals.backtest.shelf import shelf_of
from quantmatrix.signals.backtest.statistics import CurveFigures
from quantmatrix.signals.backtest.whole_book import goes_in_whole_numbers
from quantmatrix.signals.backtest.workers import TICK_S
from quantmatrix.signals.domain.planning import exact
from quantmatrix.signals.ports import ColumnStrategy, Strategy

_HALF, _LOWER = 32, 2**32 - 1
T = TypeVar("T")
R = TypeVar("R")


def figures_in_columns(kind: type[Strategy], history: History, job: Job) -> tuple[dict[str, Any], str] | None:
    """curve, closed_trades, equity, fees and moments of a run, and its digest. None where the general engine has to run it.

    Raises BacktestError as a backtest does.
    """
    strategy = made(kind, job.parameters)
    if not goes_in_whole_numbers(history, job.rules) or not isinstance(strategy, ColumnStrategy):
        return None
    start, end = bounds(history, job.first, job.last)
    shelf = shelf_of(history)
    shelf.check(bars_needed(strategy))
    figures = shelf.columns(strategy, strategy.columns(held=True))
    try:
        run = run_on(strategy, history, job.cash, job.rules, figures, start, end)
    except NotInColumnsError:
        return None
    found = curve_and_moments(run)
    if found is None:
        return None
    curve, moments, last = found
    told = {
        "curve": _plain(curve),
        "closed_trades": _plain(trades_of_columns(run)),
        "equity": _told(run, last),
        "fees": _told(run, _total(run.walked.fee)),
        "moments": _plain(moments),
    }
    known = history.columns["session"]
    return told, digest_of_fills(asked_of_run(kind, [history], job, (known[start], known[end - 1]), shelf.data_digest), run)


def _told(run: ColumnRun, amount: int) -> str:
    return plain(Money(exact(amount, run.digits), run.opening.currency).amount)


def _plain(figures: CurveFigures | TradeFigures | Moments) -> dict[str, Any]:
    """The figures by their names. They are numbers, so that nothing need be copied as `asdict` does."""
    return {one.name: getattr(figures, one.name) for one in fields(figures)}


def _total(amounts: Ints) -> int:
    """A sum that 64 bits need not hold: the upper and the lower halves of the amounts, each added up."""
    return (int((amounts >> _HALF).sum()) << _HALF) + int((amounts & _LOWER).sum())


def digest_of_fills(asked: Asked, run: ColumnRun) -> str:
    """SHA-256 over what decides the run, and over its fills and refusals; the curve follows from these and the bars."""
    w = run.walked
    columns = np.stack([w.decided, w.quantity, w.held, w.price, w.fee, w.cash]).astype("<i8", copy=False)
    return digest_rows(
        {
            "asked": asked.rows(),
            "fills": [(w.digits, hashlib.sha256(columns.data).hexdigest())],
            "refusals": [(one.session, one.symbol, one.code, one.detail) for one in w.refusals],
        }
    )


def spread_over_threads(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, on_done: Callable[[R], None], on_tick: Callable[[], None]
) -> None:
    """Do every task; arrays are computed side by side. What a task raises ends the work, and what on_done does too, or on_tick while nothing is done."""
    done: SimpleQueue[Future[R]] = SimpleQueue()
    with ThreadPoolExecutor(max(1, workers)) as threads:
        try:
            for task in tasks:
                threads.submit(work, task).add_done_callback(done.put)
            waiting = len(tasks)
            while waiting:
                try:
                    one = done.get(timeout=TICK_S)
                except Empty:
                    on_tick()
                else:
                    on_done(one.result())
                    waiting -= 1
        finally:
            threads.shutdown(cancel_futures=True)
