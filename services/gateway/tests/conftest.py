"""A gateway inside the test, and where asked for the services behind it after a short replay."""

import itertools
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from services.gateway.tests.running import Console, Desk, gateway_here, replay_done

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.here import StartHere
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
    await servers.make_well()
    database = await FreshDatabase(servers, f"desk_{next(_numbers)}").make()
    bus = FreshBus(servers)
    await bus.purge()
    await bus.provision()
    with tempfile.TemporaryDirectory(prefix="qm-desk-") as folder:
        start_here = StartHere(database, bus, Path(folder))
        try:
            ask = Ask(await bus.connect(OPERATOR_USER))
            async with gateway_here(start_here) as console:
                await replay_done(start_here, ask)
                await console.log_in()
                yield Desk(console.port, console.client, console.csrf, database=database, start_here=start_here, ask=ask)
        finally:
            await start_here.stop_all()
            await bus.close()
            await database.drop()
