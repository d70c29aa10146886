"""qm backtest sweep, walk-forward, resume, monte-carlo: many backtests of one strategy, and how much of a result may be luck."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from quantmatrix.operations.commands.backtest_options import (
    ByWorkers,
    Folder,
    Grid,
    Id,
    Kind,
    Order,
    Page,
    Ready,
    Seed,
    Workers,
    check_places,
    grid_of,
    ordered,
    progress_bar,
    refusals,
    rounded,
)
from quantmatrix.operations.commands.backtest_telling import hand_over, writing
from quantmatrix.operations.commands.backtests_handed import workers_wait
from quantmatrix.operations.commands.backtests_working import handed_out, record_of_stored, resumed, store_of_backtests, worked
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import out, tell_json, tell_table
from quantmatrix.signals.backtest.doubt import RUNS_MAX, SHARES, Method, drawn_anew
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import luck_page
from quantmatrix.signals.backtest.sweep import refuse_unless_all_possible
from quantmatrix.signals.backtest.walk_forward import Windows, sessions_of, windows_of
from quantmatrix.signals.settings import BAR_LIMIT_S
from quantmatrix.signals.stored.repeating import computed, cores
from quantmatrix.signals.stored.wanted import wanted


@ordered
def sweep_command(order: Order, grid: Grid, workers: Workers = 0, by_workers: ByWorkers = False) -> None:
    """Run every combination of some parameters; the highest Sharpe ratio first, and deflated by how many were tried."""
    with refusals(as_json=order.as_json):
        ready, values = _possible(order, grid, by_workers=by_workers)
        number, record = _swept(ready, order, workers, by_workers=by_workers, kind="sweep", grid=values)
    hand_over(record, number, order.page, order.folder, order.kind, as_json=order.as_json)


@ordered
def walk_forward_command(
    order: Order,
    grid: Grid,
    inside: Annotated[int, typer.Option("--inside", help="Sessions that parameters are chosen on.")] = 504,
    outside: Annotated[int, typer.Option("--outside", help="Sessions after them that the chosen parameters run on.")] = 126,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Choose on everything from the first session on, instead of rolling on.")
    ] = False,
    workers: Workers = 0,
    by_workers: ByWorkers = False,
) -> None:
    """Choose parameters on one part of the past, run them on the part after it, and put these later parts together."""
    with refusals(as_json=order.as_json):
        ready, values = _possible(order, grid, by_workers=by_workers)
        windows = Windows(inside, outside, anchored)
        windows_of(sessions_of(ready.past, ready.job), windows)
        number, record = _swept(ready, order, workers, by_workers=by_workers, kind="walk_forward", grid=values, windows=windows)
    hand_over(record, number, order.page, order.folder, order.kind, as_json=order.as_json)


def _possible(order: Order, grid: list[str], *, by_workers: bool) -> tuple[Ready, dict[str, list[Any]]]:
    """Raises BacktestError with the place of whatever is wrong."""
    if by_workers and not order.store:
        raise BacktestError("--no-store: what workers compute is stored")
    if by_workers and order.bar_limit_s != BAR_LIMIT_S:
        raise BacktestError(
            f"--bar-limit-s: workers take {BAR_LIMIT_S:g} s at most over one bar; another limit holds only for what is computed here"
        )
    values, ready = grid_of(grid), order.ready()
    refuse_unless_all_possible(ready.strategy, ready.past, ready.job, values)
    return ready, values


def _swept(ready: Ready, order: Order, workers: int, *, by_workers: bool, **more: Any) -> tuple[int | None, Record]:
    """more: kind, grid and windows of what is stored."""
    asked = wanted(ready.job, strategy=order.strategy, symbols=ready.symbols, feed=ready.feed, **more)
    compute = partial(computed, ready.strategy, ready.past, asked, workers=workers or cores(), bar_limit_s=order.bar_limit_s)
    if by_workers and run(workers_wait(as_json=order.as_json), as_json=order.as_json):
        return run(handed_out(asked, ready.past, as_json=order.as_json), as_json=order.as_json)
    if order.store:
        work = worked(asked, ready.past, lambda at: compute(at.progress, on_tried=at.keep), as_json=order.as_json)
        return run(work, as_json=order.as_json)
    with progress_bar() as progress:
        task = progress.add_task(asked.strategy, total=1)
        return None, compute(lambda done, total: progress.update(task, completed=done, total=total))


def resume_command(
    number: Id,
    workers: Workers = 0,
    by_workers: ByWorkers = False,
    page: Page = None,
    folder: Folder = None,
    kind: Kind = "csv",
    as_json: AsJson = False,
) -> None:
    """Go on with a sweep that was cancelled or failed: finished combinations are not run again."""
    with refusals(as_json=as_json):
        check_places(kind, page, folder)
        handed = by_workers and run(workers_wait(as_json=as_json), as_json=as_json)
        record = run(resumed(number, None if handed else workers or cores(), as_json=as_json), as_json=as_json)
    hand_over(record, number, page, folder, kind, as_json=as_json)


def monte_carlo_command(
    number: Id,
    method: Annotated[Method, typer.Option(help="Every trade once in another order, or drawn with replacement.")] = Method.BOOTSTRAP,
    runs: Annotated[int, typer.Option(min=1, max=RUNS_MAX, help="How many times the trades are drawn.")] = 1_000,
    seed: Seed = 0,
    page: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with the bands drawn (HTML).")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the closed trades of a stored backtest anew: bands of the equity they end with and of the drawdown on the way."""

    async def stored() -> Record:
        async with store_of_backtests(as_json=as_json) as store:
            return (await record_of_stored(store, number))[1]

    with refusals(as_json=as_json):
        check_places("csv", page, None)
        record = run(stored(), as_json=as_json)
        if "trades" not in record.tables:
            raise BacktestError(f"backtest {number} is a sweep, it has no trades of its own; run one of its combinations, and draw that")
        spread = drawn_anew(record.profits(), float(record.figures["opening_cash"]), method=method, runs=runs, seed=seed)
    if page is not None:
        with writing(page, as_json=as_json):
            page.write_text(luck_page(record, spread), encoding="utf-8")
    if as_json:
        told: dict[str, Any] = asdict(spread)
        tell_json({"id": number, **told})
        return
    rows = [(name, *(rounded(one) for one in getattr(spread, name))) for name in ("final", "drawdown")]
    title = f"{record.title}: {spread.trades} trades drawn anew {spread.runs} times ({spread.method}), {spread.ruined:.1%} lost half"
    tell_table(title, ("", *(f"{share:.0%}" for share in SHARES)), rows)
    if page is not None:
        out.print(f"The page with the bands: {page}", highlight=False)
