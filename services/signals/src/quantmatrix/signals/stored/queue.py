"""Backtests that are asked for over the bus: refused or queued at once, then worked on one after the other in a process that gives way."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any

import structlog

from quantmatrix.common.contracts.asking.backtests import BacktestCancelled, BacktestTaken, BacktestUnwanted, BacktestWanted
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Pool
from quantmatrix.common.runtime.errors import TRANSIENT, Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import plain
from quantmatrix.signals.backtest.history import BacktestError, bars_needed
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.run import Job, made
from quantmatrix.signals.backtest.sweep import combinations
from quantmatrix.signals.backtest.walk_forward import Windows
from quantmatrix.signals.ports import History, Strategy
from quantmatrix.signals.store import KnownInstrument, SignalsStore
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.crew import Crew
from quantmatrix.signals.stored.handed import Given, Packing
from quantmatrix.signals.stored.jobs import parts_in
from quantmatrix.signals.stored.process import Start
from quantmatrix.signals.stored.store import Backtest, BacktestStore
from quantmatrix.signals.stored.wanted import Wanted, wanted

log = structlog.get_logger(__name__)
FEED = "installation"
"""Where bars come from that market has published."""
WAITING_MAX = 20
LOOK_S = 5.0
GRACE_S = 30.0
_FAR = date(9999, 12, 31)


class BacktestQueue:
    """Takes wishes on a page, and works on them in the background."""

    def __init__(
        self,
        pool: Pool,
        history: History,
        strategies: Mapping[str, type[Strategy]],
        clock: Clock,
        crew: Crew,
        *,
        database_url: str,
        limit_s: float,
    ) -> None:
        self._pool, self._history, self._strategies, self._clock, self._crew = pool, history, strategies, clock, crew
        self._database_url, self._limit_s = database_url, limit_s
        self._asked = asyncio.Event()

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
        page.after_commit(self._asked.set)
        return BacktestTaken(number)

    async def unwanted(self, asked: BacktestUnwanted, page: Page) -> BacktestCancelled:
        """Cancel it; the process that works on it hears of it within a second."""
        store, now = BacktestStore(page.connection), self._clock.now()
        if await store.one(asked.user_id, asked.backtest_id, now) is None:
            raise Refused("BACKTEST_UNKNOWN", f"there is no backtest {asked.backtest_id}")
        return BacktestCancelled(await store.cancel(asked.backtest_id, now))

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
        job = Job(parameters, asked.capital, FillRules(), asked.first, asked.last, asked.seed)
        kind = "walk_forward" if asked.windows is not None else "sweep" if grid else "run"
        return wanted(
            job,
            strategy=strategy.name,
            symbols=symbols,
            feed=FEED,
            kind=kind,
            grid=grid,
            windows=_windows(asked, grid),
            all_listed=not asked.symbols,
        )

    async def run(self) -> None:
        """Work on what waits, one at a time, until cancelled. A database that is away only delays it."""
        while True:
            try:
                while await self._next():
                    pass
            except TRANSIENT as error:
                log.warning("backtests.delayed", error=str(error))
            self._asked.clear()
            try:
                await asyncio.wait_for(self._asked.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def _next(self) -> bool:
        async with self._pool.acquire(timeout=LOOK_S) as connection:
            await BacktestStore(connection).forget_data()
            found = await BacktestStore(connection).take(self._clock.now())
            listed = await SignalsStore(connection).instruments_by_id() if found is not None else {}
        if found is None:
            return False
        try:
            error = await self._work(found, [one for one in listed.values() if one.instrument.symbol in found.wanted.symbols])
        except asyncio.CancelledError:
            await self._fail(found, "the service was stopped before it was finished; run it again")
            raise
        except Exception as problem:  # whatever is wrong with one backtest stays with it: live decisions go on
            log.exception("backtest.broke", backtest_id=found.backtest_id)
            error = f"{type(problem).__name__}: {problem}"
        if error:
            await self._fail(found, error)
        log.info("backtest.ended", backtest_id=found.backtest_id, error=error)
        return True

    async def _fail(self, found: Backtest, error: str) -> None:
        async with self._pool.acquire(timeout=LOOK_S) as connection:
            await BacktestStore(connection).fail(found.backtest_id, error, self._clock.now())

    async def _work(self, found: Backtest, listed: Sequence[KnownInstrument]) -> str:
        """What went wrong, or nothing. Workers compute the parts where there are any; whatever is missing then is computed here."""
        if found.wanted.kind == "run" or not await self._crew.is_there():
            return await self._in_a_process(found, listed, is_packed=False)
        try:
            total, data, pieces = await self._packed(found, listed)
        except BacktestError as error:
            return str(error)
        if not await self._crew.work(found, total, data, pieces):
            return ""
        return await self._in_a_process(found, listed, is_packed=True)

    async def _packed(self, found: Backtest, listed: Sequence[KnownInstrument]) -> tuple[int, str, int]:
        """Keep the bars where workers are given them: how many parts there are, the digest of the bars, and their pieces."""
        packing, pieces, sessions = Packing(), 0, set[date]()
        async with self._pool.acquire(timeout=LOOK_S) as connection:
            store = BacktestStore(connection)
            async for given in self._given(found, listed):
                sessions |= set(given.bars.sessions)
                for content in await asyncio.to_thread(packing.add, encode(given)):
                    await store.keep_data(found.backtest_id, pieces, content)
                    pieces += 1
            for content in packing.rest():
                await store.keep_data(found.backtest_id, pieces, content)
                pieces += 1
        return parts_in(found.wanted, sorted(sessions)), packing.digest, pieces

    async def _given(self, found: Backtest, listed: Sequence[KnownInstrument]) -> AsyncIterator[Given]:
        """Each instrument with its bars; where nobody named one, only those on which something can be decided."""
        fewest = self._fewest(found.wanted) if found.wanted.all_listed else 0
        for one in listed:
            bars = await self._history.bars(one.instrument.instrument_id, _FAR)
            if len(bars.sessions) >= fewest:
                sizes = (str(one.tick_size), str(one.lot_size), plain(one.instrument.multiplier.value))
                yield Given(one.instrument.symbol, one.instrument.currency, *sizes, bars)

    def _fewest(self, asked: Wanted) -> int:
        """The bars that some combination wants at most; one at least."""
        strategy, chosen = self._strategies[asked.strategy], combinations(asked.grid) if asked.grid else [{}]
        return max(1, *(bars_needed(made(strategy, {**asked.parameters, **one})) for one in chosen))

    async def _in_a_process(self, found: Backtest, listed: Sequence[KnownInstrument], *, is_packed: bool) -> str:
        """What went wrong, or nothing. The process stores its own end; only when it cannot, there is something to tell."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "quantmatrix.signals.stored.process", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(self._limit_s + GRACE_S):
                await self._hand_over(process, found, [] if is_packed else listed, is_packed=is_packed)
                _, said = await process.communicate()
        except TimeoutError:
            return f"it took longer than {self._limit_s:g} s and was stopped"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return "" if process.returncode == 0 else f"its process ended with {process.returncode}: {''.join(last) or 'it said nothing'}"

    async def _hand_over(
        self, process: asyncio.subprocess.Process, found: Backtest, listed: Sequence[KnownInstrument], *, is_packed: bool
    ) -> None:
        """A line about the backtest, then a line for each instrument with its bars."""
        assert process.stdin is not None
        start = Start(found.backtest_id, self._database_url, self._limit_s, found.wanted, is_packed)
        try:
            process.stdin.write(encode(start) + b"\n")
            async for given in self._given(found, listed):
                process.stdin.write(encode(given) + b"\n")
                await process.stdin.drain()
            process.stdin.close()
            await process.stdin.wait_closed()
        except (BrokenPipeError, ConnectionResetError):
            log.warning("backtest.ended_early", backtest_id=found.backtest_id)


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
