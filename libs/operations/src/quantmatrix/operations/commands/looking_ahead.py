"""qm backtest lookahead: whether what a strategy computes and decides on a bar changes when later bars are known."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.operations.commands.backtest_options import (
    BarLimit,
    ByWorkers,
    Cash,
    First,
    Folder,
    Kind,
    Last,
    Name,
    Page,
    Ready,
    Set,
    Store,
    Symbols,
    Workers,
    check_places,
    job_of,
    progress_bar,
    refusals,
    symbols_of,
)
from quantmatrix.operations.commands.backtest_telling import hand_over
from quantmatrix.operations.commands.backtests_handed import workers_wait
from quantmatrix.operations.commands.backtests_working import handed_out, worked
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import Exit
from quantmatrix.signals.backtest.checked import CUTS_MAX, KIND, tasks_on
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import refuse_unless_possible
from quantmatrix.signals.settings import BAR_LIMIT_S
from quantmatrix.signals.stored.repeating import computed, cores
from quantmatrix.signals.stored.wanted import wanted

Cuts = Annotated[int, typer.Option(min=1, max=CUTS_MAX, help="Cut the history at each of its last bars, this many an instrument.")]


def lookahead_command(
    strategy: Name,
    symbols: Symbols = "",
    given: Set = None,
    cuts: Cuts = 500,
    first: First = "",
    last: Last = "",
    cash: Cash = "100000",
    bar_limit_s: BarLimit = BAR_LIMIT_S,
    workers: Workers = 0,
    by_workers: ByWorkers = False,
    page: Page = None,
    folder: Folder = None,
    kind: Kind = "csv",
    store: Store = True,
    as_json: AsJson = False,
) -> None:
    """Cut the history bar by bar: what a strategy computed and decided then must be what it computes with later bars.

    Exit code 1 when something changed.
    """
    with refusals(as_json=as_json):
        check_places(kind, page, folder)
        if by_workers and not store:
            raise BacktestError("--no-store: what workers compute is stored")
        chosen, job = strategy_called(strategy), replace(job_of(given, cash, first, last), bar_limit_s=bar_limit_s)
        feed, past = histories(symbols_of(symbols))
        refuse_unless_possible(chosen, past, job)
        tasks_on(past, job, cuts)
        number, record = _checked(Ready(chosen, feed, past, job), cuts, workers, by_workers=by_workers, store=store, as_json=as_json)
    hand_over(record, number, page, folder, kind, as_json=as_json)
    if not record.figures["clean"]:
        raise typer.Exit(Exit.ERROR)


def _checked(ready: Ready, cuts: int, workers: int, *, by_workers: bool, store: bool, as_json: bool) -> tuple[int | None, Record]:
    asked = wanted(ready.job, strategy=ready.strategy.name, symbols=ready.symbols, feed=ready.feed, kind=KIND, cuts=cuts)
    limit_s = ready.job.bar_limit_s
    compute = partial(computed, ready.strategy, ready.past, asked, workers=workers or cores(), bar_limit_s=limit_s)
    if by_workers and run(workers_wait(as_json=as_json), as_json=as_json):
        return run(handed_out(asked, ready.past, as_json=as_json), as_json=as_json)
    if store:
        return run(worked(asked, ready.past, lambda at: compute(at.progress, on_tried=at.keep), as_json=as_json), as_json=as_json)
    with progress_bar() as progress:
        task = progress.add_task(asked.strategy, total=1)
        return None, compute(lambda done, total: progress.update(task, completed=done, total=total))
