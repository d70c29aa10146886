"""Orders on their way: whatever dies or stays silent between us and the broker, no order is sent twice and no execution is lost."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from services.execution.tests.desk import Desk

from quantmatrix.common.names import OrderState
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.domain.orders import client_ref_of
from quantmatrix.execution.ports import Rejected
from quantmatrix.execution.testing import CLOSED_AT


async def test_an_order_is_accepted_filled_and_booked(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    accepted = await desk.until(order, OrderState.ACCEPTED)

    desk.broker.fill(accepted.client_ref, Quantity(10), Price(101))

    filled = await desk.until(order, OrderState.FILLED)
    assert (filled.filled, filled.average_price) == (Quantity(10), Price(101))
    assert (await desk.agree()).positions == {"XNYS-ABC": Quantity(10)}


async def test_partial_fills_add_up(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref

    desk.broker.fill(reference, Quantity(4), Price(100))
    part = await desk.until(order, OrderState.PARTIALLY_FILLED)
    desk.broker.fill(reference, Quantity(6), Price(110))
    whole = await desk.until(order, OrderState.FILLED)

    assert (part.filled, whole.filled, whole.average_price) == (Quantity(4), Quantity(10), Price(106))
    assert (await desk.agree()).executions == 2


async def test_the_same_wish_heard_twice_is_one_order(desk: Desk, say: Saying) -> None:
    """Under a new number too: the inbox does not recognise it, the intent does."""
    await desk.start()
    order = await desk.place()
    await desk.until(order, OrderState.ACCEPTED)

    await desk.place()
    last = await desk.place(2)
    await desk.until(last, OrderState.ACCEPTED)

    assert desk.broker.received(client_ref_of(order)) == 1
    assert (await desk.book()).orders == 2


async def test_a_rejection_carries_the_brokers_words(desk: Desk) -> None:
    await desk.start()
    desk.broker.refuse = Rejected("HALTED", "trading in ABC is halted")

    found = await desk.until(await desk.place(), OrderState.REJECTED)

    assert (found.code, found.detail) == ("HALTED", "trading in ABC is halted")


async def test_an_answer_that_was_lost_is_looked_for_and_nothing_is_sent_again(desk: Desk) -> None:
    """F1: the order was taken and filled, the answer never came."""
    await desk.start()
    desk.broker.lose_answer = True
    desk.broker.fill_at_once = Price(101)

    order = await desk.place()

    found = await desk.until(order, OrderState.FILLED)
    assert desk.broker.received(found.client_ref) == 1
    assert desk.broker.lookups
    assert (await desk.agree()).executions == 1


async def test_a_request_that_never_arrived_is_sent_once_after_two_readings(desk: Desk) -> None:
    """F2: absent twice, then sent under the same reference."""
    await desk.start()
    desk.broker.lose_request = True

    order = await desk.place()

    found = await desk.until(order, OrderState.ACCEPTED)
    assert desk.broker.received(found.client_ref) == 1
    assert desk.broker.lookups.count(found.client_ref) >= 2


async def test_silence_makes_an_order_unknown_and_only_the_broker_ends_that(desk: Desk) -> None:
    await desk.start()
    desk.broker.lose_answer = True
    desk.broker.deaf = True
    order = await desk.place()
    await desk.until(order, OrderState.UNKNOWN)
    asked = len(desk.broker.lookups)
    await wait_until(lambda: len(desk.broker.lookups) > asked + 3, "the broker is asked again and again")
    found = await desk.order(order)
    assert found is not None and found.state is OrderState.UNKNOWN

    desk.broker.deaf = False

    answered = await desk.until(order, OrderState.ACCEPTED)
    assert desk.broker.received(answered.client_ref) == 1


async def test_death_before_the_order_was_sent(desk: Desk) -> None:
    """F3: the intent is stored, the request has not left. The next process finds it absent and sends it once."""
    desk.broker.gate_before = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    stored = await desk.until(order, OrderState.SUBMITTING)
    await desk.die()
    assert desk.broker.received(stored.client_ref) == 0

    desk.broker.gate_before = None
    await desk.start()

    await desk.until(order, OrderState.ACCEPTED)
    assert desk.broker.received(stored.client_ref) == 1


async def test_death_after_the_broker_took_the_order_and_before_its_answer(desk: Desk) -> None:
    desk.broker.gate_after = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    order = await desk.place()
    await wait_until(lambda: desk.broker.received(client_ref_of(order)), "the broker has the order")
    await desk.die()

    desk.broker.gate_after = None
    await desk.start()

    await desk.until(order, OrderState.ACCEPTED)
    assert desk.broker.received(client_ref_of(order)) == 1


async def test_a_fill_while_execution_was_dead_is_booked_at_its_return(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    await desk.die()
    desk.broker.fill(reference, Quantity(10), Price(101))

    await desk.start(reconcile_every_s=3_600)

    await desk.until(order, OrderState.FILLED)
    assert (await desk.agree()).executions == 1


async def test_an_order_that_expired_while_execution_was_dead_is_over_at_its_return(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    await desk.die()
    desk.broker.orders[reference] = replace(desk.broker.orders[reference], status="expired", changed_at=CLOSED_AT + timedelta(days=1))

    await desk.start()

    await desk.until(order, OrderState.EXPIRED)


async def test_a_correction_of_an_execution_moves_position_and_cash(desk: Desk) -> None:
    """F14: 10 at 101 become 8 at 101."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    first = desk.broker.fill(reference, Quantity(10), Price(101))
    await desk.until(order, OrderState.FILLED)

    desk.broker.fill(reference, Quantity(8), Price(101), corrects=first.execution_id)

    async def booked() -> bool:
        return (await desk.book()).positions == {"XNYS-ABC": Quantity(8)}

    await wait_until(booked, "the correction is booked")
    assert (await desk.agree()).executions == 2
