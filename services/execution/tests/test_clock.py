"""The machine's clock stands still, or jumps: what was in doubt is looked for all the same, and no difference hides behind an earlier one."""

from collections.abc import Sequence

import pytest
from services.execution.tests.desk import Desk

from quantmatrix.common.names import OrderState
from quantmatrix.common.runtime import service
from quantmatrix.common.testing.clock import WildClock
from quantmatrix.common.testing.examples import INSTRUMENT
from quantmatrix.common.values import Price, Quantity


@pytest.mark.parametrize("jumps_h", [(0,), (0, 1, 0, -1)], ids=["stands still", "jumps"])
async def test_orders_in_doubt_and_differences_are_found_whatever_the_clock_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, jumps_h: Sequence[int]
) -> None:
    monkeypatch.setattr(service, "SystemClock", lambda: WildClock(jumps_h))
    await desk.start(reconcile_every_s=0.05)
    desk.broker.lose_request = True
    never_arrived = await desk.until(await desk.place(1), OrderState.ACCEPTED)
    desk.broker.fill(never_arrived.client_ref, Quantity(10), Price(100))
    await desk.agree()
    for number in (2, 3):
        desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(17)
        await desk.until_open_breaks("position XNYS-ABC: ours 10, the broker's 17")
        denied = await desk.until(await desk.place(number), OrderState.DENIED)
        desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(10)
        await desk.agree()
        assert denied.code == "ACCOUNT_BREAK"

    assert desk.broker.received(never_arrived.client_ref) == 1
