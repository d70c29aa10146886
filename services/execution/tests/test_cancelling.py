"""Cancels: they race with fills, silence and death, and leave nothing working at the broker."""

import asyncio
from typing import Any

from services.execution.tests.desk import ACCOUNT, Desk

from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.contracts.signals import SignalRaised, SignalWithdrawn
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, order_of
from quantmatrix.common.names import ActionKind, OrderId, OrderState
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.domain.orders import client_ref_of
from quantmatrix.execution.ports import Rejected
from quantmatrix.execution.testing import request


async def test_a_cancel_is_confirmed_by_the_broker(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    await desk.until(order, OrderState.ACCEPTED)

    await desk.cancel(order)

    found = await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.cancels == [found.client_ref]


async def test_a_decision_that_is_taken_back_cancels_its_order(desk: Desk) -> None:
    """What a run has ordered is known by its decision; another one's, a stranger's and one that is over are left alone."""
    await desk.start(reconcile_every_s=3_600)
    await desk.prices()
    decided = like(
        SignalRaised, signal_id=derived_id("decision"), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, limit=None, price=Price(100),
        quantity=Quantity(10),
    )  # fmt: skip
    other = like(SignalRaised, **{**_fields(decided), "signal_id": derived_id("another decision"), "limit": Price(99)})
    for signal in (decided, other):
        await desk.say(signal)
    accepted = [await desk.until(order_of(one.signal_id), OrderState.ACCEPTED) for one in (decided, other)]

    told = {"account_id": ACCOUNT, "signal_id": decided.signal_id}
    await desk.say(like(SignalWithdrawn, **told, user_id=derived_id("stranger"), reason="a stranger's wish"))
    await desk.say(like(SignalWithdrawn, **told, user_id=FIRST_ADMINISTRATOR, reason="stopped"))
    await desk.say(like(SignalWithdrawn, **{**told, "signal_id": derived_id("never")}, user_id=FIRST_ADMINISTRATOR, reason="stopped"))

    await desk.until(order_of(decided.signal_id), OrderState.CANCELLED)
    assert desk.broker.cancels == [accepted[0].client_ref]
    assert [(one.order_type, one.limit_price) for one in accepted] == [("MARKET", None), ("LIMIT", Price(99))]
    still = await desk.order(order_of(other.signal_id))
    assert still is not None and still.state is OrderState.ACCEPTED


def _fields(signal: SignalRaised) -> dict[str, Any]:
    return {name: getattr(signal, name) for name in signal.__struct_fields__ if name not in ("head", "version")}


async def test_a_fill_that_overtakes_the_cancel_wins(desk: Desk) -> None:
    """F12: the cancel is refused because the order is done; the executions say what it is."""
    await desk.start(reconcile_every_s=3_600)
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(10), Price(101))

    await desk.cancel(order)

    await desk.until(order, OrderState.FILLED)
    assert (await desk.agree()).positions == {"XNYS-ABC": Quantity(10)}


async def test_a_cancel_that_is_refused_after_a_part_was_filled_leaves_a_partly_filled_order(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(4), Price(100))
    await desk.until(order, OrderState.PARTIALLY_FILLED)
    desk.broker.refuse_cancels = True

    await desk.cancel(order)
    await wait_until(lambda: desk.broker.cancels, "the broker was asked")

    found = await desk.until(order, OrderState.PARTIALLY_FILLED)
    assert found.filled == Quantity(4)


async def test_a_cancel_during_silence_waits_for_the_answer(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    await desk.until(order, OrderState.ACCEPTED)
    desk.broker.deaf = True
    await desk.cancel(order)
    await desk.until(order, OrderState.CANCELLING)

    desk.broker.deaf = False

    await desk.until(order, OrderState.CANCELLED)


async def test_a_cancel_while_the_order_is_on_its_way_outlives_the_brokers_answer(desk: Desk) -> None:
    """The answer belongs to an order that has changed since it was sent: it is booked on the order as it stands now."""
    gate = desk.broker.gate_before = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    stored = await desk.until(order, OrderState.SUBMITTING)
    await desk.cancel(order)
    await desk.until(order, OrderState.CANCELLING)

    gate.set()

    await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.orders[stored.client_ref].status == "cancelled"
    assert desk.broker.received(stored.client_ref) == 1


async def test_a_cancel_of_an_order_that_arrives_late_still_cancels_it(desk: Desk) -> None:
    """Killed after sending; cancelled; absent at the first reading, there at the second. Nothing may be left working at the broker."""
    desk.broker.gate_before = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    stored = await desk.until(order, OrderState.SUBMITTING)
    await desk.cancel(order)
    await desk.until(order, OrderState.CANCELLING)
    await desk.die()
    desk.broker.gate_before = None
    desk.broker.arrives_late = request(client_ref=stored.client_ref, instrument=INSTRUMENT)

    await desk.start()

    await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.orders[stored.client_ref].status == "cancelled"
    assert desk.broker.received(stored.client_ref) == 1


async def test_a_cancel_of_an_order_that_never_left_ends_it(desk: Desk) -> None:
    desk.broker.gate_before = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    await desk.until(order, OrderState.SUBMITTING)
    await desk.cancel(order)
    await desk.until(order, OrderState.CANCELLING)
    await desk.die()
    desk.broker.gate_before = None

    await desk.start()

    await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.requests == []


async def test_a_cancel_of_an_order_that_the_broker_had_refused_ends_it_as_refused(desk: Desk) -> None:
    """Killed before the no arrived, cancelled meanwhile: nothing is left that could be worked."""
    desk.broker.gate_after = asyncio.Event()
    desk.broker.refuse = Rejected("FUNDS", "not enough")
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    await wait_until(lambda: desk.broker.requests, "the order is in the broker's book")
    await desk.cancel(order)
    await desk.until(order, OrderState.CANCELLING)
    await desk.die()
    desk.broker.gate_after = desk.broker.refuse = None

    await desk.start()

    found = await desk.until(order, OrderState.REJECTED, OrderState.ACCEPTED, OrderState.CANCELLED)
    assert (found.state, found.code, found.detail) == (OrderState.REJECTED, "FUNDS", "not enough")


async def in_doubt(desk: Desk, **lost: bool) -> OrderId:
    """An order of which nobody knows whether the broker has it; a cancel was asked meanwhile."""
    for name in lost:
        setattr(desk.broker, name, True)
    desk.broker.deaf = True
    order = await desk.place()
    await desk.until(order, OrderState.UNKNOWN)
    await desk.cancel(order)

    async def kept() -> bool:
        found = await desk.order(order)
        return found is not None and "cancel is asked" in await desk.latest_detail(order)

    await wait_until(kept, "the wish is stored")
    return order


async def test_a_cancel_of_an_order_in_doubt_is_sent_once_the_broker_tells_of_it(desk: Desk) -> None:
    await desk.start()
    order = await in_doubt(desk, lose_answer=True)
    found = await desk.order(order)
    assert found is not None and found.state is OrderState.UNKNOWN and not desk.broker.cancels

    desk.broker.deaf = False

    await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.orders[found.client_ref].status == "cancelled"
    assert (desk.broker.cancels, desk.broker.received(found.client_ref)) == ([found.client_ref], 1)


async def test_a_cancel_of_an_order_in_doubt_survives_death(desk: Desk) -> None:
    """Killed after the wish was stored; the broker has the order and tells the next process."""
    await desk.start()
    order = await in_doubt(desk, lose_answer=True)
    await desk.die()
    desk.broker.deaf = False

    await desk.start()

    found = await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.cancels == [found.client_ref]
    assert desk.broker.orders[found.client_ref].status == "cancelled"


async def test_an_order_in_doubt_that_never_arrived_is_not_sent_after_its_cancel(desk: Desk) -> None:
    await desk.start()
    order = await in_doubt(desk, lose_request=True)

    desk.broker.deaf = False

    found = await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.requests == []
    assert desk.broker.lookups.count(found.client_ref) >= 2


async def test_a_fill_that_was_found_wins_over_a_cancel_in_doubt(desk: Desk) -> None:
    await desk.start(reconcile_every_s=3_600)
    order = await in_doubt(desk, lose_answer=True)
    desk.broker.fill(client_ref_of(order), Quantity(10), Price(101))

    desk.broker.deaf = False

    await desk.until(order, OrderState.FILLED)
    assert (await desk.agree()).positions == {"XNYS-ABC": Quantity(10)}


async def test_the_rest_of_a_partly_filled_order_in_doubt_is_cancelled(desk: Desk) -> None:
    await desk.start()
    order = await in_doubt(desk, lose_answer=True)
    desk.broker.fill(client_ref_of(order), Quantity(4), Price(100))

    desk.broker.deaf = False

    found = await desk.until(order, OrderState.CANCELLED)
    assert found.filled == Quantity(4)
    assert (await desk.agree()).positions == {"XNYS-ABC": Quantity(4)}


async def test_a_refused_cancel_ends_the_wish(desk: Desk) -> None:
    """Otherwise it would be sent for ever."""
    await desk.start()
    order = await in_doubt(desk, lose_answer=True)
    desk.broker.refuse_cancels = True
    desk.broker.deaf = False
    await desk.until(order, OrderState.ACCEPTED)
    asked = len(desk.broker.cancels)

    other = await desk.place(2)
    await desk.until(other, OrderState.ACCEPTED)

    assert len(desk.broker.cancels) == asked == 1
    found = await desk.order(order)
    assert found is not None and found.state is OrderState.ACCEPTED


async def test_a_split_while_an_order_is_in_doubt_is_in_what_is_sent_at_last(desk: Desk) -> None:
    """F51: never taken before the split, sent after it: twenty new shares and not ten."""
    await desk.start()
    desk.broker.lose_request = True
    desk.broker.deaf = True
    order = await desk.place()
    await desk.until(order, OrderState.UNKNOWN)
    await desk.say(like(CorporateActionAnnounced, instrument=INSTRUMENT, kind=ActionKind.SPLIT, numerator=2, denominator=1))

    async def adjusted() -> bool:
        found = await desk.order(order)
        return found is not None and found.quantity == Quantity(20)

    await wait_until(adjusted, "the order followed the split")

    desk.broker.deaf = False

    await desk.until(order, OrderState.ACCEPTED)
    assert [one.quantity for one in desk.broker.requests] == [Quantity(20)]
