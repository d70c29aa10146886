"""The order ticket as a browser without scripts sends it: seen first, placed once, refused in words beside what was typed."""

import re
from decimal import Decimal
from typing import Any

import httpx
import pytest
from services.gateway.tests.running import Console, Desk, drained, sent_by

from quantmatrix.common.testing.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TYPED = {"product_id": "IBM", "side": "BUY", "size_usd": "1000", "limit_price": "", "time_in_force": "DAY"}
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


async def sent(console: Console, path: str, **fields: str) -> httpx.Response:
    return await console.client.post(path, data={"csrf": console.csrf, **fields})


def confirming(page: httpx.Response) -> dict[str, str]:
    """The fields of the form that places what was seen."""
    form = page.text.split('action="/ticket/place"')[1].split("</form>")[0]
    return dict(HIDDEN.findall(form))


async def test_what_was_seen_is_placed_once_however_often_it_is_pressed(standing: Desk) -> None:
    seen = await sent(standing, "/ticket", **TYPED)
    fields = confirming(seen)

    presses = [await sent(standing, "/ticket/place", **fields) for _ in range(3)]

    assert "within every limit" in seen.text and "$50,000.00" in seen.text
    assert [(one.status_code, one.headers.get("location")) for one in presses] == [(303, "/orders")] * 3
    await wait_until(lambda: drained(standing.ask), "everything was heard")
    orders = await standing.database.fetch("execution", "select side, symbol, order_type from orders where triggered_by = 'manual'")
    assert [tuple(row) for row in orders] == [("BUY", "IBM", "MARKET")]
    assert len(await standing.database.fetch("gateway", "select 1 from audit where action = 'order.placed'")) == 1


async def test_a_limit_order_waits_at_its_price_and_is_cancelled_from_the_list(standing: Desk) -> None:
    last = float((await standing.get("/api/v1/market/bars/IBM?limit=1")).json()["close"][0])
    limit = f"{last * 0.95:.2f}"
    seen = await sent(standing, "/ticket", **{**TYPED, "limit_price": limit, "time_in_force": "GTC"})
    await sent(standing, "/ticket/place", **confirming(seen))

    async def working() -> Any:
        orders = (await standing.get("/api/v1/orders/?limit=20")).json()["orders"]
        return next((one for one in orders if one["state"] == "accepted" and one["order_type"] == "LIMIT"), None)

    order = await wait_until(working, "the order works")
    assert (order["limit_price"].rstrip("0"), order["time_in_force"]) == (limit.rstrip("0"), "GTC")
    listed = (await standing.get("/orders")).text
    assert f'action="/orders/{order["order_id"]}/cancel"' in listed
    await sent(standing, f"/orders/{order['order_id']}/cancel")

    async def over() -> bool:
        found = (await standing.get(f"/api/v1/orders/{order['order_id']}")).json()["order"]
        return bool(found["state"] == "cancelled")

    await wait_until(over, "the order is cancelled")


async def test_what_is_wrong_is_said_beside_what_was_typed_and_nothing_is_sent(standing: Desk) -> None:
    before = await sent_by(standing)
    wrong = {
        "no instrument has the symbol NOSUCH": {"product_id": "NOSUCH"},
        "amount: Value error, expected a plain decimal such as 12.50": {"size_usd": "much"},
        "is needed and": {"size_usd": "200000"},
        "prices of IBM move by": {"limit_price": "80.005"},
        "side: Input should be": {"side": "HOLD"},
    }
    for said, changed in wrong.items():
        page = await sent(standing, "/ticket", **{**TYPED, **changed})
        assert page.status_code == 422 and said in page.text, said
        assert "/ticket/place" not in page.text
        assert next(iter(changed.values())) in page.text or "side" in changed
    assert await sent_by(standing) == before


async def test_what_the_gate_would_deny_is_seen_before_it_is_placed(standing: Desk) -> None:
    """Within the cash, beyond the limit of one order; and a limit too far from the market."""
    large = await sent(standing, "/ticket", **{**TYPED, "size_usd": "60000"})
    far = await sent(standing, "/ticket", **{**TYPED, "limit_price": "20.00"})

    for page, code in ((large, "ORDER_NOTIONAL"), (far, "PRICE_COLLAR")):
        assert "would be denied" in page.text and code in page.text
        assert "<button disabled>Place the order" in page.text


async def test_the_api_says_the_same(standing: Desk) -> None:
    before = await sent_by(standing)
    answer = await standing.post("/api/v1/trades/preview", {"product_id": "IBM", "side": "BUY", "size_usd": 1_000})
    found = answer.json()

    assert answer.status_code == 200
    assert (found["gate"]["code"], found["order_type"], found["symbol"]) == (None, "MARKET", "IBM")
    assert found["gate"]["limits"]["order_notional_max"] == {"amount": "50000", "currency": "USD"}
    assert await sent_by(standing) == before


async def test_a_sale_of_named_lots_uses_them_up_and_no_others(standing: Desk) -> None:
    """The lots go from the form through the order and its fill into the closings; what does not fit is refused before."""
    for key in ("first", "second"):
        await standing.post("/api/v1/trades/execute", {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}, **{"Idempotency-Key": key})
        await _filled(standing)
    lots = (await standing.get("/api/v1/portfolio/lots")).json()["lots"]
    newest = next(one for one in reversed(lots) if one["triggered_by"] == "manual")
    sale = {"product_id": "IBM", "side": "SELL", "lots": [{"lot_id": newest["lot_id"], "quantity": newest["quantity"]}]}

    for changed, code in (
        ({"size_usd": 500}, "ORDER_SIZE"),
        ({"lots": [{"lot_id": newest["fill_id"], "quantity": "1"}]}, "LOT_UNKNOWN"),
        ({"lots": [{"lot_id": newest["lot_id"], "quantity": "1000"}]}, "LOT_TOO_SMALL"),
        ({"side": "BUY"}, "LOT_WRONG_SIDE"),
    ):
        refused = await standing.post("/api/v1/trades/execute", {**sale, **changed}, **{"Idempotency-Key": code})
        assert (refused.status_code, refused.json()["code"]) == (422, code)

    seen = await sent(
        standing, "/ticket", **{**TYPED, "side": "SELL", "size_usd": "", "lots": f"{newest['lot_id']} {newest['quantity']}"}
    )  # fmt: skip
    placed = await sent(standing, "/ticket/place", **confirming(seen))
    await _filled(standing)

    assert placed.status_code == 303, placed.text
    closings = await standing.database.fetch(
        "portfolio", "select lot_id, quantity, triggered_by from closing where triggered_by = 'manual'"
    )
    assert [(str(row["lot_id"]), row["quantity"]) for row in closings] == [(newest["lot_id"], Decimal(newest["quantity"]))]


async def _filled(desk: Desk) -> None:
    """Let the replay go on until no person's order is open."""
    await desk.post("/api/v1/replay", {"paused": False})

    async def none_open() -> bool:
        orders = (await desk.get("/api/v1/orders/?limit=20")).json()["orders"]
        mine = [one for one in orders if one["triggered_by"] == "manual" and one["state"] != "cancelled"]
        return bool(mine) and all(one["state"] == "filled" for one in mine)

    await wait_until(none_open, "the orders are filled")
    await desk.post("/api/v1/replay", {"paused": True})
    await wait_until(lambda: drained(desk.ask), "everything was heard")
