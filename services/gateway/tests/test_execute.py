"""A person's own order: refused clearly, placed once however often it is asked for, filled like any other."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.gateway.tests.running import Console, drained

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase

ORDER = {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}


async def _execute(console: Console, key: str, **changed: Any) -> Any:
    return await console.post("/api/v1/trades/execute", {**ORDER, **changed}, **{"Idempotency-Key": key})


async def test_an_order_is_answered_pending_and_filled_at_the_next_open(paused: Console, database: FreshDatabase) -> None:
    bars = (await paused.get("/api/v1/market/bars/IBM?limit=1")).json()
    answer = await _execute(paused, "first")
    trade = answer.json(parse_float=Decimal)

    assert answer.status_code == 201
    last = Decimal(bars["close"][0])
    assert (trade["product_id"], trade["side"], trade["status"], trade["filled_at"], trade["triggered_by"]) == (
        "IBM", "BUY", "pending", None, "manual",
    )  # fmt: skip
    assert trade["size_crypto"] == 1_000 // last and trade["price"] == last
    assert trade["size_usd"] == trade["size_crypto"] * last <= 1_000

    async def accepted() -> bool:
        found = await paused.get(f"/api/v1/orders/{trade['id']}")
        return found.status_code == 200 and found.json()["order"]["state"] == "accepted"

    await wait_until(accepted, "execution has the order under the id that was answered")
    listed = (await paused.get("/api/v1/trades/")).json()
    assert listed[0]["id"] == trade["id"] and listed[0]["status"] == "pending"
    await paused.post("/api/v1/replay", {"paused": False})

    async def is_filled() -> Any:
        found = (await paused.get(f"/api/v1/trades/{trade['id']}")).json(parse_float=Decimal)
        return found if found["status"] == "filled" else None

    filled = await wait_until(is_filled, "the order is filled")
    await paused.post("/api/v1/replay", {"paused": True})
    after = (await paused.get("/api/v1/market/bars/IBM?limit=500")).json()
    opened = dict(zip(after["sessions"], after["open"], strict=True))[filled["filled_at"][:10]]
    assert filled["price"] == Decimal(opened) and filled["size_crypto"] == trade["size_crypto"]
    said = await database.fetch("gateway", "select type, payload from outbox")
    assert [row["type"] for row in said] == ["PlaceOrder"]


async def test_the_same_key_gives_the_first_answer_and_one_order(paused: Console, database: FreshDatabase, ask: Ask) -> None:
    answers = await asyncio.gather(*(_execute(paused, "retry") for _ in range(12)))

    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    await wait_until(lambda: drained(ask), "everything was heard")
    orders = await database.fetch("execution", "select order_id from orders where triggered_by = 'manual'")
    rows = await database.fetch("gateway", "select about from audit where action = 'order.placed'")
    assert [row["order_id"] for row in orders] == [UUID(answers[0].json()["id"])]
    assert [row["about"] for row in rows] == [answers[0].json()["id"]]
    later = await _execute(paused, "retry")
    assert later.content == answers[0].content


async def test_the_same_key_with_another_body_is_refused(paused: Console, database: FreshDatabase) -> None:
    first = await _execute(paused, "key")
    other = await _execute(paused, "key", size_usd=2_000)

    assert first.status_code == 201
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(await database.fetch("gateway", "select 1 from outbox")) == 1


async def test_every_refusal_is_clear_and_sends_nothing(paused: Console, database: FreshDatabase) -> None:
    refusals = {
        ("ORDER_TOO_SMALL", 422): await _execute(paused, "1", size_usd=9.99),
        ("BALANCE_INSUFFICIENT", 422): await _execute(paused, "2", size_usd=200_000),
        ("INSTRUMENT_UNKNOWN", 404): await _execute(paused, "3", product_id="NOSUCH"),
        ("ACCOUNT_UNKNOWN", 404): await _execute(paused, "4", account_id="PAPER-9"),
        ("REQUEST_INVALID", 422): await _execute(paused, "5", side="HOLD"),
        ("IDEMPOTENCY_KEY_REQUIRED", 400): await paused.post("/api/v1/trades/execute", ORDER),
    }
    for (code, status), answer in refusals.items():
        assert (answer.json()["code"], answer.status_code) == (code, status)
    odd = [{"size_usd": text} for text in ("NaN", "1_000", " 1000 ", "1E3", "+1000", "١٠٠٠", "1e300")]
    for body in (*odd, {"limit_price": "1_00"}, {"size_usd": -5}, {"size_usd": 100.001}, {"size_usd": True}, {"extra": 1}):
        assert (await _execute(paused, "6", **body)).json()["code"] == "REQUEST_INVALID", body
    assert (await _execute(paused, "6", size_usd=None)).json()["code"] == "ORDER_SIZE"
    nothing_held = await _execute(paused, "7", side="SELL", size_usd=50_000)
    assert nothing_held.json()["code"] == "BALANCE_INSUFFICIENT"
    assert await database.fetch("gateway", "select 1 from outbox") == []
    assert await database.fetch("gateway", "select 1 from idempotency") == []


async def test_a_pending_order_takes_its_part_of_the_balance(paused: Console, ask: Ask) -> None:
    cash = Decimal((await paused.get("/api/v1/portfolio/summary")).json()["accounts"][0]["cash"]["amount"])
    first = await _execute(paused, "big", size_usd=45_000)
    await wait_until(lambda: drained(ask), "everything was heard")
    second = await _execute(paused, "bigger", size_usd=int(cash) - 40_000)

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (422, "BALANCE_INSUFFICIENT")


async def test_an_open_order_can_be_cancelled_once(paused: Console, ask: Ask) -> None:
    trade = (await _execute(paused, "cancel me")).json()
    await wait_until(lambda: drained(ask), "everything was heard")
    taken = await paused.post(f"/api/v1/orders/{trade['id']}/cancel")

    async def is_cancelled() -> bool:
        return bool((await paused.get(f"/api/v1/trades/{trade['id']}")).json()["status"] == "cancelled")

    await wait_until(is_cancelled, "the order is cancelled")
    again = await paused.post(f"/api/v1/orders/{trade['id']}/cancel")
    history = (await paused.get(f"/api/v1/orders/{trade['id']}")).json()["steps"]
    trail = (await paused.get("/api/v1/ops/audit?limit=1")).json()["rows"]
    assert taken.status_code == 202 and taken.json()["state"] == "cancelling"
    assert (again.status_code, again.json()["code"]) == (409, "ORDER_OVER")
    assert [step["what"] for step in history] == ["submitted", "accepted", "cancelling", "cancelled"]
    assert (trail[0]["action"], trail[0]["about"], trail[0]["before"]["state"]) == ("order.cancel", trade["id"], "accepted")


async def test_an_order_that_execution_has_not_heard_of_yet_is_there_and_can_be_cancelled(paused: Console, database: FreshDatabase) -> None:
    """Somebody holds the account's row, so execution cannot take the order in; it still answers that it knows of none."""
    held = await database.connect("execution")
    async with held.transaction():
        await held.execute("lock table orders in exclusive mode")
        trade = (await _execute(paused, "unheard")).json(parse_float=Decimal)
        shown = await paused.get(f"/api/v1/trades/{trade['id']}")
        cancelled = await paused.post(f"/api/v1/orders/{trade['id']}/cancel")
        strangers = await paused.get(f"/api/v1/trades/{UUID(int=7)}")

    async def is_cancelled() -> bool:
        return bool((await paused.get(f"/api/v1/trades/{trade['id']}")).json()["status"] == "cancelled")

    await wait_until(is_cancelled, "the order is cancelled")
    assert (shown.status_code, shown.json(parse_float=Decimal)) == (200, trade)
    assert (cancelled.status_code, strangers.status_code) == (202, 404)
    assert [step["what"] for step in (await paused.get(f"/api/v1/orders/{trade['id']}")).json()["steps"]][-1] == "cancelled"


async def test_an_order_of_a_ledger_that_was_forgotten_is_not_told_of(paused: Console, database: FreshDatabase) -> None:
    held = await database.connect("execution")
    async with held.transaction():
        await held.execute("lock table orders in exclusive mode")
        trade = (await _execute(paused, "forgotten")).json()
        connection = await database.connect("gateway")
        await connection.execute(
            """insert into audit (at, name, action, about, address, request_id)
               values (clock_timestamp(), 'admin', 'replay.restart', 'paper ledger', '', gen_random_uuid())"""
        )
        shown = await paused.get(f"/api/v1/trades/{trade['id']}")

    assert shown.status_code == 404
