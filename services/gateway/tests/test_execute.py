"""A person's own order: refused clearly, placed once however often it is asked for, filled like any other."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from services.gateway.tests.running import Console, Desk, drained, sent_by

from quantmatrix.common.testing.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORDER = {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}


async def _execute(console: Console, key: str, **changed: Any) -> Any:
    return await console.post("/api/v1/trades/execute", {**ORDER, **changed}, **{"Idempotency-Key": key})


async def test_an_order_is_answered_pending_and_filled_at_the_next_open(standing: Desk) -> None:
    before = await sent_by(standing)
    bars = (await standing.get("/api/v1/market/bars/IBM?limit=1")).json()
    answer = await _execute(standing, "first")
    trade = answer.json(parse_float=Decimal)

    assert answer.status_code == 201
    last = Decimal(bars["close"][0])
    assert (trade["product_id"], trade["side"], trade["status"], trade["filled_at"], trade["triggered_by"]) == (
        "IBM", "BUY", "pending", None, "manual",
    )  # fmt: skip
    assert trade["size_crypto"] == 1_000 // last and trade["price"] == last
    assert trade["size_usd"] == trade["size_crypto"] * last <= 1_000

    async def accepted() -> bool:
        found = await standing.get(f"/api/v1/orders/{trade['id']}")
        return found.status_code == 200 and found.json()["order"]["state"] == "accepted"

    await wait_until(accepted, "execution has the order under the id that was answered")
    listed = (await standing.get("/api/v1/trades/")).json()
    assert listed[0]["id"] == trade["id"] and listed[0]["status"] == "pending"
    await standing.post("/api/v1/replay", {"paused": False})

    async def is_filled() -> Any:
        found = (await standing.get(f"/api/v1/trades/{trade['id']}")).json(parse_float=Decimal)
        return found if found["status"] == "filled" else None

    filled = await wait_until(is_filled, "the order is filled")
    await standing.post("/api/v1/replay", {"paused": True})
    after = (await standing.get("/api/v1/market/bars/IBM?limit=500")).json()
    opened = dict(zip(after["sessions"], after["open"], strict=True))[filled["filled_at"][:10]]
    assert filled["price"] == Decimal(opened) and filled["size_crypto"] == trade["size_crypto"]
    assert await sent_by(standing) == sorted([*before, "PlaceOrder"])


async def test_the_same_key_gives_the_first_answer_and_one_order(standing: Desk) -> None:
    before = await _placed(standing)
    answers = await asyncio.gather(*(_execute(standing, "retry") for _ in range(12)))

    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    await wait_until(lambda: drained(standing.ask), "everything was heard")
    one = answers[0].json()["id"]
    assert await _placed(standing) == tuple(sorted([*already, one]) for already in before)
    later = await _execute(standing, "retry")
    assert later.content == answers[0].content


async def _placed(desk: Desk) -> tuple[list[str], list[str]]:
    """A person's orders as execution knows them, and as the trail does."""
    orders = await desk.database.fetch("execution", "select order_id from orders where triggered_by = 'manual'")
    trail = await desk.database.fetch("gateway", "select about from audit where action = 'order.placed'")
    return sorted(str(row["order_id"]) for row in orders), sorted(row["about"] for row in trail)


async def test_the_same_key_with_another_body_is_refused(standing: Desk) -> None:
    before = await sent_by(standing)
    first = await _execute(standing, "key")
    other = await _execute(standing, "key", size_usd=2_000)

    assert first.status_code == 201
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await sent_by(standing) == sorted([*before, "PlaceOrder"])


async def test_every_refusal_is_clear_and_sends_nothing(standing: Desk) -> None:
    before, kept = await sent_by(standing), await standing.database.fetch("gateway", "select * from idempotency order by 1, 2")
    refusals = {
        ("ORDER_TOO_SMALL", 422): await _execute(standing, "1", size_usd=9.99),
        ("BALANCE_INSUFFICIENT", 422): await _execute(standing, "2", size_usd=200_000),
        ("INSTRUMENT_UNKNOWN", 404): await _execute(standing, "3", product_id="NOSUCH"),
        ("ACCOUNT_UNKNOWN", 404): await _execute(standing, "4", account_id="PAPER-9"),
        ("REQUEST_INVALID", 422): await _execute(standing, "5", side="HOLD"),
        ("IDEMPOTENCY_KEY_REQUIRED", 400): await standing.post("/api/v1/trades/execute", ORDER),
    }
    for (code, status), answer in refusals.items():
        assert (answer.json()["code"], answer.status_code) == (code, status)
    odd = [{"size_usd": text} for text in ("NaN", "1_000", " 1000 ", "1E3", "+1000", "١٠٠٠", "1e300")]
    for body in (*odd, {"limit_price": "1_00"}, {"size_usd": -5}, {"size_usd": 100.001}, {"size_usd": True}, {"extra": 1}):
        assert (await _execute(standing, "6", **body)).json()["code"] == "REQUEST_INVALID", body
    assert (await _execute(standing, "6", size_usd=None)).json()["code"] == "ORDER_SIZE"
    nothing_held = await _execute(standing, "7", side="SELL", size_usd=50_000)
    assert nothing_held.json()["code"] == "BALANCE_INSUFFICIENT"
    assert await sent_by(standing) == before
    assert await standing.database.fetch("gateway", "select * from idempotency order by 1, 2") == kept


async def test_a_pending_order_takes_its_part_of_the_balance(standing: Desk) -> None:
    cash = Decimal((await standing.get("/api/v1/portfolio/summary")).json()["accounts"][0]["cash"]["amount"])
    first = await _execute(standing, "big", size_usd=45_000)
    await wait_until(lambda: drained(standing.ask), "everything was heard")
    second = await _execute(standing, "bigger", size_usd=int(cash) - 40_000)

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (422, "BALANCE_INSUFFICIENT")


async def test_an_open_order_can_be_cancelled_once(standing: Desk) -> None:
    trade = (await _execute(standing, "cancel me")).json()
    await wait_until(lambda: drained(standing.ask), "everything was heard")
    taken = await standing.post(f"/api/v1/orders/{trade['id']}/cancel")

    async def is_cancelled() -> bool:
        return bool((await standing.get(f"/api/v1/trades/{trade['id']}")).json()["status"] == "cancelled")

    await wait_until(is_cancelled, "the order is cancelled")
    again = await standing.post(f"/api/v1/orders/{trade['id']}/cancel")
    history = (await standing.get(f"/api/v1/orders/{trade['id']}")).json()["steps"]
    trail = (await standing.get("/api/v1/ops/audit?limit=1")).json()["rows"]
    assert taken.status_code == 202 and taken.json()["state"] == "cancelling"
    assert (again.status_code, again.json()["code"]) == (409, "ORDER_OVER")
    assert [step["what"] for step in history] == ["submitted", "accepted", "cancelling", "cancelled"]
    assert (trail[0]["action"], trail[0]["about"], trail[0]["before"]["state"]) == ("order.cancel", trade["id"], "accepted")


async def test_an_order_that_execution_has_not_heard_of_yet_is_there_and_can_be_cancelled(standing: Desk) -> None:
    """Somebody holds the account's row, so execution cannot take the order in; it still answers that it knows of none."""
    held = await standing.database.connect("execution")
    async with held.transaction():
        await held.execute("lock table orders in exclusive mode")
        trade = (await _execute(standing, "unheard")).json(parse_float=Decimal)
        shown = await standing.get(f"/api/v1/trades/{trade['id']}")
        cancelled = await standing.post(f"/api/v1/orders/{trade['id']}/cancel")
        strangers = await standing.get(f"/api/v1/trades/{UUID(int=7)}")

    async def is_cancelled() -> bool:
        return bool((await standing.get(f"/api/v1/trades/{trade['id']}")).json()["status"] == "cancelled")

    await wait_until(is_cancelled, "the order is cancelled")
    assert (shown.status_code, shown.json(parse_float=Decimal)) == (200, trade)
    assert (cancelled.status_code, strangers.status_code) == (202, 404)
    assert [step["what"] for step in (await standing.get(f"/api/v1/orders/{trade['id']}")).json()["steps"]][-1] == "cancelled"


async def test_an_order_of_a_ledger_that_was_forgotten_is_not_told_of(standing: Desk) -> None:
    held = await standing.database.connect("execution")
    async with held.transaction():
        await held.execute("lock table orders in exclusive mode")
        trade = (await _execute(standing, "forgotten")).json()
        connection = await standing.database.connect("gateway")
        await connection.execute(
            """insert into audit (at, name, action, about, address, request_id)
               values (clock_timestamp(), 'admin', 'replay.restart', 'paper ledger', '', gen_random_uuid())"""
        )
        shown = await standing.get(f"/api/v1/trades/{trade['id']}")

    assert shown.status_code == 404
