"""Execution dies between any two steps of its event loop while an order is on its way: nothing is doubled, nothing is lost."""

import os
import random
import signal
from collections import Counter
from functools import partial
from typing import Any

import pytest
from services.execution.tests.test_processes import order, prices, until

from quantmatrix.common.contracts.asking.execution import BooksAsked
from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked
from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.process import is_alive
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money

DEATHS = 24
STEPS_MAX = 160
"""What an order takes from the bus to its booked fill, and some more: then another order comes."""


@pytest.mark.long(70)
@pytest.mark.parametrize("seed", [1, 2])
async def test_death_between_any_two_steps_of_an_order_doubles_nothing_and_loses_nothing(
    start_process: Any, ask: Any, say: Saying, database: Any, seed: int
) -> None:
    drawn = random.Random(seed)
    steps = " ".join(str(drawn.randint(1, STEPS_MAX)) for _ in range(DEATHS))
    process = await start_process("execution", module=f"services.execution.tests.mortal {steps}", QM_EXECUTION_PAPER_FILLS="at_once")
    await say(like(InstrumentListed))
    for message in prices(0, 100):
        await say(message)
    await say.heard_by("execution", ask)

    orders, told = 0, None
    for number in range(1, DEATHS + 1):
        life = await _life(process, number, ask)
        if told is not None:
            await say.again(told)  # as the bus does after its time, which is longer than a test need wait
        os.kill(life, signal.SIGUSR1)
        while is_alive(life):
            orders += 1
            told = await say(order(orders))
            await wait_until(partial(_over, life, ask, orders), f"life {number} is over, or order {orders} filled")
    await _life(process, DEATHS + 1, ask)
    assert told is not None
    await say.again(told)
    book = await until(ask, "every order is filled and booked", executions=orders, broker_executions=orders, executions_not_booked=())

    assert (book.duplicate_orders, book.orders_without_intent, book.broker_orders, book.open_breaks) == (0, (), orders, ())
    assert book.cash == book.broker_cash == Money(100_000 - orders * (10 * 100 + 1), "USD")
    said = Counter(row["type"] for row in await database.fetch("execution", "select type from outbox"))
    assert (said["OrderSubmitted"], said["OrderFilled"], said["OrderDenied"]) == (orders, orders, 0)
    assert said["OrderAccepted"] <= orders, "what was filled when execution came back is told as filled alone"
    assert orders >= DEATHS / 2


async def _life(process: Any, number: int, ask: Any) -> int:
    """The process of this life, once it works."""

    async def works() -> int:
        lives = [line.split() for line in process.written().splitlines() if line.startswith("life ")]
        if len(lives) < number:
            return 0
        try:
            await ask("execution", InboxHeadsAsked(), deadline_s=1)
        except ServiceSilent:
            return 0
        return int(lives[number - 1][1])

    return await wait_until(works, f"life {number} works")


async def _over(life: int, ask: Any, orders: int) -> bool:
    """Whether this life has ended, or every order so far is filled."""
    if not is_alive(life):
        return True
    try:
        (book,) = (await ask("execution", BooksAsked(), deadline_s=1)).accounts
    except ServiceSilent:
        return False

    return bool(book.executions == orders)
