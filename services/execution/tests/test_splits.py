"""The paper venue's book and ours through a session: died between the two at a split, an order on its way, bars in parts."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from services.execution.tests.test_processes import ACCOUNT, order, prices

from quantmatrix.common.contracts.asking.execution import AccountBook, BooksAsked, BreaksAsked, OrdersAsked, OrderSummary
from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked
from quantmatrix.common.contracts.commands import CancelOrder
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, order_of
from quantmatrix.common.names import ActionKind, InstrumentId, OrderState, TimeInForce
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, OPENED_AT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Quantity
from quantmatrix.execution.app import serve
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.ports import Moment, OrderRequest, SubmitOutcome
from quantmatrix.execution.reconcile import Brokers
from quantmatrix.execution.settings import ExecutionSettings


def split(day: int) -> CorporateActionAnnounced:
    return like(
        CorporateActionAnnounced, action_id=derived_id("split", day), instrument=INSTRUMENT, kind=ActionKind.SPLIT,
        effective=SESSION + timedelta(days=day), numerator=2, denominator=1, amount=None,
    )  # fmt: skip


async def book_of(ask: Any) -> AccountBook:
    (found,) = (await ask("execution", BooksAsked())).accounts
    assert isinstance(found, AccountBook)
    return found


async def orders_of(ask: Any) -> list[OrderSummary]:
    """Oldest first."""
    found = (await ask("execution", OrdersAsked(user_id=FIRST_ADMINISTRATOR))).orders
    return sorted(found, key=lambda one: one.created_at)


async def at_the_venue(ask: Any, orders: int) -> None:
    async def there() -> bool:
        return (await book_of(ask)).broker_orders == orders and all(one.state is not OrderState.SUBMITTING for one in await orders_of(ask))

    await wait_until(there, f"{orders} orders at the venue")


async def test_a_death_between_the_venues_split_and_ours_books_nothing_twice(
    start_here: Any, ask: Any, say: Saying, paper: PaperBroker
) -> None:
    """The venue has split ten shares and filled an order for ten more, twenty by now, and nobody of us knows of either."""
    await start_here("execution")
    messages: list[Message] = [like(InstrumentListed), *prices(0, 100)]
    for message in messages:
        await say(message)
    await say.heard_by("execution", ask)
    await say(order(1))
    await at_the_venue(ask, 1)
    for message in prices(1, 100):
        await say(message)
    await say.heard_by("execution", ask)
    await say(order(2))
    await at_the_venue(ask, 2)
    await start_here.stop("execution")
    later, (closed, _) = timedelta(days=2), prices(2, 50)
    assert isinstance(closed, BarsClosed)
    await paper.action_effective(split(2))
    await paper.bars_closed(Moment(SESSION + later, OPENED_AT + later, CLOSED_AT + later), closed.bars)

    await start_here("execution", reconcile_every_s=0.1)
    await say.heard_by("execution", ask)
    before = await book_of(ask)
    for message in [split(2), *prices(2, 50)]:
        await say(message)
    await say.heard_by("execution", ask)

    after = await book_of(ask)
    assert (before.executions, before.broker_executions) == (1, 2)
    assert after.positions == after.broker_positions == {INSTRUMENT.instrument_id: Quantity(40)}
    assert after.cash == after.broker_cash
    assert [(one.quantity, one.filled, one.state) for one in await orders_of(ask)] == [
        (Quantity(10), Quantity(10), OrderState.FILLED),
        (Quantity(20), Quantity(20), OrderState.FILLED),
    ]
    assert (await ask("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks == ()


class _Slow:
    """The paper broker, whose line holds every order back until the gate is open."""

    def __init__(self, paper: PaperBroker) -> None:
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self._paper = paper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._paper, name)

    async def submit(self, request: OrderRequest) -> SubmitOutcome:
        self.waiting.set()
        await self.gate.wait()
        return await self._paper.submit(request)


async def test_a_split_waits_for_an_order_that_is_on_its_way(start_here: Any, ask: Any, say: Saying, paper: PaperBroker) -> None:
    """Ten shares that reach the venue after its split would be ten new ones, and twenty in our books."""
    slow = _Slow(paper)

    async def with_slow(told: ExecutionSettings) -> None:
        await serve(told, Brokers({"paper": slow}))  # type: ignore[dict-item]  # the paper broker but for one method

    await start_here("execution", serve=with_slow, reconcile_every_s=3_600, answer_timeout_s=60)
    messages: list[Message] = [like(InstrumentListed), *prices(0, 100)]
    for message in messages:
        await say(message)
    await say.heard_by("execution", ask)
    await say(order(1))
    await slow.waiting.wait()
    await say(split(1))
    nobodys = like(
        CancelOrder, command_id=derived_id("cancel"), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, order_id=order_of(derived_id("none"))
    )
    await say(nobodys)

    async def looked_at() -> bool:
        return (await ask("execution", InboxHeadsAsked())).heads.get(nobodys.key(), 0) >= 2

    await wait_until(looked_at, "what was said after the split has been heard")
    slow.gate.set()
    await say.heard_by("execution", ask)

    (ours,) = await orders_of(ask)
    theirs = await paper.find(ACCOUNT, ours.client_ref)
    assert ours.quantity == getattr(theirs, "quantity", None) == Quantity(20)


async def test_an_order_for_the_session_waits_for_the_part_that_brings_its_bar(start_here: Any, ask: Any, say: Saying) -> None:
    """Of more than five hundred instruments the bars of a session come in parts; the first one brings none for this order."""
    await start_here("execution")
    for message in [like(InstrumentListed), *prices(0, 100)]:
        await say(message)
    await say.heard_by("execution", ask)
    day_order = order(1)
    await say(msgspec.structs.replace(day_order, time_in_force=TimeInForce.DAY))
    await at_the_venue(ask, 1)
    closed, watermark = prices(1, 101)
    assert isinstance(closed, BarsClosed)
    other = msgspec.structs.replace(closed.bars[0], instrument_id=InstrumentId("XNYS-AAA"), symbol="AAA")

    for message in [
        msgspec.structs.replace(closed, part=1, parts=2, bars=(other,)),
        msgspec.structs.replace(closed, part=2, parts=2),
        watermark,
    ]:
        await say(message)
    await say.heard_by("execution", ask)

    assert [(one.state, one.filled) for one in await orders_of(ask)] == [(OrderState.FILLED, Quantity(10))]
    assert (await book_of(ask)).positions == {INSTRUMENT.instrument_id: Quantity(10)}
