"""Computes what a stored form asks for, whatever kind it is of."""

import os
from collections.abc import Callable, Sequence

from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.backtest.record import Record, record_of
from quantmatrix.signals.backtest.run import backtest
from quantmatrix.signals.backtest.summary import record_of_sweep
from quantmatrix.signals.backtest.sweep import Tried, Watch, sweep
from quantmatrix.signals.backtest.walk_forward import record_of_walk, walk_forward
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.stored.wanted import Wanted


def computed(
    strategy: type[Strategy],
    histories: Sequence[History],
    asked: Wanted,
    on_progress: Callable[[int, int], None],
    *,
    on_tried: Callable[[Tried], None] = lambda _: None,
    known: Sequence[Tried] = (),
    workers: int = 1,
) -> Record:
    """The record of what is asked. on_tried and known are of a sweep and of a walk forward. Raises BacktestError with the place of whatever is wrong."""
    job = asked.job()
    if asked.kind == "sweep":
        found = sweep(strategy, histories, job, asked.grid, Watch(on_tried, on_progress), known=known, workers=workers)
        return record_of_sweep(strategy, histories, job, asked.grid, found)
    if asked.kind == "walk_forward" and asked.windows is not None:
        steps = walk_forward(
            strategy, histories, job, asked.grid, asked.windows, Watch(on_tried, on_progress), known=known, workers=workers
        )
        return record_of_walk(strategy, histories, job, asked.grid, asked.windows, steps)
    return record_of(backtest(strategy, histories, job, on_progress))


def cores() -> int:
    """How many processes may work at a time here."""
    return max(1, len(os.sched_getaffinity(0)))
