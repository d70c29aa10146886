"""First answers to an Idempotency-Key: given again over a restart, and forgotten after their time."""

from typing import Any
from uuid import UUID

import httpx
from services.gateway.tests.running import Console, drained, gateway_here

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase

ORDER = {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}
HOURS = 24


async def _execute(console: Console, key: str, **changed: Any) -> httpx.Response:
    return await console.post("/api/v1/trades/execute", {**ORDER, **changed}, **{"Idempotency-Key": key})


async def _age(database: FreshDatabase, hours: float) -> None:
    connection = await database.connect("gateway")
    await connection.execute("update idempotency set made_at = made_at - make_interval(secs => $1)", hours * 3_600)


async def test_a_key_gives_its_first_answer_again_after_a_restart_and_is_a_new_one_after_its_time(
    paused: Console, start_here: StartHere, database: FreshDatabase, ask: Ask
) -> None:
    first = await _execute(paused, "retry")
    await start_here.stop("gateway")
    async with gateway_here(start_here, idempotency_hours=HOURS) as again:
        await again.log_in()
        await _age(database, -1)  # the clock has gone back by an hour since
        back = await _execute(again, "retry")
        await _age(database, HOURS + 1 - 0.1)
        repeated = await _execute(again, "retry")
        other = await _execute(again, "retry", size_usd=2_000)
        await _age(database, 0.2)
        late = await _execute(again, "retry")
        twice = await _execute(again, "retry")
        await wait_until(lambda: drained(ask), "everything was heard")

    assert (first.status_code, repeated.status_code, repeated.content) == (201, 201, first.content)
    assert (back.status_code, back.content) == (201, first.content)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert late.status_code == 201 and late.json()["id"] != first.json()["id"] and twice.content == late.content
    rows = await database.fetch("execution", "select order_id from orders where triggered_by = 'manual' order by created_at, version desc")
    assert {row["order_id"] for row in rows} == {UUID(first.json()["id"]), UUID(late.json()["id"])}


async def test_answers_are_forgotten_after_their_time_and_not_before(start_here: StartHere, database: FreshDatabase) -> None:
    connection = await database.connect("gateway")
    await connection.execute(
        """insert into idempotency (user_id, key, request_hash, status, answer, made_at)
           select gen_random_uuid(), 'key ' || h, '', 201, '', clock_timestamp() - make_interval(hours => h) from generate_series(20, 30) as h"""
    )

    async def left() -> list[str]:
        return [row["key"] for row in await database.fetch("gateway", "select key from idempotency order by key")]

    async def tidied() -> bool:
        return len(await left()) < 11

    async with gateway_here(start_here, idempotency_hours=HOURS):
        await wait_until(tidied, "old answers are forgotten")
        assert await left() == ["key 20", "key 21", "key 22", "key 23"]


async def test_the_longest_key_that_is_taken_can_be_kept_for_every_wish(paused: Console) -> None:
    async def first_run() -> str | None:
        runs = (await paused.get("/api/v1/strategies/runs/details")).json()["runs"]
        return runs[0]["run_id"] if runs else None

    run = await wait_until(first_run, "the account has a run")
    path, body = f"/api/v1/strategies/runs/{run}/capital", {"amount": "1", "reason": "a try"}
    longest = {"Idempotency-Key": "k" * 200}

    moved = [await paused.post(path, body, **longest) for _ in range(2)]
    other = await paused.post(path, {**body, "amount": "2"}, **longest)
    too_long = await paused.post(path, body, **{"Idempotency-Key": "k" * 201})

    assert [one.status_code for one in (*moved, other, too_long)] == [202, 202, 422, 422]
    assert moved[0].content == moved[1].content
    assert (other.json()["code"], too_long.json()["code"]) == ("IDEMPOTENCY_KEY_REUSED", "REQUEST_INVALID")
