"""Backtests that are asked for over the bus: refused or queued at once."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quantmatrix.common.contracts.asking.backtests import (
    BacktestCancelled,
    BacktestResumeWanted,
    BacktestTaken,
    BacktestUnwanted,
    BacktestWanted,
)
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.signals.backtest.checked import KIND, check_cuts
from quantmatrix.signals.backtest.history import BacktestError, refuse_without_chains
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.run import Job, made
from quantmatrix.signals.backtest.sweep import combinations
from quantmatrix.signals.backtest.walk_forward import Windows
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.store import KnownInstrument, SignalsStore
from quantmatrix.signals.stored.code import Code, code_at_work
from quantmatrix.signals.stored.store import RESUMABLE_DAYS, Backtest, BacktestStore
from quantmatrix.signals.stored.wanted import Wanted, wanted

FEED = "installation"
"""Where bars come from that market has published."""
WAITING_MAX = 20


class BacktestQueue:
    """Takes wishes on a page; on_asked is called after the commit of one."""

    def __init__(self, strategies: Mapping[str, type[Strategy]], clock: Clock, on_asked: Callable[[], None]) -> None:
        self._strategies, self._clock, self._on_asked = strategies, clock, on_asked

    async def wanted(self, asked: BacktestWanted, page: Page) -> BacktestTaken:
        """Queue it. Raises Refused with what is wrong: nothing is queued then."""
        store = BacktestStore(page.connection)
        known = await store.asked_by(asked.command_id)
        if known is not None:
            return BacktestTaken(known)
        if await store.waiting(asked.user_id) >= WAITING_MAX:
            raise Refused("BACKTESTS_WAITING", f"{WAITING_MAX} backtests wait already; cancel some, or wait until they are done")
        try:
            form = self._form(asked, await SignalsStore(page.connection).instruments_by_id())
        except BacktestError as error:
            raise Refused("BACKTEST_INVALID", str(error)) from error
        number = await store.begin(asked.user_id, form, code_at_work(), self._clock.now(), asked_by=asked.command_id)
        assert number is not None
        page.after_commit(self._on_asked)
        return BacktestTaken(number)

    async def unwanted(self, asked: BacktestUnwanted, page: Page) -> BacktestCancelled:
        """Cancel it; the process that works on it hears of it within a second."""
        store, now = BacktestStore(page.connection), self._clock.now()
        if await store.one(asked.user_id, asked.backtest_id, now) is None:
            raise Refused("BACKTEST_UNKNOWN", f"there is no backtest {asked.backtest_id}")
        return BacktestCancelled(await store.cancel(asked.backtest_id, now))

    async def resume_wanted(self, asked: BacktestResumeWanted, page: Page) -> BacktestTaken:
        """Queue what is left of one that has parts. Raises Refused with why that cannot be."""
        store, code = BacktestStore(page.connection), code_at_work()
        one = await store.one(asked.user_id, asked.backtest_id, self._clock.now())
        if one is None:
            raise Refused("BACKTEST_UNKNOWN", f"there is no backtest {asked.backtest_id}")
        if not await store.requeue(asked.user_id, asked.backtest_id, code):
            raise Refused("BACKTEST_NOT_RESUMABLE", f"backtest {asked.backtest_id} {_why_not(one, code)}")
        page.after_commit(self._on_asked)
        return BacktestTaken(asked.backtest_id)

    def _form(self, asked: BacktestWanted, listed: Mapping[Any, KnownInstrument]) -> Wanted:
        if asked.strategy not in self._strategies:
            raise BacktestError(f"there is no strategy {asked.strategy!r}; there is {', '.join(sorted(self._strategies))}")
        strategy = self._strategies[asked.strategy]
        parameters, grid = _read("parameters", asked.parameters), _read("grid", asked.grid)
        if asked.capital.amount <= 0:
            raise BacktestError(f"the capital is above zero, got {asked.capital}")
        if asked.first is not None and asked.last is not None and asked.first > asked.last:
            raise BacktestError(f"the first session {asked.first} comes after the last one {asked.last}")
        for name, values in grid.items():
            if not isinstance(values, list) or not values:
                raise BacktestError(f"grid: {name} has no list of values")
        for chosen in combinations(grid) if grid else [{}]:
            made(strategy, {**parameters, **chosen})
        symbols = _symbols(asked.symbols, [one.instrument.symbol for one in listed.values() if one.underlying is None])
        optioned = {listed[one.underlying].instrument.symbol for one in listed.values() if one.underlying in listed}
        refuse_without_chains(strategy, symbols, optioned)
        job = Job(parameters, asked.capital, FillRules(), asked.first, asked.last, asked.seed)
        if asked.cuts is not None:
            if grid or asked.windows is not None:
                raise BacktestError("a look-ahead check takes one value of each parameter: no grid, no windows")
            check_cuts(asked.cuts)
        kind = KIND if asked.cuts is not None else "walk_forward" if asked.windows is not None else "sweep" if grid else "run"
        return wanted(
            job,
            strategy=strategy.name,
            symbols=symbols,
            feed=FEED,
            kind=kind,
            grid=grid,
            windows=_windows(asked, grid),
            cuts=asked.cuts,
            all_listed=not asked.symbols,
        )


def _why_not(one: Backtest, code: Code) -> str:
    if one.wanted.kind == "run":
        return "is a single run and has no parts; ask for it again"
    if one.state not in ("failed", "cancelled"):
        return f"is {one.state}; there is nothing to go on with"
    if one.code.digest != code.digest:
        return "began with other code; ask for it again"
    if not one.by_service:
        return f"was computed by a command; go on with it by qm backtest resume {one.backtest_id}"
    return f"ended more than {RESUMABLE_DAYS} days ago, and its bars are gone; ask for it again"


def _windows(asked: BacktestWanted, grid: Mapping[str, Any]) -> Windows | None:
    if asked.windows is None:
        return None
    if not grid:
        raise BacktestError("a walk forward chooses among the values of a grid; give one or more parameters a list of values")
    found = Windows(asked.windows.inside, asked.windows.outside, asked.windows.anchored)
    found.check()
    return found


def _read(what: str, given: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, text in given.items():
        try:
            found[name] = json.loads(text)
        except ValueError as error:
            raise BacktestError(f"{what}: {name} is no JSON: {text[:80]!r}") from error
    return found


def _symbols(given: Sequence[str], listed: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(given) - set(listed))
    if unknown or not listed:
        raise BacktestError(
            f"nothing is listed as {', '.join(unknown)}" if unknown else "nothing is listed yet; the replay has to begin first"
        )
    return tuple(sorted(set(given))) or tuple(sorted(listed))
