"""An installation of signals for tests of stored backtests: a market behind it, and workers before it."""

import math
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec
from services.signals.tests.floor import SESSIONS
from services.signals.tests.stored.gate import HALF

from quantmatrix.common.contracts.asking.backtests import (
    Backtest,
    BacktestAsked,
    BacktestsAsked,
    BacktestWanted,
    WindowsWanted,
)
from quantmatrix.common.contracts.asking.market import BarColumns, BarsAsked
from quantmatrix.common.contracts.asking.question import Reply
from quantmatrix.common.contracts.codec import decode_as, encode
from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.process import ServiceProcess, StartProcess
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until
from quantmatrix.common.values import Money
from quantmatrix.operations.testing import FreshBus, FreshDatabase
from quantmatrix.signals.store import SignalsStore

GRID = {"fast": "[2, 3, 4, 5, 6, 7]", "slow": "[10, 15, 20, 25, 30]"}
PARTS = 30
ENDED_LOOK_S = 0.2
"""A backtest takes seconds, and a look at it is a question to the service that is to see to it."""


def columns() -> BarColumns:
    """Two years of a stock that rises and falls in waves of some weeks."""
    closes = [100 + 20 * math.sin(day / 9) + 5 * math.sin(day / 2.3) + day / 50 for day in range(len(SESSIONS))]
    close = tuple(f"{one:.2f}" for one in closes)
    opened = (close[0], *close[:-1])
    high = tuple(f"{max(float(a), float(b)) + 1:.2f}" for a, b in zip(opened, close, strict=True))
    low = tuple(f"{min(float(a), float(b)) - 1:.2f}" for a, b in zip(opened, close, strict=True))
    volume = tuple("1000" for _ in SESSIONS)
    return BarColumns(INSTRUMENT.instrument_id, "1d", tuple(SESSIONS), opened, high, low, close, volume, actions=())


@dataclass
class Installation:
    """Signals with a market behind it, and as many workers as a test starts."""

    database: FreshDatabase
    bus: FreshBus
    ask: Ask
    start_process: StartProcess
    commands: int = 0
    workers: int = 0

    async def worker(self, *words: str) -> ServiceProcess:
        """One more, as a person starts it; when it is ready to take a job."""
        process = await self.start_process(
            "signals",
            module=f"quantmatrix.operations worker --processes 1 {' '.join(words)}",
            QM_DATABASE_URL="",
            QM_NATS_PASSWORD="",
            QM_NATS_WORKER_PASSWORD=self.bus.password("worker"),
            QM_LOG_FILE="/dev/null",
        )
        before = self.workers
        self.workers = await wait_until(lambda: self._waiting(before + 1), "it waits for a job", within_s=GIVES_WAY_S)
        return process

    async def _waiting(self, workers: int) -> int:
        js = (await self.bus.connect("provision")).jetstream()
        return found if (found := (await js.consumer_info("WORK", "worker")).num_waiting or 0) >= workers else 0

    async def ordered(self, *, windows: WindowsWanted | None = None, first: date | None = None, cuts: int | None = None) -> int:
        self.commands += 1
        wish = BacktestWanted(
            user_id=FIRST_ADMINISTRATOR,
            command_id=UUID(int=self.commands),
            strategy="moving_average_cross",
            symbols=("ABC",),
            capital=Money(50_000, "USD"),
            grid=GRID if cuts is None else {},
            windows=windows,
            cuts=cuts,
            first=first,
        )
        return (await self.ask("signals", wish)).backtest_id

    async def seen(self, number: int) -> Backtest:
        return await self.ask("signals", BacktestAsked(user_id=FIRST_ADMINISTRATOR, backtest_id=number))

    async def ended(self, number: int) -> Backtest:
        async def over() -> bool:
            return (await self.seen(number)).line.state not in ("queued", "running")

        await wait_until(over, f"backtest {number} has ended", within_s=GIVES_WAY_S, look_max_s=ENDED_LOOK_S)
        return await self.seen(number)

    async def parts(self, number: int) -> int:
        found = await self.database.fetch("signals", "select count(*) as parts from backtest_part where backtest_id = $1", number)
        return int(found[0]["parts"])

    async def half_way(self, number: int) -> None:
        """Wait until it stands at the gate."""
        await wait_until(lambda: self._is_half_way(number), f"backtest {number} is half-way", within_s=GIVES_WAY_S)

    async def _is_half_way(self, number: int) -> bool:
        return await self.parts(number) == HALF


async def market_behind(database: FreshDatabase, bus: FreshBus) -> None:
    """What signals knows of one stock, and somebody who answers for its bars."""
    market = await bus.connect("market")

    async def bars(message: object) -> None:
        assert decode_as(BarsAsked, message.data).instrument_id == INSTRUMENT.instrument_id  # type: ignore[attr-defined]
        await message.respond(encode(Reply(msgspec.Raw(encode(columns())))))  # type: ignore[attr-defined]

    await market.subscribe("svc.market.bars", cb=bars)
    await SignalsStore(await database.connect("signals")).keep_instrument(like(InstrumentListed))


async def answers(ask: Ask) -> bool:
    """Whether signals does."""
    try:
        await ask("signals", BacktestsAsked(user_id=FIRST_ADMINISTRATOR))
    except ServiceSilent:
        return False
    return True
