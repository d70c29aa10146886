"""Works on a stored backtest: the computation in a thread, its progress in the table, and one end for every way it can go."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from quantmatrix.common.runtime.clock import Clock
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.stored.store import BacktestStore

BEAT_S = 0.5
HALT_S = 5.0


class CancelledBacktestError(RuntimeError):
    """A person cancelled the backtest."""


class _HaltedError(Exception):
    """Raised inside the computation, at the next sign of progress."""


class AtWork:
    """What the computation is handed: a place to say how far it is, and to keep a finished part. Both may be called from its thread."""

    def __init__(self, backtest_id: int, store: BacktestStore, on_progress: Callable[[int, int], None] | None) -> None:
        self.done, self.total = 0, 0
        self._id, self._store, self._on_progress = backtest_id, store, on_progress
        self._halt = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.talking = asyncio.Lock()

    def halt(self) -> None:
        """Let the computation end at its next sign of progress."""
        self._halt.set()

    def progress(self, done: int, total: int) -> None:
        """Say how far it is; this is where a computation ends that is to go on no longer."""
        self.done, self.total = done, total
        if self._on_progress is not None:
            self._on_progress(done, total)
        if self._halt.is_set():
            raise _HaltedError

    def keep(self, part: Tried) -> None:
        """Store a finished part; it is there when this returns."""
        self._in_loop(self._keep(part))

    async def _keep(self, part: Tried) -> None:
        async with self.talking:
            await self._store.keep_part(self._id, part)

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


Compute = Callable[[AtWork], Record]


async def work_on(
    store: BacktestStore,
    backtest_id: int,
    compute: Compute,
    clock: Clock,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    limit_s: float | None = None,
) -> Record:
    """Compute it and store its end. The record is stored when this returns.

    Raises BacktestError (stored as failed, with the sentence) when the strategy or its input is wrong or the limit is
    passed, CancelledBacktestError when a person cancelled it; cancelled from outside it is stored as cancelled.
    """
    at = AtWork(backtest_id, store, on_progress)
    thread = _in_a_thread(compute, at)
    try:
        record = await _watched(thread, at, store, backtest_id, clock, limit_s)
    except BacktestError as error:
        await store.fail(backtest_id, str(error), clock.now())
        raise
    except asyncio.CancelledError:
        at.halt()
        await asyncio.wait({thread}, timeout=HALT_S)
        await store.cancel(backtest_id, clock.now())
        raise
    except _HaltedError:
        raise CancelledBacktestError(f"backtest {backtest_id} was cancelled") from None
    except Exception as error:
        await store.fail(backtest_id, f"{type(error).__name__}: {error}", clock.now())
        raise
    if not await store.finish(backtest_id, record, clock.now()):
        raise CancelledBacktestError(f"backtest {backtest_id} was cancelled")
    return record


async def _watched(
    thread: "asyncio.Future[Record]", at: AtWork, store: BacktestStore, backtest_id: int, clock: Clock, limit_s: float | None
) -> Record:
    began = asyncio.get_running_loop().time()
    while not thread.done():
        await asyncio.wait({thread}, timeout=BEAT_S)
        async with at.talking:
            if not await store.beat(backtest_id, at.done, at.total, clock.now()):
                at.halt()
        if not thread.done() and limit_s is not None and asyncio.get_running_loop().time() - began > limit_s:
            at.halt()
            raise BacktestError(f"it took longer than {limit_s:g} s and was stopped at {at.done} of {at.total or 'unknown'}")
    return thread.result()


def _in_a_thread(compute: Compute, at: AtWork) -> "asyncio.Future[Record]":
    """A thread that holds up nobody's end: what never returns is left behind."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Record] = loop.create_future()

    def settle(record: Record | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if record is not None:
            future.set_result(record)
        else:
            future.set_exception(error or RuntimeError("the computation gave nothing"))
            future.exception()

    def work() -> None:
        record, error = None, None
        try:
            record = compute(at)
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, record, error)

    threading.Thread(target=work, name=f"backtest-{id(at)}", daemon=True).start()
    return future
