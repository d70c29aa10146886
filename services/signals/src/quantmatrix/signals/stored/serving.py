"""What the service does about backtests that wait: one after the other, in a process that gives way or by workers, until they have ended.

Each is held by a lock of the database as long as its process lives, so one that a killed service left is taken up at once by
whichever comes first, and two services never work on the same.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date

import structlog

from quantmatrix.common.contracts.asking.market import PastChains
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Own, Pool, connect
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.signals.backtest.history import BacktestError, reads_chains
from quantmatrix.signals.ports import History, PastOptions, Strategy
from quantmatrix.signals.store import KnownInstrument, SignalsStore
from quantmatrix.signals.stored.crew import Crew
from quantmatrix.signals.stored.handed import Given, Packing, given_of_market, line_of, lines_of, name_of, sessions_in
from quantmatrix.signals.stored.jobs import parts_in
from quantmatrix.signals.stored.process import END, Start
from quantmatrix.signals.stored.repeating import fewest_bars
from quantmatrix.signals.stored.store import Backtest, BacktestStore

log = structlog.get_logger(__name__)
LOOK_S = 5.0
GRACE_S = 30.0
TRIES_MAX = 5
"""A backtest that so many lives of the service began is begun no more: something in it may end them."""
_FAR = date(9999, 12, 31)


class BacktestDesk:
    """Works on what waits in the background."""

    def __init__(
        self,
        pool: Pool,
        history: History,
        options: PastOptions,
        strategies: Mapping[str, type[Strategy]],
        clock: Clock,
        crew: Crew,
        *,
        database_url: str,
        limit_s: float,
        bar_limit_s: float,
    ) -> None:
        self._pool, self._history, self._options = pool, history, options
        self._strategies, self._clock, self._crew = strategies, clock, crew
        self._database_url, self._limit_s, self._bar_limit_s = database_url, limit_s, bar_limit_s
        self._asked = asyncio.Event()
        self._own: Own | None = None

    def look(self) -> None:
        """Something waits."""
        self._asked.set()

    async def run(self) -> None:
        """Work on what waits, one at a time, until cancelled. A database that is away only delays it."""
        try:
            while True:
                try:
                    while await self._next():
                        pass
                except TRANSIENT as error:
                    log.warning("backtests.delayed", error=str(error))
                self._asked.clear()
                await woken(self._asked, LOOK_S)
        finally:
            if self._own is not None:
                self._own.terminate()

    async def _held(self) -> BacktestStore:
        """The tables on a connection of our own, whose end gives back whatever was taken on it."""
        if self._own is None or self._own.is_closed():
            self._own = await connect(self._database_url, service="signals-backtests")
        return BacktestStore(self._own)

    async def _next(self) -> bool:
        held = await self._held()
        await held.forget_data(self._clock.now())
        found = await held.take(self._clock.now())
        if found is None:
            return False
        try:
            await self._end_of(found)
        finally:
            if self._own is not None and not self._own.is_closed():
                await held.leave(found.backtest_id)
        return True

    async def _end_of(self, found: Backtest) -> None:
        """Work on it to an end, and store an end that its process could not store."""
        try:
            error = await self._work(found)
        except asyncio.CancelledError:
            await self._put_back(found)
            raise
        except TRANSIENT:
            await self._put_back(found)
            raise
        except Exception as problem:  # whatever is wrong with one backtest stays with it: live decisions go on
            log.exception("backtest.broke", backtest_id=found.backtest_id)
            error = f"{type(problem).__name__}: {problem}"
        if error:
            async with self._pool.acquire(timeout=LOOK_S) as connection:
                await BacktestStore(connection).fail(found.backtest_id, error, self._clock.now())
        log.info("backtest.ended", backtest_id=found.backtest_id, error=error)

    async def _put_back(self, found: Backtest) -> None:
        """Let the next life of the service go on with it; when the database is away, that finds it without being told."""
        try:
            async with self._pool.acquire(timeout=LOOK_S) as connection:
                await BacktestStore(connection).put_back(found.backtest_id)
        except TRANSIENT as error:
            log.warning("backtest.left", backtest_id=found.backtest_id, error=str(error))

    async def _work(self, found: Backtest) -> str:
        """What went wrong, or nothing. Workers compute the parts where there are any; whatever is missing then is computed here."""
        if found.tries > TRIES_MAX:
            return f"the service ended {TRIES_MAX} times while it was at work; nobody tries it again"
        if found.wanted.kind == "run":
            return await self._in_a_process(found)
        try:
            total, name, pieces = await self._packed(found)
        except BacktestError as error:
            return str(error)
        if await self._crew.is_there() and not await self._crew.work(found, total, name, pieces):
            return ""
        return await self._in_a_process(found)

    async def _packed(self, found: Backtest) -> tuple[int, str, int]:
        """How many parts there are, the name of the bars, and in how many pieces they are kept. Kept bars stay: parts may be there that had them."""
        async with self._pool.acquire(timeout=LOOK_S) as connection:
            store = BacktestStore(connection)
            pieces = await store.data(found.backtest_id)
            if not pieces:
                pieces = [piece async for piece in self._pieces(found)]
                await store.keep_data(found.backtest_id, pieces)
        sessions = await asyncio.to_thread(lambda: sessions_in(lines_of(pieces)))
        return parts_in(found.wanted, sessions), name_of(pieces), len(pieces)

    async def _pieces(self, found: Backtest) -> AsyncIterator[bytes]:
        packing = Packing()
        async for given in self._given(found):
            for piece in await asyncio.to_thread(packing.add, line_of(given)):
                yield piece
        for piece in packing.rest():
            yield piece

    async def _given(self, found: Backtest) -> AsyncIterator[Given]:
        """Each instrument with its bars; where nobody named one, only those on which something can be decided."""
        strategy = self._strategies[found.wanted.strategy]
        fewest = fewest_bars(strategy, found.wanted)
        async with self._pool.acquire(timeout=LOOK_S) as connection:
            listed = await SignalsStore(connection).instruments_by_id()
        for one in listed.values():
            if one.instrument.symbol in found.wanted.symbols:
                bars = await self._history.bars(one.instrument.instrument_id, _FAR)
                if len(bars.sessions) >= fewest:
                    yield given_of_market(one, bars, await self._chains(strategy, one))

    async def _chains(self, strategy: type[Strategy], one: KnownInstrument) -> Sequence[PastChains]:
        return await self._options.past(one.instrument.instrument_id) if reads_chains(strategy) else ()

    async def _in_a_process(self, found: Backtest) -> str:
        """What went wrong, or nothing. The process stores its own end; only when it cannot, there is something to tell."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "quantmatrix.signals.stored.process", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(self._limit_s + GRACE_S):
                await self._hand_over(process, found)
                said = await process.stderr.read()
                await process.wait()
        except TimeoutError:
            return f"it took longer than {self._limit_s:g} s and was stopped"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return "" if process.returncode == 0 else f"its process ended with {process.returncode}: {''.join(last) or 'it said nothing'}"

    async def _hand_over(self, process: asyncio.subprocess.Process, found: Backtest) -> None:
        """A line about the backtest, a line for each instrument with its bars where they are not kept, and one that ends them.

        The pipe stays open: its end tells the process that the service is gone.
        """
        assert process.stdin is not None
        is_packed = found.wanted.kind != "run"
        start = Start(found.backtest_id, self._database_url, self._limit_s, self._bar_limit_s, found.wanted, is_packed)
        try:
            process.stdin.write(encode(start) + b"\n")
            if not is_packed:
                async for given in self._given(found):
                    process.stdin.write(line_of(given) + b"\n")
                    await process.stdin.drain()
            process.stdin.write(END)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            log.warning("backtest.ended_early", backtest_id=found.backtest_id)
