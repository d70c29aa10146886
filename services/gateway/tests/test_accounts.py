"""Stopping an account and letting it go on, differences of the books: who may, what it needs, and what it leaves in the trail."""

from decimal import Decimal
from typing import Any

import pytest
from services.gateway.tests.running import PASSWORD, Console, Desk, add_user, drained, sent_by

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.testing.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHERS_TOO = UserId(derived_id("user", "one more"))
STATE = "/api/v1/accounts/DU0000001/trading-state"


async def _state(console: Console) -> Any:
    return (await console.get("/api/v1/accounts/")).json()["accounts"][0]["trading_state"]


async def _becomes(console: Console, state: str) -> None:
    async def there() -> bool:
        return bool(await _state(console) == state)

    await wait_until(there, f"the account is {state}")


async def test_a_stop_cancels_what_is_open_and_going_on_needs_the_password(standing: Desk) -> None:
    order = (
        await standing.post("/api/v1/trades/execute", {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}, **{"Idempotency-Key": "one"})
    ).json()["id"]
    await wait_until(lambda: drained(standing.ask), "everything was heard")

    stopped = await standing.post(STATE, {"state": "HALTED", "reason": "enough", "cancel_open": True})
    await _becomes(standing, "HALTED")

    async def over() -> bool:
        return bool((await standing.get(f"/api/v1/orders/{order}")).json()["order"]["state"] == "cancelled")

    await wait_until(over, "the order is cancelled")
    refused = [
        await standing.post(STATE, {"state": "ACTIVE", "reason": "better now", **more})
        for more in ({}, {"password": "not it at all"})
    ]  # fmt: skip
    assert stopped.status_code == 202
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "PASSWORD_REQUIRED"), (403, "PASSWORD_WRONG")]
    assert await _state(standing) == "HALTED"

    went_on = await standing.post(STATE, {"state": "ACTIVE", "reason": "better now", "password": PASSWORD})
    await _becomes(standing, "ACTIVE")

    assert went_on.status_code == 202
    rows = (await standing.get("/api/v1/ops/audit?limit=50")).json()["rows"]
    acts = [(one["before"], one["after"]) for one in rows if one["action"] == "account.trading_state"]
    assert acts == [
        ({"state": "HALTED"}, {"state": "ACTIVE", "reason": "better now", "cancel_open": False}),
        ({"state": "ACTIVE"}, {"state": "HALTED", "reason": "enough", "cancel_open": True}),
    ]
    assert PASSWORD not in str(rows)


async def test_a_stop_on_the_page_needs_a_reason_and_shows_itself(standing: Desk) -> None:
    path = "/accounts/DU0000001/trading-state"
    without = await standing.client.post(path, data={"csrf": standing.csrf, "state": "HALTED", "reason": "  "})
    stopped = await standing.client.post(path, data={"csrf": standing.csrf, "state": "HALTED", "reason": "enough"})
    await _becomes(standing, "HALTED")

    assert (without.status_code, stopped.status_code, stopped.headers["location"]) == (422, 303, "/accounts")
    page = (await standing.get("/accounts")).text
    assert '<span class="state bad">halted</span>' in page


async def test_somebody_elses_account_is_not_there_and_a_viewer_changes_nothing(standing: Desk) -> None:
    before = await sent_by(standing)
    await add_user(standing.database, "mallory", "trader")
    other = standing.another()
    await other.log_in("mallory")
    halted = {"state": "HALTED", "reason": "because"}

    answers = [await other.post(STATE, halted), await other.get("/api/v1/accounts/"), await other.get("/api/v1/accounts/breaks")]
    connection = await standing.database.connect("gateway")
    await connection.execute("update users set role = 'viewer' where name = 'mallory'")
    looking = await other.post(STATE, halted)
    await other.client.aclose()

    assert (answers[0].status_code, answers[1].json(), answers[2].json()) == (404, {"accounts": []}, {"breaks": []})
    assert (looking.status_code, looking.json()["code"]) == (403, "ROLE_VIEWER")
    assert await sent_by(standing) == before


async def test_a_difference_is_accepted_with_a_reason_by_its_owner_alone(standing: Desk) -> None:
    """Somebody paid five dollars in at the broker."""
    await standing.start_here.stop("execution")
    await standing.start_here("execution", reconcile_every_s=0.2)
    await add_user(standing.database, "trudy", "trader", OTHERS_TOO)
    trudy = standing.another()
    await trudy.log_in("trudy")
    ours = Decimal((await standing.get("/api/v1/portfolio/summary")).json()["accounts"][0]["cash"]["amount"])
    theirs = f"{ours + 5} USD"
    venue = await standing.database.connect("paper")
    await venue.execute("update account set cash = cash + 5")

    async def found(*, over: bool) -> Any:
        breaks = (await standing.get("/api/v1/accounts/breaks")).json().get("breaks", [])
        return breaks[0] if breaks and (breaks[0]["resolved_at"] is not None) is over else None

    one = await wait_until(lambda: found(over=False), "the difference is found")
    path = f"/api/v1/accounts/breaks/{one['break_id']}/accept"
    refused = [await trudy.post(path, {"reason": "mine"}), await standing.post(path, {"reason": " "})]
    page = (await standing.get("/accounts")).text
    taken = await standing.post(path, {"reason": "paid in by hand"})
    over = await wait_until(lambda: found(over=True), "the difference is over")
    again = await standing.post(path, {"reason": "paid in by hand"})
    await trudy.client.aclose()

    assert ours > 0 and (one["about"], one["ours"], one["theirs"]) == ("cash", f"{ours} USD", theirs)
    assert f'action="/accounts/breaks/{one["break_id"]}/accept"' in page
    assert [answer.status_code for answer in (*refused, taken, again)] == [404, 422, 202, 409]
    assert over["resolution"] == "accepted: paid in by hand"
    (row,) = await standing.database.fetch("gateway", "select name, about, before from audit where action = 'account.break_accepted'")
    assert (row["name"], row["about"]) == ("admin", "DU0000001") and theirs in str(row["before"])
