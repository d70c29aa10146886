"""What a stop of the gateway makes of requests under way: finished, or refused with the word to ask again; and never half done."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
from services.gateway.tests.running import Console, drained, gateway_here

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase

ORDER = {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}


async def _execute(console: Console, key: str) -> httpx.Response:
    return await console.post("/api/v1/trades/execute", ORDER, **{"Idempotency-Key": key})


async def _placing(database: FreshDatabase) -> bool:
    """Whether an order has come as far as its row, and waits there for whoever holds the table."""
    found = await database.fetch("gateway", "select 1 from pg_locks where relation = 'idempotency'::regclass and not granted")
    return bool(found)


async def test_an_order_cut_by_the_stop_is_refused_for_now_and_done_once_when_it_comes_again(
    paused: Console, start_here: StartHere, database: FreshDatabase, ask: Ask
) -> None:
    connection = await database.connect("gateway")
    holding = connection.transaction()
    await holding.start()
    await connection.execute("lock table idempotency in exclusive mode")
    under_way = asyncio.create_task(_execute(paused, "cut"))
    await wait_until(lambda: _placing(database), "the order is on its way")

    stopping = asyncio.create_task(start_here.stop("gateway"))
    cut = await under_way
    await holding.rollback()
    await stopping

    assert (cut.status_code, cut.json()["code"], cut.headers["Retry-After"]) == (503, "GATEWAY_STOPPING", "2")
    assert "ask again in a moment" in cut.json()["detail"] and cut.headers["X-Request-Id"]
    async with gateway_here(start_here) as again:
        await again.log_in()
        answers = [await _execute(again, "cut") for _ in range(2)]
        await wait_until(lambda: drained(ask), "everything was heard")
    assert [one.status_code for one in answers] == [201, 201] and answers[0].content == answers[1].content
    assert await _manual_orders(database) == [UUID(answers[0].json()["id"])]


async def test_an_order_that_only_takes_a_moment_is_finished_before_the_gateway_stops(
    paused: Console, start_here: StartHere, database: FreshDatabase
) -> None:
    connection = await database.connect("gateway")
    holding = connection.transaction()
    await holding.start()
    await connection.execute("lock table idempotency in exclusive mode")
    under_way = asyncio.create_task(_execute(paused, "short"))
    await wait_until(lambda: _placing(database), "the order is on its way")

    stopping = asyncio.create_task(start_here.stop("gateway"))
    await wait_until(lambda: _closed(paused), "the gateway takes nothing new")
    await holding.rollback()
    answer = await under_way
    await stopping

    assert answer.status_code == 201
    said = await database.fetch("gateway", "select type from outbox")
    assert [row["type"] for row in said] == ["PlaceOrder"]


async def _closed(console: Console) -> bool:
    """Whether nobody listens any more. Nothing is asked: who connects at the last moment is answered by nobody."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", console.port)
    except OSError:
        return True
    writer.close()
    return False


async def _manual_orders(database: FreshDatabase) -> list[Any]:
    rows = await database.fetch("execution", "select order_id from orders where triggered_by = 'manual'")
    return [row["order_id"] for row in rows]
