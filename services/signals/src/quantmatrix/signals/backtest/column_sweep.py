"""Combinations of a sweep by columns: what they share is computed once, and of each only figures and a digest are made."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.column_figures import curve_and_moments, trades_of_columns
from quantmatrix.signals.backtest.column_run import ColumnRun, NotInColumnsError
from quantmatrix.signals.backtest.columns import bounds, run_on
from quantmatrix.signals.backtest.history import History, bars_needed
from quantmatrix.signals.backtest.result import Asked
from quantmatrix.signals.backtest.run import Job, asked_of_run, made
from quantmatrix.signals.backtest.shelf import shelf_of
from quantmatrix.signals.backtest.whole_book import goes_in_whole_numbers
from quantmatrix.signals.backtest.workers import TICK_S
from quantmatrix.signals.domain.planning import exact
from quantmatrix.signals.ports import ColumnStrategy, Strategy

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
        "curve": asdict(curve),
        "closed_trades": asdict(trades_of_columns(run)),
        "equity": _told(run, last),
        "fees": _told(run, sum(run.walked.fee.tolist())),
        "moments": asdict(moments),
    }
    known = history.columns["session"]
    return told, digest_of_fills(asked_of_run(kind, [history], job, (known[start], known[end - 1]), shelf.data_digest), run)


def _told(run: ColumnRun, amount: int) -> str:
    return plain(Money(exact(amount, run.digits), run.opening.currency).amount)


def digest_of_fills(asked: Asked, run: ColumnRun) -> str:
    """SHA-256 over what decides the run, and over its fills and refusals; the curve follows from these and the bars."""
    w = run.walked
    columns = np.stack([w.decided, w.quantity, w.held, w.price, w.fee, w.cash]).astype("<i8")
    return digest_rows(
        {
            "asked": asked.rows(),
            "fills": [(w.digits, hashlib.sha256(columns.tobytes()).hexdigest())],
            "refusals": [(one.session, one.symbol, one.code, one.detail) for one in w.refusals],
        }
    )


def spread_over_threads(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, on_done: Callable[[R], None], on_tick: Callable[[], None]
) -> None:
    """Do every task; arrays are computed side by side. What a task raises ends the work, and what on_done or on_tick does too."""
    with ThreadPoolExecutor(max(1, workers)) as threads:
        waiting = {threads.submit(work, task) for task in tasks}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=TICK_S, return_when=FIRST_COMPLETED)
                on_tick()
                for one in done:
                    on_done(one.result())
        finally:
            threads.shutdown(cancel_futures=True)
