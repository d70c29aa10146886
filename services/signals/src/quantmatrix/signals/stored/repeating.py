"""Computes what a stored form asks for, whatever kind it is of."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from quantmatrix.signals.backtest.checked import KIND, check, record_of_check
from quantmatrix.signals.backtest.history import History, bars_needed
from quantmatrix.signals.backtest.record import Record, record_of
from quantmatrix.signals.backtest.run import backtest, made
from quantmatrix.signals.backtest.summary import record_of_sweep
from quantmatrix.signals.backtest.sweep import Tried, Watch, combinations, sweep
from quantmatrix.signals.backtest.walk_forward import record_of_walk, walk_forward
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.stored.wanted import Wanted

DATA_LAST = "data_last"


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
    """The record of what is asked, with the last session of its data among the figures. on_tried and known: of what has parts.

    Raises BacktestError with the place of whatever is wrong.
    """
    record = _computed(strategy, histories, asked, on_progress, on_tried=on_tried, known=known, workers=workers, bar_limit_s=bar_limit_s)
    return Record({**record.figures, DATA_LAST: str(max(one.sessions[-1] for one in histories if one.bars))}, record.tables)


def as_it_was(strategy: type[Strategy], histories: Sequence[History], asked: Wanted, figures: Mapping[str, Any]) -> list[History]:
    """What a finished backtest ran on: nothing later than it had, and of instruments that nobody named those with enough bars."""
    last = date.fromisoformat(figures.get(DATA_LAST) or figures["last"])
    fewest = fewest_bars(strategy, asked)
    return [past for one in histories if len((past := one.until(last)).bars) >= fewest]


def _computed(
    strategy: type[Strategy],
    histories: Sequence[History],
    asked: Wanted,
    on_progress: Callable[[int, int], None],
    *,
    on_tried: Callable[[Tried], None],
    known: Sequence[Tried],
    workers: int,
    bar_limit_s: float | None,
) -> Record:
    job = replace(asked.job(), bar_limit_s=bar_limit_s)
    if asked.kind == "sweep":
        found = sweep(strategy, histories, job, asked.grid, Watch(on_tried, on_progress), known=known, workers=workers)
        return record_of_sweep(strategy, histories, job, asked.grid, found)
    if asked.kind == "walk_forward" and asked.windows is not None:
        steps = walk_forward(
            strategy, histories, job, asked.grid, asked.windows, Watch(on_tried, on_progress), known=known, workers=workers
        )
        return record_of_walk(strategy, histories, job, asked.grid, asked.windows, steps)
    if asked.kind == KIND and asked.cuts is not None:
        parts = check(strategy, histories, job, asked.cuts, Watch(on_tried, on_progress), known=known, workers=workers)
        return record_of_check(strategy, histories, job, asked.cuts, parts)
    return record_of(backtest(strategy, histories, job, on_progress))


def fewest_bars(strategy: type[Strategy], asked: Wanted) -> int:
    """The bars that some combination wants at most, without which an instrument that nobody named is left out; one at least."""
    if not asked.all_listed:
        return 0
    chosen = combinations(asked.grid) if asked.grid else [{}]
    return max(1, *(bars_needed(made(strategy, {**asked.parameters, **one})) for one in chosen))


def cores() -> int:
    """How many processes may work at a time here."""
    return max(1, len(os.sched_getaffinity(0)))
