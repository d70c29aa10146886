"""A walk forward: parameters chosen on one part of the past are run on the part after it, and these later parts are put together.

After Pardo, The Evaluation and Optimization of Trading Strategies, second edition, 2008, chapter 11.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from quantmatrix.common.statistics import falls_of, trade_figures
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.statistics import curve_figures
from quantmatrix.signals.backtest.summary import asked_of, digest_of_parts
from quantmatrix.signals.backtest.sweep import Shared, Tried, Watch, combinations, ranked, refuse_unless_all_possible, tried
from quantmatrix.signals.backtest.tables import tables
from quantmatrix.signals.backtest.workers import spread
from quantmatrix.signals.ports import Strategy

WINDOWS_MAX = 200
SAID = (
    "Each window begins flat with the equity of the one before; what is held at its end is valued at the close, without costs, "
    "and is in the equity but not among the closed trades."
)


@dataclass(frozen=True, slots=True)
class Windows:
    """How the period is cut, in sessions: chosen on `inside` of them, run on the `outside` after them.

    anchored: what is chosen on begins with the first session each time and grows; else it rolls on by `outside`.
    """

    inside: int
    outside: int
    anchored: bool = False

    def check(self) -> None:
        """Raises BacktestError when nothing can be chosen on or run on."""
        if self.inside < 2 or self.outside < 1:
            raise BacktestError(f"a window has at least 2 sessions to choose on and 1 to run on, got {self.inside} and {self.outside}")


@dataclass(frozen=True, slots=True)
class Window:
    """First and last sessions of both parts. The last window's later part may be shorter than the others."""

    chosen_from: date
    chosen_to: date
    run_from: date
    run_to: date


Task = tuple[int, tuple[Window, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Step:
    """A window, what was best on its earlier part, and how that did on the later one."""

    window: Window
    best: Tried
    result: Result


def windows_of(sessions: Sequence[date], windows: Windows) -> list[Window]:
    """The windows over these sessions, which are in order. Raises BacktestError when there is none or far too many."""
    windows.check()
    inside, outside = windows.inside, windows.outside
    starts = range(inside, len(sessions), outside)
    if not 1 <= len(starts) <= WINDOWS_MAX:
        raise BacktestError(
            f"{len(sessions)} sessions make {len(starts)} windows of {inside} and {outside}; 1 to {WINDOWS_MAX} are possible"
        )
    return [
        Window(
            sessions[0 if windows.anchored else start - inside],
            sessions[start - 1],
            sessions[start],
            sessions[min(start + outside, len(sessions)) - 1],
        )
        for start in starts
    ]


def walk_forward(
    strategy: type[Strategy],
    histories: Sequence[History],
    job: Job,
    grid: Mapping[str, Sequence[Any]],
    windows: Windows,
    watch: Watch | None = None,
    *,
    known: Sequence[Tried] = (),
    workers: int = 1,
) -> list[Step]:
    """Every window in turn, the combination with the highest Sharpe ratio chosen in each. Bars before a part serve as history.

    known: combinations that need not be run again. Raises BacktestError with the place of whatever is wrong.
    """
    refuse_unless_all_possible(strategy, histories, job, grid)
    cut, wanted, watch = windows_of(sessions_of(histories, job), windows), combinations(grid), watch or Watch()
    tasks = tasks_of(cut, grid)
    done, total = {one.number: one for one in known}, len(tasks) + len(cut)

    def keep(_: int, one: Tried) -> None:
        done[one.number] = one
        watch.on_tried(one)

    def tick() -> None:
        watch.on_progress(len(done), total)

    missing = [task for task in tasks if task[0] not in done]
    spread(inside_tried, (strategy, histories, job), missing, workers=workers, on_done=keep, on_tick=tick)
    best = [ranked([done[at * len(wanted) + place + 1] for place in range(len(wanted))])[0] for at in range(len(cut))]
    steps = []
    for step in _outside(strategy, histories, job, list(zip(cut, best, strict=True))):
        steps.append(step)
        watch.on_progress(len(done) + len(steps), total)
    return steps


def sessions_of(histories: Sequence[History], job: Job) -> list[date]:
    """The sessions of the job's period, in order."""
    found = {one for history in histories for one in history.sessions}
    return sorted(one for one in found if (job.first is None or one >= job.first) and (job.last is None or one <= job.last))


def tasks_of(cut: Sequence[Window], grid: Mapping[str, Sequence[Any]]) -> list[Task]:
    """Every combination on every window, numbered from one, window by window."""
    return list(enumerate(((window, chosen) for window in cut for chosen in combinations(grid)), start=1))


def inside_tried(shared: Shared, task: Task) -> Tried:
    """Run one combination on the earlier part of one window. Raises BacktestError with its parameters."""
    (strategy, histories, job), (number, (window, chosen)) = shared, task
    return tried((strategy, histories, replace(job, first=window.chosen_from, last=window.chosen_to)), (number, chosen))


def _outside(strategy: type[Strategy], histories: Sequence[History], job: Job, chosen: Sequence[tuple[Window, Tried]]) -> Iterator[Step]:
    cash = job.cash
    for window, best in chosen:
        if cash.amount <= 0:
            raise BacktestError(f"nothing is left to run with from {window.run_from} on: {cash}")
        parameters = {**job.parameters, **best.chosen}
        result = backtest(strategy, histories, replace(job, parameters=parameters, cash=cash, first=window.run_from, last=window.run_to))
        cash = result.outcome.curve[-1].equity
        yield Step(window, best, result)


def efficiency_of(steps: Sequence[Step], outside: float | None) -> float | None:
    """Pardo's walk-forward efficiency: the yearly return of the later parts over the mean yearly return that was chosen by.

    None where nothing was gained on the earlier parts.
    """
    inside = [step.best.figures["curve"]["cagr"] for step in steps]
    if outside is None or any(one is None for one in inside):
        return None
    mean = sum(inside) / len(inside)
    return outside / mean if mean > 0 else None


def record_of_walk(
    strategy: type[Strategy],
    histories: Sequence[History],
    job: Job,
    grid: Mapping[str, Sequence[Any]],
    windows: Windows,
    steps: Sequence[Step],
) -> Record:
    """The later parts put together: one curve, their trades, one row a window; the digest covers every part's own digest."""
    made = [tables(step.result) for step in steps]
    curve = pl.concat([one["curve"] for one in made])
    opening, equity = float(job.cash.amount), curve["equity"].cast(pl.Float64).to_list()
    curve = curve.with_columns(
        pl.Series("drawdown", falls_of(opening, equity), pl.Float64), pl.lit(None, dtype=pl.Float64).alias("benchmark")
    )
    closed = [trade for step in steps for trade in step.result.trades if not trade.is_open]
    figures = curve_figures(opening, equity)
    fees = Money.zero(job.cash.currency)
    for step in steps:
        fees += step.result.fees
    asked = asked_of(strategy, histories, job)
    told = {
        **asked,
        "kind": "walk_forward",
        "grid": {name: list(values) for name, values in grid.items()},
        "windows": asdict(windows),
        "assumptions": [*asked["assumptions"], SAID],
        "sessions": curve.height,
        "efficiency": efficiency_of(steps, figures.cagr),
        "curve": asdict(figures),
        "closed_trades": asdict(trade_figures([float(one.profit.amount) for one in closed], [one.sessions for one in closed])),
        "equity": plain(steps[-1].result.outcome.curve[-1].equity.amount),
        "fees": plain(fees.amount),
        "steps": [_told(step) for step in steps],
    }
    digest = digest_of_parts(told, [(step.best.number, step.best.digest, step.result.digest) for step in steps])
    parts = {name: pl.concat([one[name] for one in made]) for name in ("fills", "trades", "refusals")}
    return Record({**told, "digest": digest}, {"curve": curve, **parts})


def _told(step: Step) -> dict[str, Any]:
    window, best, result = step.window, step.best.figures["curve"], step.result
    return {
        **{name: str(getattr(window, name)) for name in ("chosen_from", "chosen_to", "run_from", "run_to")},
        "chosen": dict(step.best.chosen),
        "inside_sharpe": best["sharpe"],
        "inside_return": best["total_return"],
        "outside_sharpe": result.curve.sharpe,
        "outside_return": result.curve.total_return,
        "outside_drawdown": result.curve.max_drawdown,
        "trades": result.closed.trades,
        "digest": result.digest,
    }
