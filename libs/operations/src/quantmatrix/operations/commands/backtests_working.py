"""Stored backtests as commands use them: worked on with progress, in signals' own tables, for the first administrator."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.operations.commands.backtest_options import progress_bar
from quantmatrix.operations.commands.backtests_handed import handed_on
from quantmatrix.operations.commands.database import tables_of
from quantmatrix.signals.backtest.history import BacktestError, History, digest_of, reads_chains
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.queue import FEED
from quantmatrix.signals.stored.repeating import computed
from quantmatrix.signals.stored.store import SILENT_S, Backtest, BacktestStore
from quantmatrix.signals.stored.wanted import Wanted
from quantmatrix.signals.stored.working import Compute, work_on


@asynccontextmanager
async def store_of_backtests(*, as_json: bool) -> AsyncIterator[BacktestStore]:
    """Signals' tables of backtests. Raises SetUpError when they cannot be reached."""
    async with tables_of("signals", as_json=as_json) as connection:
        yield BacktestStore(connection)


async def worked(wanted: Wanted, past: Sequence[History], compute: Compute, *, as_json: bool) -> tuple[int, Record]:
    """Store that it begins, compute it, store what came of it; the number it has from now on."""
    clock = SystemClock()
    async with store_of_backtests(as_json=as_json) as store:
        backtest_id = await store.begin(FIRST_ADMINISTRATOR, wanted, code_at_work(), clock.now(), data_digest=digest_of(past))
        assert backtest_id is not None
        with progress_bar() as progress:
            task = progress.add_task(wanted.strategy, total=1)
            record = await work_on(
                store, backtest_id, compute, clock, on_progress=lambda done, total: progress.update(task, completed=done, total=total)
            )
    return backtest_id, record


async def handed_out(wanted: Wanted, past: Sequence[History], *, as_json: bool) -> tuple[int, Record]:
    """Store that it begins, hand it over, and wait for its end; the number it has from now on."""
    clock = SystemClock()
    async with store_of_backtests(as_json=as_json) as store:
        backtest_id = await store.begin(FIRST_ADMINISTRATOR, wanted, code_at_work(), clock.now(), data_digest=digest_of(past))
        assert backtest_id is not None
        return backtest_id, await handed_on(store, backtest_id, past)


async def resumed(backtest_id: int, workers: int | None, *, as_json: bool) -> Record:
    """Go on with a sweep where it ended, with the same code. Raises BacktestError when that cannot be.

    workers: how many processes work on it here; none for the workers of the installation.
    """
    clock = SystemClock()
    async with store_of_backtests(as_json=as_json) as store:
        one = await found(store, backtest_id)
        if one.wanted.kind == "run":
            raise BacktestError(f"backtest {backtest_id} has no parts; repeat it with qm backtest repeat {backtest_id}")
        past, known = data_of(one.wanted), await store.parts(backtest_id)
        if not await store.resume(backtest_id, code_at_work(), digest_of(past), clock.now()):
            raise BacktestError(f"backtest {backtest_id} {_why_not(one, digest_of(past))}")
        if workers is None:
            return await handed_on(store, backtest_id, past)
        strategy = strategy_called(one.wanted.strategy)
        with progress_bar() as progress:
            task = progress.add_task(one.wanted.strategy, total=1)
            return await work_on(
                store,
                backtest_id,
                lambda at: computed(strategy, past, one.wanted, at.progress, on_tried=at.keep, known=known, workers=workers),
                clock,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )


def _why_not(one: Backtest, data_digest: str) -> str:
    if one.code.digest != code_at_work().digest:
        return "began with other code; start the sweep anew"
    if one.data_digest is None:
        return "was computed on bars of the installation, which are gone; start the sweep anew"
    if one.data_digest != data_digest:
        return "began with other data; start the sweep anew"
    if one.state == "running":
        return f"is still at work; where its command was killed, that is known {SILENT_S} s afterwards: ask again then"
    return f"is {one.state}; there is nothing to go on with"


async def found(store: BacktestStore, backtest_id: int) -> Backtest:
    """The stored backtest with this number. Raises BacktestError when there is none."""
    one = await store.one(FIRST_ADMINISTRATOR, backtest_id, SystemClock().now())
    if one is None:
        raise BacktestError(f"there is no stored backtest {backtest_id}; qm backtest list shows which there are")
    return one


async def record_of_stored(store: BacktestStore, backtest_id: int) -> tuple[Backtest, Record]:
    """A finished backtest with its tables. Raises BacktestError when there is none, or it is not finished."""
    one = await found(store, backtest_id)
    if one.figures is None:
        raise BacktestError(f"backtest {backtest_id} is {one.state}{f': {one.error}' if one.error else ''}")
    return one, Record(one.figures, await store.tables(backtest_id))


def data_of(wanted: Wanted) -> list[History]:
    """The bars that it is asked on, as the feed has them now. Raises BacktestError when market is set to another feed."""
    feed, past = histories(wanted.symbols, chains=reads_chains(strategy_called(wanted.strategy)))
    if wanted.feed not in (feed, FEED):
        raise BacktestError(f"it ran on the feed {wanted.feed}, market is set to {feed}; set QM_MARKET_FEED={wanted.feed}")
    return past
