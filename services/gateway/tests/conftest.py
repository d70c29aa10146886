"""A gateway inside the test, and where asked for the services behind it after a short replay."""

import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from services.gateway.tests.browsing import launched
from services.gateway.tests.running import Console, Desk, gateway_here, replay_done, stood_still

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import WITHIN_S
from quantmatrix.operations.testing import FreshBus, FreshDatabase, Servers

_numbers = itertools.count(1)


@pytest.fixture
async def console(start_here: StartHere) -> AsyncIterator[Console]:
    """A gateway with its first administrator; nobody is logged in."""
    async with gateway_here(start_here) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(servers: Servers) -> AsyncIterator[Desk]:
    """The administrator, logged in, after a replay of four months: one for all tests of a module.

    A module that uses it has `pytestmark = pytest.mark.asyncio(loop_scope="module")` and leaves `database`, `bus` and
    `start_here` alone: they would empty the bus under these services.
    """
    async with _desk(servers) as made:
        await replay_done(made.start_here, made.ask)
        await made.log_in()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(servers: Servers) -> AsyncIterator[Desk]:
    """Like `paused`, but one for all tests of a module; what `desk` asks of a module holds here too."""
    async with _desk(servers) as made:
        await stood_still(made, made.start_here, made.ask)
        yield made


@asynccontextmanager
async def _desk(servers: Servers) -> AsyncIterator[Desk]:
    """A gateway on servers of its own, with nothing behind it yet."""
    await servers.make_well()
    database = await FreshDatabase(servers, f"desk_{next(_numbers)}").make()
    bus = FreshBus(servers)
    await bus.renew()
    with tempfile.TemporaryDirectory(prefix="qm-desk-") as folder:
        start_here = StartHere(database, bus, Path(folder))
        try:
            ask = Ask(await bus.connect(OPERATOR_USER), deadline_s=WITHIN_S)
            async with gateway_here(start_here) as console:
                yield Desk(console.port, console.client, console.csrf, database=database, start_here=start_here, ask=ask)
        finally:
            await start_here.stop_all()
            await bus.close()
            await database.drop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A browser in which every test of a module has a profile of its own."""
    async with launched() as running:
        yield running


@pytest.fixture
async def paused(console: Console, start_here: StartHere, ask: Ask) -> Console:
    """A replay that has come some sessions far and stands still, so that an order stays open until it goes on."""
    await stood_still(console, start_here, ask)
    return console
