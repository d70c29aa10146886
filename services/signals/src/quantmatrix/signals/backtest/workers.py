"""Spreads tasks over processes: each gets the bars once, then task after task. What ends early or takes too long is told by name."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from quantmatrix.signals.backtest.history import BacktestError

TRIES_MAX = 2
TICK_S = 0.25
S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Hired:
    """A process, the pipe to it, and the place of the task that it works on."""

    process: "subprocess.Popen[bytes]"
    pipe: "Connection[Any, Any]"
    task: int | None = None
    since: float = 0.0


def spread(
    work: Callable[[S, T], R],
    shared: S,
    tasks: Sequence[T],
    *,
    workers: int = 1,
    limit_s: float | None = None,
    on_done: Callable[[int, R], None],
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Do every task, in any order; on_done gets its place in `tasks` and its result. At most one task a worker is under way.

    work must be a function of a module, what it takes and gives must pickle. With one worker and no limit everything happens
    here. on_tick is called a few times a second; what it or on_done raises ends the work, and the processes with it.
    Raises BacktestError when a task does, when its process ended twice, or when one took longer than limit_s seconds.
    """
    if workers <= 1 and limit_s is None:
        for place, task in enumerate(tasks):
            on_tick()
            on_done(place, work(shared, task))
        return
    with _processes(min(workers, len(tasks)), (work, shared)) as crew:
        _Round(tasks, limit_s, crew, (work, shared)).run(on_done, on_tick)


class _Round:
    """Who works on what, and how often each task was tried."""

    def __init__(self, tasks: Sequence[Any], limit_s: float | None, crew: list[Hired], told: tuple[Any, Any]) -> None:
        self._tasks, self._limit_s, self._crew, self._told = tasks, limit_s, crew, told
        self._waiting = deque(range(len(tasks)))
        self._tries = [0] * len(tasks)

    def run(self, on_done: Callable[[int, Any], None], on_tick: Callable[[], None]) -> None:
        for worker in self._crew:
            self._give(worker)
        while busy := {worker.pipe: worker for worker in self._crew if worker.task is not None}:
            for ready in wait(list(busy), timeout=TICK_S):
                self._hear(busy[ready], on_done)  # type: ignore[index]  # only pipes are waited for
            self._look_at_the_time()
            on_tick()

    def _give(self, worker: Hired) -> None:
        worker.task = self._waiting.popleft() if self._waiting else None
        if worker.task is not None:
            worker.since = time.monotonic()
            self._tries[worker.task] += 1
            try:
                worker.pipe.send(self._tasks[worker.task])
            except OSError:
                self._replace(worker)

    def _hear(self, worker: Hired, on_done: Callable[[int, Any], None]) -> None:
        place = worker.task
        assert place is not None
        try:
            well, said = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if not well:
            raise said
        on_done(place, said)
        self._give(worker)

    def _replace(self, worker: Hired) -> None:
        """Its process is gone: the task goes back, another process takes its place."""
        place = worker.task
        assert place is not None
        code = worker.process.wait()
        if self._tries[place] >= TRIES_MAX:
            raise BacktestError(f"the process that worked on {self._tasks[place]} ended {TRIES_MAX} times, the last time with {code}")
        self._waiting.appendleft(place)
        worker.pipe.close()
        fresh = start(self._told)
        worker.process, worker.pipe = fresh.process, fresh.pipe
        self._give(worker)

    def _look_at_the_time(self) -> None:
        for worker in self._crew:
            if self._limit_s is not None and worker.task is not None and time.monotonic() - worker.since > self._limit_s:
                raise BacktestError(f"{self._tasks[worker.task]} took longer than {self._limit_s:g} s and was stopped")


@contextmanager
def _processes(count: int, told: tuple[Any, Any]) -> Iterator[list[Hired]]:
    crew: list[Hired] = []
    try:
        crew += [start(told) for _ in range(count)]
        yield crew
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.wait()
            worker.pipe.close()


def start(told: tuple[Any, Any]) -> Hired:
    """A process in a session of its own: what interrupts us does not interrupt it, and it ends when our end of the pipe does."""
    ours, theirs = multiprocessing.Pipe()
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    process = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-m", "quantmatrix.signals.backtest.workers", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    ours.send(told)
    return Hired(process, ours)


def main() -> None:
    """The process of a worker: what to do and on what, then tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        work, shared = pipe.recv()
        while True:
            pipe.send(_answer(work, shared, pipe.recv()))
    except (EOFError, OSError):
        return


def _answer(work: Callable[[Any, Any], Any], shared: object, task: object) -> tuple[bool, Any]:
    try:
        return True, work(shared, task)
    except BacktestError as error:
        return False, error
    except Exception as error:
        return False, BacktestError(f"{task}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
