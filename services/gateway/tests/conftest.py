"""A gateway inside the test, and where asked for the services behind it after a short replay."""

from collections.abc import AsyncIterator

import pytest
from services.gateway.tests.running import Console, gateway_here, replay_done

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere


@pytest.fixture
async def console(start_here: StartHere) -> AsyncIterator[Console]:
    """A gateway with its first administrator; nobody is logged in."""
    async with gateway_here(start_here) as running:
        yield running


@pytest.fixture
async def desk(console: Console, start_here: StartHere, ask: Ask) -> Console:
    """The administrator, logged in, after a replay of four months."""
    await replay_done(start_here, ask)
    await console.log_in()
    return console
