"""qm backtest sweep, walk-forward, resume, monte-carlo: many backtests of one strategy, and how much of a result may be luck."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from quantmatrix.operations.commands.backtest_options import (
    Folder,
    Grid,
    Id,
    Kind,
    Order,
    Page,
    Ready,
    Seed,
    Workers,
    check_kind,
    grid_of,
    ordered,
    progress_bar,
    refusals,
    rounded,
)
from quantmatrix.operations.commands.backtest_telling import hand_over
from quantmatrix.operations.commands.backtests_working import record_of_stored, resumed, store_of_backtests, worked
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import out, tell_json, tell_table
from quantmatrix.signals.backtest.doubt import RUNS_MAX, SHARES, Method, drawn_anew
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import luck_page
from quantmatrix.signals.backtest.sweep import refuse_unless_all_possible
from quantmatrix.signals.backtest.walk_forward import Windows, sessions_of, windows_of
from quantmatrix.signals.stored.repeating import computed, cores
from quantmatrix.signals.stored.wanted import wanted


@ordered
def sweep_command(order: Order, grid: Grid, workers: Workers = 0) -> None:
    """Run every combination of some parameters; the highest Sharpe ratio first, and deflated by how many were tried."""
    with refusals(as_json=order.as_json):
        ready, values = _possible(order, grid)
        number, record = _swept(ready, order, workers, kind="sweep", grid=values)
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
) -> None:
    """Choose parameters on one part of the past, run them on the part after it, and put these later parts together."""
    with refusals(as_json=order.as_json):
        ready, values = _possible(order, grid)
        windows = Windows(inside, outside, anchored)
        windows_of(sessions_of(ready.past, ready.job), windows)
        number, record = _swept(ready, order, workers, kind="walk_forward", grid=values, windows=windows)
    hand_over(record, number, order.page, order.folder, order.kind, as_json=order.as_json)


def _possible(order: Order, grid: list[str]) -> tuple[Ready, dict[str, list[Any]]]:
    """Raises BacktestError with the place of whatever is wrong."""
    values, ready = grid_of(grid), order.ready()
    refuse_unless_all_possible(ready.strategy, ready.past, ready.job, values)
    return ready, values


def _swept(ready: Ready, order: Order, workers: int, **more: Any) -> tuple[int | None, Record]:
    """more: kind, grid and windows of what is stored."""
    asked = wanted(ready.job, strategy=order.strategy, symbols=ready.symbols, feed=ready.feed, **more)
    compute = partial(computed, ready.strategy, ready.past, asked, workers=workers or cores(), bar_limit_s=order.bar_limit_s)
    if order.store:
        work = worked(asked, ready.past, lambda at: compute(at.progress, on_tried=at.keep), as_json=order.as_json)
        return run(work, as_json=order.as_json)
    with progress_bar() as progress:
        task = progress.add_task(asked.strategy, total=1)
        return None, compute(lambda done, total: progress.update(task, completed=done, total=total))


def resume_command(
    number: Id, workers: Workers = 0, page: Page = None, folder: Folder = None, kind: Kind = "csv", as_json: AsJson = False
) -> None:
    """Go on with a sweep that was cancelled or failed: finished combinations are not run again."""
    with refusals(as_json=as_json):
        check_kind(kind)
        record = run(resumed(number, workers or cores(), as_json=as_json), as_json=as_json)
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
        record = run(stored(), as_json=as_json)
        spread = drawn_anew(record.profits(), float(record.figures["opening_cash"]), method=method, runs=runs, seed=seed)
    if page is not None:
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
