"""The paper venue's role has another password: execution says so and ends, and the one that begins anew loses no order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from services.execution.tests.test_processes import order, prices, until

from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.runtime.errors import NotLetIn
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import WITHIN_S
from quantmatrix.operations.testing import FreshDatabase, Servers

SENTENCE = 'the database does not let paper-venue in: password authentication failed for user "qm_paper"'
CUT = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'qm_paper'"
SELDOM_S = 3_600

Shut = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
async def shut(servers: Servers, database: FreshDatabase) -> AsyncIterator[Shut]:
    """Until a block ends the venue's role has another password, and its connections are cut."""
    superuser = await asyncpg.connect(database.superuser_url)

    @asynccontextmanager
    async def venue() -> AsyncIterator[None]:
        try:
            await superuser.execute("alter role qm_paper password 'another-password'")
            await superuser.execute(CUT)
            yield
        finally:
            await superuser.execute(f"alter role qm_paper password '{servers.secrets.database['paper']}'")

    yield venue
    await superuser.close()


async def test_an_order_that_the_venue_does_not_let_in_ends_the_service_and_the_next_one_sends_it(
    start_here: Any, ask: Any, say: Saying, shut: Shut
) -> None:
    running = await start_here("execution", reconcile_every_s=SELDOM_S)
    await say(like(InstrumentListed))
    for message in prices(0, 100):
        await say(message)
    await say.heard_by("execution", ask)
    async with shut():
        await say(order(1))
        await asyncio.wait({running}, timeout=WITHIN_S)

        with pytest.raises(NotLetIn) as told:
            await start_here.stop("execution")
        assert str(told.value) == SENTENCE
    await start_here("execution", reconcile_every_s=SELDOM_S)

    book = await until(ask, "the order is at the venue", broker_orders=1)
    assert (book.orders, book.duplicate_orders, book.orders_without_intent) == (1, 0, ())


async def test_a_comparison_that_the_venue_does_not_let_in_ends_the_service(start_here: Any, ask: Any, say: Saying, shut: Shut) -> None:
    running = await start_here("execution", reconcile_every_s=0.1)
    await say.heard_by("execution", ask)
    async with shut():
        await asyncio.wait({running}, timeout=WITHIN_S)

        with pytest.raises(NotLetIn) as told:
            await start_here.stop("execution")
        assert str(told.value) == SENTENCE


async def test_a_start_that_the_venue_does_not_let_in_is_not_tried_again(start_process: Any, shut: Shut) -> None:
    async with shut():
        process = await start_process("execution")

        assert await process.ended() == 1
    assert process.written().splitlines() == [f"execution: {SENTENCE}"]
