"""Cancels: they race with fills, silence and death, and leave nothing working at the broker."""

import asyncio

from services.execution.tests.desk import Desk

from quantmatrix.common.names import OrderState
from quantmatrix.common.testing.examples import INSTRUMENT
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.testing import request


async def test_a_cancel_is_confirmed_by_the_broker(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    await desk.until(order, OrderState.ACCEPTED)

    await desk.cancel(order)

    found = await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.cancels == [found.client_ref]


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
