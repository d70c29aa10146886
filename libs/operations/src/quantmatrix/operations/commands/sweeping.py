"""qm backtest sweep, walk-forward, resume, monte-carlo: many backtests of one strategy, and how much of a result may be luck."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.settings import SettingsError
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.operations.commands.backtest_options import (
    Cash,
    CommissionPct,
    First,
    Folder,
    Grid,
    Id,
    InsideBar,
    Kind,
    Last,
    Name,
    Page,
    Seed,
    Set,
    SlippageBps,
    Store,
    Symbols,
    VolumePct,
    Workers,
    check_kind,
    grid_of,
    job_of,
    progress_bar,
    rounded,
    rules_of,
    symbols_of,
)
from quantmatrix.operations.commands.backtest_telling import hand_over
from quantmatrix.operations.commands.backtests_working import record_of_stored, resumed, store_of_backtests, worked
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.signals.backtest.doubt import RUNS_MAX, SHARES, Method, drawn_anew
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import luck_page
from quantmatrix.signals.backtest.sweep import refuse_unless_all_possible
from quantmatrix.signals.backtest.walk_forward import Windows, sessions_of, windows_of
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.stored.repeating import computed, cores
from quantmatrix.signals.stored.wanted import Wanted, wanted


def sweep_command(
    strategy: Name,
    grid: Grid,
    symbols: Symbols = "",
    first: First = "",
    last: Last = "",
    given: Set = None,
    cash: Cash = "100000",
    slippage_bps: SlippageBps = "0",
    volume_pct: VolumePct = "0",
    commission_pct: CommissionPct = "",
    inside_bar: InsideBar = False,
    seed: Seed = 0,
    workers: Workers = 0,
    page: Page = None,
    folder: Folder = None,
    kind: Kind = "csv",
    store: Store = True,
    as_json: AsJson = False,
) -> None:
    """Run every combination of some parameters; the highest Sharpe ratio first, and deflated by how many were tried."""
    try:
        check_kind(kind)
        rules = rules_of(slippage_bps, volume_pct, commission_pct, inside_bar=inside_bar)
        job, values, chosen = job_of(given, cash, first, last, rules, seed), grid_of(grid), strategy_called(strategy)
        feed, past = histories(symbols_of(symbols))
        refuse_unless_all_possible(chosen, past, job, values)
        asked = wanted(job, strategy=strategy, symbols=tuple(one.symbol for one in past), feed=feed, kind="sweep", grid=values)
        number, record = _swept(chosen, past, asked, workers or cores(), store=store, as_json=as_json)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    hand_over(record, number, page, folder, kind, as_json=as_json)


def walk_forward_command(
    strategy: Name,
    grid: Grid,
    inside: Annotated[int, typer.Option("--inside", help="Sessions that parameters are chosen on.")] = 504,
    outside: Annotated[int, typer.Option("--outside", help="Sessions after them that the chosen parameters run on.")] = 126,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Choose on everything from the first session on, instead of rolling on.")
    ] = False,
    symbols: Symbols = "",
    first: First = "",
    last: Last = "",
    given: Set = None,
    cash: Cash = "100000",
    slippage_bps: SlippageBps = "0",
    volume_pct: VolumePct = "0",
    commission_pct: CommissionPct = "",
    inside_bar: InsideBar = False,
    seed: Seed = 0,
    workers: Workers = 0,
    page: Page = None,
    folder: Folder = None,
    kind: Kind = "csv",
    store: Store = True,
    as_json: AsJson = False,
) -> None:
    """Choose parameters on one part of the past, run them on the part after it, and put these later parts together."""
    try:
        check_kind(kind)
        rules = rules_of(slippage_bps, volume_pct, commission_pct, inside_bar=inside_bar)
        job, values, chosen = job_of(given, cash, first, last, rules, seed), grid_of(grid), strategy_called(strategy)
        feed, past = histories(symbols_of(symbols))
        refuse_unless_all_possible(chosen, past, job, values)
        windows = Windows(inside, outside, anchored)
        windows_of(sessions_of(past, job), windows)
        names = tuple(one.symbol for one in past)
        asked = wanted(job, strategy=strategy, symbols=names, feed=feed, kind="walk_forward", grid=values, windows=windows)
        number, record = _swept(chosen, past, asked, workers or cores(), store=store, as_json=as_json)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    hand_over(record, number, page, folder, kind, as_json=as_json)


def _swept(
    chosen: type[Strategy], past: Sequence[History], asked: Wanted, workers: int, *, store: bool, as_json: bool
) -> tuple[int | None, Record]:
    if store:
        return run(
            worked(asked, past, lambda at: computed(chosen, past, asked, at.progress, on_tried=at.keep, workers=workers), as_json=as_json),
            as_json=as_json,
        )
    with progress_bar() as progress:
        task = progress.add_task(asked.strategy, total=1)
        return None, computed(chosen, past, asked, lambda done, total: progress.update(task, completed=done, total=total), workers=workers)


def resume_command(
    number: Id, workers: Workers = 0, page: Page = None, folder: Folder = None, kind: Kind = "csv", as_json: AsJson = False
) -> None:
    """Go on with a sweep that was cancelled or failed: finished combinations are not run again."""
    try:
        check_kind(kind)
        record = run(resumed(number, workers or cores(), as_json=as_json), as_json=as_json)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
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

    try:
        record = run(stored(), as_json=as_json)
        spread = drawn_anew(record.profits(), float(record.figures["opening_cash"]), method=method, runs=runs, seed=seed)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
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
