"""From a strategy, its parameters and past bars to a result."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Protocol

import polars as pl
from pydantic import ValidationError

from quantmatrix.common.statistics import SESSIONS_PER_YEAR, monthly, returns_of, trade_figures
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.signals.backtest.collecting import seldom_collecting
from quantmatrix.signals.backtest.contracts import traded_contracts
from quantmatrix.signals.backtest.engine import Engine, Progress
from quantmatrix.signals.backtest.history import (
    SYMBOLS_TOLD_MAX,
    BacktestError,
    Calendar,
    History,
    bars_needed,
    calendars,
    check,
    digest_of,
    reads_chains,
    refuse_without_chains,
)
from quantmatrix.signals.backtest.limits import Place, limited
from quantmatrix.signals.backtest.options import OptionEngine
from quantmatrix.signals.backtest.outcome import Outcome
from quantmatrix.signals.backtest.result import Asked, Result, SymbolFigures
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.statistics import curve_figures
from quantmatrix.signals.backtest.trades import OfSymbol, Tally, tally_of
from quantmatrix.signals.backtest.whole_fills import WholeFills
from quantmatrix.signals.ports import ColumnStrategy, OptionStrategy, PlanningStrategy, Strategy
from quantmatrix.signals.strategies._exits import EXITS, ExitParameters, make_strategy, parameters_told

_CODE = ("domain", "strategies", "backtest")


@dataclass(frozen=True, slots=True)
class Job:
    """A backtest as it is asked for. first and last bound the sessions; earlier bars serve as history.

    bar_limit_s: seconds that a strategy may take over the bars of one session, at least; no part of what decides the outcome.
    """

    parameters: Mapping[str, Any]
    cash: Money
    rules: FillRules = field(default_factory=FillRules)
    first: date | None = None
    last: date | None = None
    seed: int = 0
    bar_limit_s: float | None = None


def made(strategy: type[Strategy], parameters: Mapping[str, Any]) -> Strategy:
    """The strategy with these parameters. Raises BacktestError that names each parameter that is unknown or out of bounds."""
    try:
        return make_strategy(strategy, parameters)
    except ValidationError as error:
        around = (EXITS,) if error.title == ExitParameters.__name__ else ()
        wrong = [f"{'.'.join(str(part) for part in (*around, *one['loc'])) or 'together'}: {one['msg']}" for one in error.errors()]
        known = ", ".join([*strategy.parameters.model_fields, EXITS])
        raise BacktestError(f"{strategy.name} cannot be made:\n  " + "\n  ".join(wrong) + f"\n  its parameters: {known}") from error


def refuse_unless_possible(strategy: type[Strategy], histories: Sequence[History], job: Job, *, bars: bool = True) -> None:
    """Look through everything that can be wrong before anything is computed. Raises BacktestError with the place of whatever is.

    bars: look through the bars too; without, only at the parameters.
    """
    one = made(strategy, job.parameters)
    if not bars:
        return
    refuse_without_chains(strategy, [one.symbol for one in histories], [one.symbol for one in histories if one.chains])
    check(histories, bars_needed(one))
    known = [history.columns["session"] for history in histories]
    if not any(_between(one, job.first, job.last) for one in known):
        first, last = min(one[0] for one in known), max(one[-1] for one in known)
        raise BacktestError(f"there are no bars between {job.first} and {job.last}; the first is of {first}, the last of {last}")
    _refuse_too_little(one, histories, job.last)


def _refuse_too_little(strategy: Strategy, histories: Sequence[History], last: date | None) -> None:
    """Up to the last session, one instrument at least must have the bars without which nothing can be decided."""
    there = {one.symbol: one.columns.height if last is None else bisect_right(one.sessions, last) for one in histories}
    needed = bars_needed(strategy)
    if max(there.values()) < needed:
        told = ", ".join(f"{symbol} has {bars}" for symbol, bars in sorted(there.items())[:SYMBOLS_TOLD_MAX])
        raise BacktestError(
            f"there is too little history: {strategy.name} needs {needed} bars before it can decide anything; up to {last} {told}"
        )


def _between(sessions: pl.Series, first: date | None, last: date | None) -> bool:
    """Whether one of the sessions, which ascend, lies between the two."""
    start = 0 if first is None else sessions.search_sorted(first, side="left")
    end = len(sessions) if last is None else sessions.search_sorted(last, side="right")
    return start < end


def backtest(strategy: type[Strategy], histories: Sequence[History], job: Job, on_progress: Progress | None = None) -> Result:
    """Run one strategy over past bars. Raises BacktestError with the place of whatever is wrong."""
    one = made(strategy, job.parameters)
    with seldom_collecting():
        outcome = _outcome(one, histories, job, on_progress)
        ordered = sorted(histories, key=lambda history: history.symbol)
        bounds = (outcome.curve[0].session, outcome.curve[-1].session)
        asked = asked_of_run(strategy, ordered, job, bounds, digest_of(histories))
        return _result(asked, outcome, [*ordered, *traded_contracts(outcome, histories)])


def asked_of_run(strategy: type[Strategy], ordered: Sequence[History], job: Job, bounds: tuple[date, date], data_digest: str) -> Asked:
    """What decides a run. ordered: its histories by symbol; bounds: its first and its last session."""
    return Asked(
        strategy=strategy.name,
        parameters=parameters_told(strategy, job.parameters),
        symbols=tuple(history.symbol for history in ordered),
        first=bounds[0],
        last=bounds[1],
        cash=job.cash,
        assumptions=job.rules.assumptions(options=reads_chains(strategy)),
        seed=job.seed,
        code_digest=code_digest(),
        data_digest=data_digest,
    )


def _outcome(strategy: Strategy, histories: Sequence[History], job: Job, on_progress: Progress | None) -> Outcome:
    """By columns where they make exactly what the general engine makes."""
    if len(histories) == 1 and isinstance(strategy, ColumnStrategy):
        # NumPy is loaded where it computes, not by idle services.
        from quantmatrix.signals.backtest.column_run import NotInColumnsError  # noqa: PLC0415
        from quantmatrix.signals.backtest.columns import run_in_columns  # noqa: PLC0415

        try:
            outcome = run_in_columns(strategy, histories[0], job.cash, job.rules, job.first, job.last).outcome()
        except NotInColumnsError:
            pass
        else:
            if on_progress is not None:
                on_progress(len(outcome.curve), len(outcome.curve))
            return outcome
    told = (histories, job.cash, job.rules)
    if isinstance(strategy, OptionStrategy):
        return _run(OptionEngine(strategy, *told), job, on_progress)
    if isinstance(strategy, PlanningStrategy):
        from quantmatrix.signals.backtest.column_run import NotInColumnsError  # noqa: PLC0415
        from quantmatrix.signals.backtest.whole_engine import WholeEngine, plans_in_whole_numbers  # noqa: PLC0415

        if plans_in_whole_numbers(strategy, histories, job.rules):
            with suppress(NotInColumnsError):
                return _run(WholeEngine(strategy, *told), job, on_progress)
    return _run(Engine(strategy, *told), job, on_progress)


class _Loop(Protocol):
    def run(self, first: date | None, last: date | None, on_progress: Progress | None) -> Outcome: ...


def _run(engine: _Loop, job: Job, on_progress: Progress | None) -> Outcome:
    if job.bar_limit_s is None:
        return engine.run(job.first, job.last, on_progress)
    with limited(job.bar_limit_s) as place:
        return engine.run(job.first, job.last, _moving(place, on_progress))


def _moving(place: Place, on_progress: Progress | None) -> Progress:
    """Progress that also tells the watch that a session is done."""

    def moved(done: int, total: int) -> None:
        place.number = done
        if on_progress is not None:
            on_progress(done, total)

    return moved


@cache
def code_digest() -> str:
    """SHA-256 over the source of everything that computes a backtest: the domain, the strategies, the backtest itself."""
    seen = hashlib.sha256()
    root = files("quantmatrix.signals")
    for room in _CODE:
        for name, text in sorted(_sources(root.joinpath(room), room)):
            seen.update(f"# {name}\n{text}".encode())
    return seen.hexdigest()


def _sources(folder: Traversable, name: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            found.append((f"{name}/{entry.name}", entry.read_text(encoding="utf-8")))
    return found


def _result(asked: Asked, outcome: Outcome, histories: Sequence[History]) -> Result:
    known = {one.symbol: calendar for one, calendar in zip(histories, calendars(histories), strict=True)}

    tally = _tally(outcome, {one.symbol: one.multiplier for one in histories}, known, asked.cash.currency)
    opening, equity = float(asked.cash.amount), [float(point.equity.amount) for point in outcome.curve]
    invested = [abs(1.0 - float(point.cash.amount) / value) if value else 0.0 for point, value in zip(outcome.curve, equity, strict=True)]
    held = _benchmark([one for one in histories if one.symbol in asked.symbols], [point.session for point in outcome.curve], opening)
    return Result(
        asked=asked,
        outcome=outcome,
        trades=tally.trades,
        curve=curve_figures(opening, equity),
        closed=trade_figures(tally.profits, tally.sessions),
        benchmark=curve_figures(opening, held) if held else None,
        benchmark_equity=tuple(held),
        symbols=_symbols(histories, known, tally, outcome, asked),
        months=monthly([point.session for point in outcome.curve], [1.0 + one for one in returns_of(opening, equity)]),
        fees=tally.fees,
        exposure=sum(invested) / len(invested),
        in_market=sum(share > 0 for share in invested) / len(invested),
        turnover=tally.traded / (sum(equity) / len(equity)) * SESSIONS_PER_YEAR / len(equity),
    )


def _benchmark(histories: Sequence[History], sessions: Sequence[date], opening: float) -> list[float]:
    """The same capital in equal parts in every instrument that has a bar at the start, bought at its close and held, without costs."""
    import numpy as np  # noqa: PLC0415 - loaded where it computes, not by idle services

    asked, total, parts = pl.Series(sessions), np.zeros(len(sessions)), 0
    for history in histories:
        closes = _closes_on(history, asked)
        if closes[0] is not None:
            total += (closes / closes[0]).to_numpy()
            parts += 1
    held: list[float] = (opening * total / parts).tolist() if parts else []
    return held


def _closes_on(history: History, sessions: pl.Series) -> pl.Series:
    """The adjusted close of each of these sessions, the one before where there is no bar, null before the first."""
    own = history.columns["session"]
    start = own.search_sorted(sessions[0])
    if own.slice(start, len(sessions)).equals(sessions):
        return history.frame["close"].slice(start, len(sessions))
    asked = pl.DataFrame({"session": sessions})
    return asked.join(history.frame.select("session", "close"), on="session", how="left", maintain_order="left")["close"].forward_fill()


def _tally(outcome: Outcome, multipliers: Mapping[str, Quantity], known: Mapping[str, Calendar], currency: str) -> Tally:
    if isinstance(outcome.fills, WholeFills):
        return outcome.fills.tally(currency)
    return tally_of(outcome.fills, multipliers, {symbol: calendar.at for symbol, calendar in known.items()}, currency)


def _symbols(
    histories: Sequence[History], known: Mapping[str, Calendar], tally: Tally, outcome: Outcome, asked: Asked
) -> tuple[SymbolFigures, ...]:
    nothing = Quantity(0)
    return tuple(
        _symbol(
            one,
            known[one.symbol].sessions,
            tally.by_symbol[one.symbol],
            outcome.held.get(outcome.symbols.get(one.symbol, one.symbol), nothing),
            asked,
        )
        for one in histories
    )


def _symbol(history: History, sessions: Sequence[date], own: OfSymbol, held: Quantity, asked: Asked) -> SymbolFigures:
    first, end = bisect_left(sessions, asked.first), bisect_right(sessions, asked.last)
    closes = history.frame["close"]
    return SymbolFigures(
        symbol=history.symbol,
        trades=own.trades,
        won=own.won,
        profit=own.profit,
        fees=own.fees,
        held=str(held),
        value=notional(history.close_at(end - 1), held, history.multiplier, history.currency)
        if end > first
        else Money.zero(history.currency),
        price_change=closes[end - 1] / closes[first] - 1.0 if end > first else None,
    )
