"""Backtests that a command hands to the running installation, whose workers compute the parts: the same digest as computed here."""

import asyncio
from collections.abc import Sequence

from quantmatrix.common.contracts.asking.work import CrewAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.client import NotRunningError
from quantmatrix.operations.commands.backtest_options import progress_bar
from quantmatrix.operations.commands.common import asking_services, places
from quantmatrix.operations.output import err
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.handed import packed
from quantmatrix.signals.stored.store import Backtest, BacktestStore
from quantmatrix.signals.stored.working import CancelledBacktestError

LOOK_S = 0.5


async def workers_wait(*, as_json: bool) -> bool:
    """Whether workers of an installation with the same code wait for jobs; otherwise what is done instead is said on standard error."""
    try:
        async with asking_services(places(as_json=as_json), as_json=as_json) as ask:
            found = await ask("signals", CrewAsked())
    except (NotRunningError, ServiceSilent) as error:
        return _said(f"{error}: it is computed here")
    if found.code != code_at_work().digest:
        return _said("the installation runs other code: it is computed here")
    return found.is_there or _said("no worker of the installation waits for jobs (qm worker): it is computed here")


def _said(text: str) -> bool:
    err.print(text, style="dim", highlight=False)
    return False


async def handed_on(store: BacktestStore, backtest_id: int, past: Sequence[History]) -> Record:
    """Hand over one that is this command's, and wait for its end. Cancelled when the command is.

    Raises BacktestError with the sentence that it failed with, CancelledBacktestError when a person cancelled it.
    """
    await store.hand_over(backtest_id, await asyncio.to_thread(packed, past))
    try:
        one = await _ended(store, backtest_id)
    except asyncio.CancelledError:
        await store.cancel(backtest_id, SystemClock().now())
        raise
    if one.state == "cancelled":
        raise CancelledBacktestError(f"backtest {backtest_id} was cancelled")
    if one.figures is None:
        raise BacktestError(one.error or f"backtest {backtest_id} is {one.state}")
    return Record(one.figures, await store.tables(backtest_id))


async def _ended(store: BacktestStore, backtest_id: int) -> Backtest:
    with progress_bar() as progress:
        task = progress.add_task("waits for the installation", total=1)
        while True:
            one = await store.one(FIRST_ADMINISTRATOR, backtest_id, SystemClock().now())
            if one is None:
                raise BacktestError(f"there is no stored backtest {backtest_id} any more")
            if one.state not in ("queued", "running"):
                return one
            told = f"{one.wanted.strategy}, by workers" if one.state == "running" else "waits for the installation"
            progress.update(task, description=told, completed=one.done, total=max(1, one.total))
            await asyncio.sleep(LOOK_S)
