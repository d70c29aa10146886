"""The options that commands of `qm backtest` share, and how what a person wrote becomes a job."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.settings import SettingsError
from quantmatrix.common.values import Money
from quantmatrix.operations.backtests import histories, parameters_of, strategy_called
from quantmatrix.operations.commands.common import AsJson
from quantmatrix.operations.output import Exit, err, fail
from quantmatrix.signals.backtest.history import BacktestError, History, TooLongError, reads_chains
from quantmatrix.signals.backtest.rules import Commission, FillRules, Slippage
from quantmatrix.signals.backtest.run import Job
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.settings import BAR_LIMIT_S
from quantmatrix.signals.stored.working import CancelledBacktestError

Name = Annotated[str, typer.Argument(help="Name of a strategy in the slot, such as atr_matrix.")]
Symbols = Annotated[str, typer.Option(help="Symbols, separated by commas; all of the feed when left out.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; may be repeated.")]
First = Annotated[str, typer.Option("--from", metavar="DATE", help="First session (YYYY-MM-DD); earlier bars are history.")]
Last = Annotated[str, typer.Option("--to", metavar="DATE", help="Last session (YYYY-MM-DD).")]
Cash = Annotated[str, typer.Option(help="Capital, in dollars.")]
SlippageBps = Annotated[str, typer.Option(help="Slippage against us, in basis points of the price.")]
VolumePct = Annotated[str, typer.Option(help="Largest share of a bar's volume that fills, in percent; 0 for no limit.")]
CommissionPct = Annotated[str, typer.Option(help="Commission in percent of the value, instead of the paper venue's per share.")]
InsideBar = Annotated[bool, typer.Option("--inside-bar", help="Let stops and first targets rest in the market.")]
Seed = Annotated[int, typer.Option(help="Seed; part of the digest, for what draws lots.")]
Store = Annotated[bool, typer.Option("--store/--no-store", help="Store it; the embedded database is started for it when nothing runs.")]
Page = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with plots (HTML, no other file needed).")]
Folder = Annotated[Path | None, typer.Option("--save", metavar="FOLDER", help="Write fills, trades and curve as tables.")]
Kind = Annotated[str, typer.Option("--as", metavar="csv|parquet", help="How tables are written.")]
Grid = Annotated[list[str], typer.Option("--grid", metavar="NAME=V1,V2,…", help="Values of a parameter; may be repeated.")]
Workers = Annotated[int, typer.Option(min=0, max=64, help="Processes that work on it; 0 for one a core.")]
ByWorkers = Annotated[
    bool,
    typer.Option("--by-workers", help="Let the workers of the running installation compute it; here, where nothing runs or none waits."),
]
BarLimit = Annotated[
    float, typer.Option("--bar-limit-s", min=0.1, max=86_400, help="Seconds that a strategy may take over one bar before it is stopped.")
]
Id = Annotated[int, typer.Argument(metavar="ID", help="Number of a stored backtest, as qm backtest list shows it.")]


@dataclass(frozen=True, slots=True)
class Ready:
    """A backtest that may be run: what was asked for, read."""

    strategy: type[Strategy]
    feed: str
    past: list[History]
    job: Job

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.past)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person asks for whenever a backtest is run: on what, how it is filled, and where its result goes."""

    strategy: Name
    symbols: Symbols = ""
    first: First = ""
    last: Last = ""
    given: Set = None
    cash: Cash = "100000"
    slippage_bps: SlippageBps = "0"
    volume_pct: VolumePct = "0"
    commission_pct: CommissionPct = ""
    inside_bar: InsideBar = False
    seed: Seed = 0
    bar_limit_s: BarLimit = BAR_LIMIT_S
    page: Page = None
    folder: Folder = None
    kind: Kind = "csv"
    store: Store = True
    as_json: AsJson = False

    def ready(self) -> Ready:
        """Read options, strategy and bars. Raises BacktestError, FeedError or SettingsError with the place of whatever is wrong."""
        check_places(self.kind, self.page, self.folder)
        rules = rules_of(self.slippage_bps, self.volume_pct, self.commission_pct, inside_bar=self.inside_bar)
        job = job_of(self.given, self.cash, self.first, self.last, rules, self.seed)
        chosen = strategy_called(self.strategy)
        feed, past = histories(symbols_of(self.symbols), chains=reads_chains(chosen))
        return Ready(chosen, feed, past, replace(job, bar_limit_s=self.bar_limit_s))


def ordered(command: Callable[..., None]) -> Callable[..., None]:
    """A command of its own options and those of an order, which it is handed as its first argument."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=one.type,
        )
        for one in fields(Order)
    ]
    names = {one.name for one in shared}

    def called(**told: Any) -> None:
        order = Order(**{name: value for name, value in told.items() if name in names})
        command(order, **{name: value for name, value in told.items() if name not in names})

    parameters = [*shared, *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own)]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads options from
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    called.__doc__, called.__name__ = command.__doc__, command.__name__
    return called


@contextmanager
def refusals(*, as_json: bool) -> Iterator[None]:
    """What can be wrong with a backtest becomes a sentence: with exit code 5 when a strategy did not come back, 1 when it was cancelled, else 4."""
    try:
        yield
    except TooLongError as error:
        fail(Exit.TIMEOUT, str(error), as_json=as_json)
    except CancelledBacktestError as error:
        fail(Exit.ERROR, str(error), as_json=as_json)
    except (BacktestError, ConfigurationError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)


def job_of(given: Sequence[str] | None, cash: str, first: str, last: str, rules: FillRules | None = None, seed: int = 0) -> Job:
    """Raises BacktestError that names the option which is wrong."""
    return Job(parameters_of(given or ()), _capital(cash), rules or FillRules(), _day("from", first), _day("to", last), seed)


def rules_of(slippage_bps: str, volume_pct: str, commission_pct: str, *, inside_bar: bool) -> FillRules:
    """Raises BacktestError that names the option which is wrong."""
    none = Decimal(0)
    commission = Commission(none, none, none, _number("commission-pct", commission_pct)) if commission_pct else Commission()
    return FillRules(commission, Slippage(_number("slippage-bps", slippage_bps)), _number("volume-pct", volume_pct) or None, inside_bar)


def grid_of(given: Sequence[str]) -> dict[str, list[Any]]:
    """The values by parameter. Raises BacktestError when one is named twice or has no values."""
    found: dict[str, list[Any]] = {}
    for one in given:
        name, equals, values = one.partition("=")
        if not equals or not values.strip():
            raise BacktestError(f"--grid: expected name=value,value,…, got {one!r}")
        if name.strip() in found:
            raise BacktestError(f"--grid: {name.strip()} is given twice")
        found[name.strip()] = [parameters_of([f"value={value}"])["value"] for value in values.split(",")]
    return found


def check_places(kind: str, page: Path | None, folder: Path | None) -> None:
    """Raises BacktestError for a kind of tables that is not written, and for places where nothing can be, before anything is computed."""
    if kind not in ("csv", "parquet"):
        raise BacktestError(f"--as: tables are written as csv or parquet, not as {kind!r}")
    if page is not None and not page.parent.is_dir():
        raise BacktestError(f"--report: there is no folder {page.parent}")
    if page is not None and page.is_dir():
        raise BacktestError(f"--report: {page} is a folder; name a file")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise BacktestError(f"--save: {folder} is a file; name a folder")


def symbols_of(given: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip().upper() for part in given.split(",") if part.strip()))


def progress_bar() -> Progress:
    """A bar with the time left, on standard error, gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True)


def rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


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
