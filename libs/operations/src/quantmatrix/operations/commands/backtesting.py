"""qm backtest: run a strategy of the slot over the bars of the feed, and look whether it looks ahead."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.settings import SettingsError
from quantmatrix.common.values import Money
from quantmatrix.operations.backtests import catalogue, histories, parameters_of, strategy_called, titles
from quantmatrix.operations.commands.common import AsJson
from quantmatrix.operations.output import Exit, err, fail, out, tell_json, tell_table
from quantmatrix.signals.backtest.doubt import Spread, redrawn
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.lookahead import look_ahead
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.rules import Commission, FillRules, Slippage
from quantmatrix.signals.backtest.run import Job, backtest, made
from quantmatrix.signals.backtest.sweep import sweep
from quantmatrix.signals.backtest.tables import save
from quantmatrix.signals.domain.sentence import NotUnderstood, RunForm, read_sentence

app = typer.Typer(name="backtest", help="Run strategies over past bars, with the code that runs live.", no_args_is_help=True)

Symbols = Annotated[str, typer.Option(help="Symbols, separated by commas; all of the feed when left out.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; may be repeated.")]


@app.command("run")
def run_command(
    strategy: Annotated[str, typer.Argument(help="Name of a strategy in the slot, such as atr_matrix.")],
    symbols: Symbols = "",
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First session (YYYY-MM-DD); earlier bars are history.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last session (YYYY-MM-DD).")] = "",
    given: Set = None,
    cash: Annotated[str, typer.Option(help="Capital, in dollars.")] = "100000",
    slippage_bps: Annotated[str, typer.Option(help="Slippage against us, in basis points of the price.")] = "0",
    volume_pct: Annotated[str, typer.Option(help="Largest share of a bar's volume that fills, in percent; 0 for no limit.")] = "0",
    commission_pct: Annotated[str, typer.Option(help="Commission in percent of the value, instead of the paper venue's per share.")] = "",
    inside_bar: Annotated[bool, typer.Option("--inside-bar", help="Let stops and first targets rest in the market.")] = False,
    seed: Annotated[int, typer.Option(help="Seed; part of the digest, for what draws lots.")] = 0,
    page: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a page with plots (HTML, no other file needed).")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--save", metavar="FOLDER", help="Write fills, trades and curve as tables.")] = None,
    redraw: Annotated[int, typer.Option(min=0, max=100_000, help="Draw the closed trades anew so many times, by the seed.")] = 0,
    kind: Annotated[str, typer.Option("--as", metavar="csv|parquet", help="How tables are written.")] = "csv",
    as_json: AsJson = False,
) -> None:
    """Run one strategy over the bars of the feed (QM_MARKET_FEED) and print its figures and digest."""
    try:
        commission = (
            Commission(Decimal(0), Decimal(0), Decimal(0), _number("commission-pct", commission_pct)) if commission_pct else Commission()
        )
        rules = FillRules(
            commission, Slippage(_number("slippage-bps", slippage_bps)), _number("volume-pct", volume_pct) or None, inside_bar
        )
        if kind not in ("csv", "parquet"):
            raise BacktestError(f"--as: tables are written as csv or parquet, not as {kind!r}")
        amount = _capital(cash)
        job = Job(parameters_of(given or ()), amount, rules, _day("from", first), _day("to", last), seed)
        _, past = histories(_symbols(symbols))
        with _progress() as progress:
            task = progress.add_task(strategy, total=1)
            result = backtest(
                strategy_called(strategy), past, job, on_progress=lambda done, total: progress.update(task, completed=done, total=total)
            )
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    if page is not None:
        page.write_text(report(result), encoding="utf-8")
    if folder is not None:
        save(result, folder, "parquet" if kind == "parquet" else "csv")
    _hand_over(result, page, _redrawn(result, redraw, as_json=as_json) if redraw else None, as_json=as_json)


def _hand_over(result: Result, page: Path | None, spread: Spread | None, *, as_json: bool) -> None:
    if as_json:
        tell_json(result.as_json() | ({"redrawn": asdict(spread)} if spread else {}))
        return
    _tell(result, page)
    if spread is not None:
        rows = [(name, *(_rounded(one) for one in getattr(spread, name))) for name in ("final", "drawdown")]
        tell_table(f"Trades drawn anew {spread.runs} times; {spread.ruined:.1%} lost half", ("", "5 %", "50 %", "95 %"), rows)


def _redrawn(result: Result, runs: int, *, as_json: bool) -> Spread:
    profits = [float(one.profit.amount) for one in result.trades if not one.is_open]
    if not profits:
        fail(Exit.CONFIGURATION, "--redraw: no trade was closed, there is nothing to draw from", as_json=as_json)
    return redrawn(profits, float(result.asked.cash.amount), runs=runs, seed=result.asked.seed)


@app.command("sweep")
def sweep_command(
    strategy: Annotated[str, typer.Argument(help="Name of a strategy in the slot.")],
    grid: Annotated[list[str], typer.Option("--grid", metavar="NAME=V1,V2,…", help="Values of a parameter; may be repeated.")],
    symbols: Symbols = "",
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First session (YYYY-MM-DD).")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last session (YYYY-MM-DD).")] = "",
    given: Set = None,
    cash: Annotated[str, typer.Option(help="Capital, in dollars.")] = "100000",
    as_json: AsJson = False,
) -> None:
    """Run every combination of some parameters; the highest Sharpe ratio first, and deflated by how many were tried."""
    try:
        chosen = strategy_called(strategy)
        values = {name: [_value(one) for one in str(listed).split(",")] for name, listed in (one.partition("=")[::2] for one in grid)}
        job = Job(parameters_of(given or ()), _capital(cash), FillRules(), _day("from", first), _day("to", last))
        _, past = histories(_symbols(symbols))
        with _progress() as progress:
            task = progress.add_task(strategy, total=1)
            tried = sweep(chosen, past, job, values, lambda done, total: progress.update(task, completed=done, total=total))
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    rows = [
        {
            **{name: one.parameters[name] for name in values},
            "sharpe": one.result.curve.sharpe,
            "deflated_sharpe": one.deflated,
            "total_return": one.result.curve.total_return,
            "max_drawdown": one.result.curve.max_drawdown,
            "trades": one.result.closed.trades,
            "digest": one.result.digest,
        }
        for one in tried
    ]
    if as_json:
        tell_json({"strategy": strategy, "tried": rows})
    else:
        tell_table(
            f"{strategy}: {len(rows)} combinations",
            tuple(rows[0])[:-1],
            [[_rounded(one) for one in list(row.values())[:-1]] for row in rows],
        )


def _value(text: str) -> Any:
    return parameters_of([f"value={text}"])["value"]


@app.command("lookahead")
def lookahead_command(
    strategy: Annotated[str, typer.Argument(help="Name of a strategy in the slot.")],
    symbols: Symbols = "",
    given: Set = None,
    cuts: Annotated[int, typer.Option(min=1, help="Cut the history at each of its last bars, this many an instrument.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Cut the history bar by bar: what a strategy computed and decided then must be what it computes with later bars."""
    try:
        chosen, parameters = strategy_called(strategy), parameters_of(given or ())
        _, past = histories(_symbols(symbols))
        verdict = look_ahead(lambda: made(chosen, parameters), past, cuts)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    told = [str(one) for one in verdict.findings]
    if as_json:
        tell_json({"strategy": verdict.strategy, "cuts": verdict.cuts, "clean": verdict.is_clean, "findings": told})
    else:
        out.print(f"{verdict.strategy}: {verdict.cuts} histories cut, {len(told)} things changed", highlight=False)
        for line in told:
            out.print(f"· {line}", highlight=False)
    if not verdict.is_clean:
        raise typer.Exit(Exit.ERROR)


@app.command("strategies")
def strategies_command(as_json: AsJson = False) -> None:
    """Every strategy of the slot: what it is, what it needs; with --json the schema of its parameters too."""
    found = catalogue()
    if as_json:
        tell_json({"strategies": found})
        return
    columns = ("name", "summary", "complexity", "needs")
    tell_table("Strategies", columns, [[", ".join(one[name]) if name == "needs" else one[name] for name in columns] for one in found])


@app.command("sentence")
def sentence_command(
    text: Annotated[str, typer.Argument(help='Such as "run ATR Matrix on paper, $10k, 20% profit, 80% reinvest".')],
    as_json: AsJson = False,
) -> None:
    """Say what a sentence that starts a run means, without starting anything."""
    found = read_sentence(text, titles())
    if isinstance(found, NotUnderstood):
        fail(Exit.CONFIGURATION, str(found), as_json=as_json)
    form = {name: str(value) for name in RunForm.__dataclass_fields__ if (value := getattr(found, name)) is not None}
    if as_json:
        tell_json({**form, "sentence": found.sentence()})
    else:
        tell_table(found.sentence(), ("", "value"), list(form.items()))


def _tell(result: Result, page: Path | None) -> None:
    told = result.as_json()
    rows = [(name, value) for name, value in told.items() if not isinstance(value, dict | list)]
    rows += [(name.replace("_", " "), _rounded(value)) for part in ("curve", "closed_trades") for name, value in told[part].items()]
    tell_table(f"{result.asked.strategy} on {', '.join(result.asked.symbols)}", ("", "value"), rows, right=("value",))
    tell_table(
        "Instruments",
        ("symbol", "trades", "won", "profit", "fees", "held", "value"),
        [(one.symbol, one.trades, one.won, one.profit, one.fees, one.held, one.value) for one in result.symbols],
    )
    for line in result.asked.assumptions:
        out.print(f"· {line}", highlight=False)
    if page is not None:
        out.print(f"The page with plots: {page}", highlight=False)


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True)


def _symbols(given: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip().upper() for part in given.split(",") if part.strip()))


def _number(name: str, given: str) -> Decimal:
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value < 10**12:
        raise BacktestError(f"--{name}: expected a number of zero or more, got {given!r}")
    return value


def _capital(given: str) -> Money:
    amount = Money(_number("cash", given), "USD")
    if not amount:
        raise BacktestError("the capital is above zero")
    return amount


def _day(name: str, given: str) -> date | None:
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise BacktestError(f"--{name}: expected a date such as 2005-02-28, got {given!r}") from error
