"""Computes what a stored form asks for, whatever kind it is of."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.backtest.record import Record, record_of
from quantmatrix.signals.backtest.run import backtest
from quantmatrix.signals.backtest.summary import record_of_sweep
from quantmatrix.signals.backtest.sweep import Tried, Watch, sweep
from quantmatrix.signals.backtest.walk_forward import record_of_walk, walk_forward
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.stored.wanted import Wanted

BAR_LIMIT_S = 60.0
"""Seconds that a strategy may take over one bar before it is stopped, unless somebody says otherwise."""


def computed(
    strategy: type[Strategy],
    histories: Sequence[History],
    asked: Wanted,
    on_progress: Callable[[int, int], None],
    *,
    on_tried: Callable[[Tried], None] = lambda _: None,
    known: Sequence[Tried] = (),
    workers: int = 1,
    bar_limit_s: float | None = None,
) -> Record:
    """The record of what is asked. on_tried and known are of a sweep and of a walk forward. Raises BacktestError with the place of whatever is wrong."""
    job = replace(asked.job(), bar_limit_s=bar_limit_s)
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
