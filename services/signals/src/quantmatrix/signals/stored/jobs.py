"""A sweep, the choosing of a walk forward and a look-ahead check as numbered parts, each of which may be computed anywhere and on its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any

from quantmatrix.signals.backtest.checked import checked, tasks_of_check, tasks_on
from quantmatrix.signals.backtest.run import refuse_unless_possible
from quantmatrix.signals.backtest.sweep import Shared, Tried, combinations, refuse_unless_all_possible, tried
from quantmatrix.signals.backtest.walk_forward import inside_tried, sessions_of, tasks_of, windows_of
from quantmatrix.signals.settings import BAR_LIMIT_S
from quantmatrix.signals.stored.handed import histories_of, lines_of, strategy_in_slot
from quantmatrix.signals.stored.wanted import Wanted, read_wanted

JOBS_WANTED = 64
"""So many jobs at least, where there are as many parts: enough for every process of a few machines, few enough to hand out."""


@dataclass(frozen=True)
class Handed:
    """What a process is handed once: the backtest as it is stored (JSON), and its bars. data: the digest that stands for the bars."""

    asked: str
    data: str
    pieces: tuple[bytes, ...] = field(compare=False, repr=False)


def parts_in(asked: Wanted, sessions: Mapping[str, Sequence[date]]) -> int:
    """How many parts it has. sessions: of every bar, in order, by symbol. Raises BacktestError when it cannot be cut."""
    if asked.cuts is not None:
        return len(tasks_of_check(sessions, asked.cuts, asked.first, asked.last))
    if asked.windows is None:
        return len(combinations(asked.grid))
    every = {one for each in sessions.values() for one in each}
    inside = sorted(one for one in every if (asked.first is None or one >= asked.first) and (asked.last is None or one <= asked.last))
    return len(windows_of(inside, asked.windows)) * len(combinations(asked.grid))


def cut(missing: Sequence[int], total: int) -> list[tuple[int, int]]:
    """The first and last number of each job that together have every missing part; a job has no part that is not missing."""
    size = max(1, total // JOBS_WANTED)
    jobs: list[tuple[int, int]] = []
    for number in sorted(missing):
        if jobs and jobs[-1][1] == number - 1 and number - jobs[-1][0] < size:
            jobs[-1] = (jobs[-1][0], number)
        else:
            jobs.append((number, number))
    return jobs


def part(handed: Handed, number: int) -> Tried:
    """Compute one part. Raises BacktestError with the place of whatever is wrong."""
    ready = _ready(handed)
    return ready.compute(ready.shared, ready.tasks[number - 1])


@dataclass(frozen=True, slots=True)
class _Ready:
    """compute: one of `tasks`, on what all of them share."""

    shared: Shared
    compute: Callable[[Shared, Any], Tried]
    tasks: Sequence[Any]


@lru_cache(maxsize=1)
def _ready(handed: Handed) -> _Ready:
    asked = read_wanted(handed.asked)
    strategy, histories = strategy_in_slot(asked.strategy), histories_of(lines_of(handed.pieces))
    job = replace(asked.job(), bar_limit_s=BAR_LIMIT_S)
    shared = (strategy, histories, job)
    if asked.cuts is not None:
        refuse_unless_possible(strategy, histories, job)
        return _Ready(shared, checked, tasks_on(histories, job, asked.cuts))
    refuse_unless_all_possible(strategy, histories, job, asked.grid)
    if asked.windows is not None:
        return _Ready(shared, inside_tried, tasks_of(windows_of(sessions_of(histories, job), asked.windows), asked.grid))
    return _Ready(shared, tried, list(enumerate(combinations(asked.grid), start=1)))
