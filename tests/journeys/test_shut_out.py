"""Somebody is shut out while an order of theirs is open: they move nothing more, nobody else does, and the order stays what it was."""

from typing import Any

import pytest
from services.execution.tests.desk import Desk
from services.gateway.tests.running import add_user, gateway_here

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import OrderState
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.domain.orders import client_ref_of
from quantmatrix.execution.testing import FakeBroker
from quantmatrix.operations.testing import FreshDatabase


@pytest.fixture
async def desk(start_here: Any, ask: Any, say: Saying) -> Desk:
    made = Desk(start_here, ask, say, FakeBroker())
    await made.prices()
    await made.start()
    return made


async def test_an_open_order_of_somebody_who_is_shut_out_stays_theirs_and_is_filled_and_booked(
    desk: Desk, start_here: Any, database: FreshDatabase
) -> None:
    order = await desk.place()
    await desk.until(order, OrderState.ACCEPTED)
    async with gateway_here(start_here) as owner:
        await owner.log_in()
        await add_user(database, "second", "admin")
        second = owner.another()
        await second.log_in("second")
        seen = await owner.get(f"/api/v1/orders/{order}")

        shut = await second.post(f"/api/v1/admin/users/{FIRST_ADMINISTRATOR}/access", {"allowed": False, "reason": "left the team"})

        of_owner = [await owner.get(f"/api/v1/orders/{order}"), await owner.post(f"/api/v1/orders/{order}/cancel")]
        of_second = [await second.get(f"/api/v1/orders/{order}"), await second.post(f"/api/v1/orders/{order}/cancel")]
        desk.broker.fill(client_ref_of(order), Quantity(10), Price(100))
        filled = await desk.until(order, OrderState.FILLED)
        await desk.agree()
        await second.post(f"/api/v1/admin/users/{FIRST_ADMINISTRATOR}/access", {"allowed": True, "reason": "came back"})
        await owner.log_in()
        back = await owner.get(f"/api/v1/orders/{order}")

    assert (seen.status_code, seen.json()["order"]["state"], shut.status_code) == (200, "accepted", 200)
    assert [one.status_code for one in of_owner + of_second] == [401, 401, 404, 404]
    assert await database.fetch("gateway", "select 1 from outbox") == []
    assert (filled.filled, back.json()["order"]["state"]) == (Quantity(10), "filled")
    assert len(desk.broker.requests) == 1
