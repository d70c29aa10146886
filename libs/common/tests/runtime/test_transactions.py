"""The desk's own connection when the server says nothing for a while: what is done after that lasts like everything else."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.transactions import Transactions
from quantmatrix.operations.testing import FreshDatabase

SERVICE = "portfolio"
HEARD = "insert into inbox (key, seq) values ($1, 1)"
PATIENCE_S = 0.2


class Silenced:
    """Transactions over a database that can be made to stand still, as a machine does that sleeps."""

    def __init__(self, database: FreshDatabase) -> None:
        self._database = database
        self._made: list[Own] = []
        self.transactions = Transactions(self._connect, Register(KeysHeard({})), SystemClock())

    async def _connect(self) -> Own:
        self._made.append(await asyncpg.connect(self._database.url(SERVICE)))
        return self._made[-1]

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        """The server's process for the latest connection is stopped, and who asks it anything gives up."""
        process = self._made[-1].get_server_pid()
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    yield
        finally:
            os.kill(process, signal.SIGCONT)

    async def page(self, key: str, *, ahead: bool = False) -> None:
        """Store something on a page of its own."""
        writing = await self.transactions.writing()
        await writing.execute(HEARD, key)
        await self.transactions.commit(ahead=ahead)

    async def lasted(self) -> list[str]:
        return [row["key"] for row in await self._database.fetch(SERVICE, "select key from inbox order by key")]

    def close(self) -> None:
        for one in self._made:
            one.terminate()


@pytest.fixture
async def silenced(database: FreshDatabase) -> AsyncIterator[Silenced]:
    made = Silenced(database)
    yield made
    made.close()


async def test_after_a_begin_that_nobody_answered_pages_last(silenced: Silenced) -> None:
    """The driver keeps a transaction of which it does not know whether it is open, and would put every later one inside of it."""
    writing = await silenced.transactions.writing()
    async with silenced.silence():
        await writing.open()
    await silenced.transactions.roll_back()

    await silenced.page("A")
    await silenced.page("B")
    assert await silenced.lasted() == ["A", "B"]


async def test_after_a_begin_ahead_that_nobody_answered_pages_last(silenced: Silenced) -> None:
    await silenced.page("A", ahead=True)
    async with silenced.silence():
        await silenced.transactions.begin_ahead()

    await silenced.page("B")
    await silenced.page("C")
    assert await silenced.lasted() == ["A", "B", "C"]
