"""Orders on their way: whatever dies or stays silent between us and the broker, no order is sent twice and no execution is lost."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quantmatrix.common.contracts.asking.execution import AccountBook, BooksAsked, OrdersAsked, OrderSummary
from quantmatrix.common.contracts.commands import CancelOrder, PlaceOrder, SetTradingState
from quantmatrix.common.contracts.prices import BarsClosed, InstrumentListed, PricesWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, order_of
from quantmatrix.common.names import AccountId, OrderId, OrderState, OrderType, Side, TimeInForce, TradingState
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.app import serve
from quantmatrix.execution.domain.orders import client_ref_of
from quantmatrix.execution.ports import Rejected
from quantmatrix.execution.reconcile import Brokers
from quantmatrix.execution.settings import ExecutionSettings
from quantmatrix.execution.testing import CLOSED_AT, FakeBroker, request

ACCOUNT = AccountId("DU0000001")


class Desk:
    """Execution with a fake broker: it may die and come back, the broker and the bus stay."""

    def __init__(self, start_here: Any, ask: Any, say: Saying, broker: FakeBroker) -> None:
        self._start_here, self._ask, self.say = start_here, ask, say
        self.broker = broker

    async def start(self, **settings: Any) -> None:
        async def with_fake(told: ExecutionSettings) -> None:
            await serve(told, Brokers({"paper": self.broker}))

        await self._start_here("execution", serve=with_fake, **{"answer_timeout_s": 0.3, "reconcile_every_s": 0.2, **settings})
        await self.say.heard_by("execution", self._ask)

    async def die(self) -> None:
        await self._start_here.stop("execution")

    async def prices(self, close: int = 100) -> None:
        """The instrument is listed and has a price, so that risk lets orders pass."""
        await self.say(like(InstrumentListed))
        bar = like(BarsClosed).bars[0]
        bars = (type(bar)(INSTRUMENT.instrument_id, "ABC", "USD", *(Price(close),) * 4, Quantity(1)),)
        await self.say(like(BarsClosed, bars=bars))
        await self.say(like(PricesWatermark, covers={}))

    async def place(self, number: int = 1, quantity: int = 10, side: Side = Side.BUY, **changes: Any) -> OrderId:
        command = like(
            PlaceOrder,
            **{
                "command_id": derived_id("command", number), "user_id": FIRST_ADMINISTRATOR, "account_id": ACCOUNT, "side": side,
                "quantity": Quantity(quantity), "order_type": OrderType.MARKET, "time_in_force": TimeInForce.DAY, "limit_price": None,
                "stop_price": None, **changes,
            },
        )  # fmt: skip
        await self.say(command)
        return order_of(command.command_id)

    async def cancel(self, order: OrderId) -> None:
        await self.say(
            like(CancelOrder, command_id=derived_id("cancel", order), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, order_id=order)
        )

    async def order(self, order: OrderId) -> OrderSummary | None:
        found = await self._ask("execution", OrdersAsked(user_id=FIRST_ADMINISTRATOR, order_id=order), deadline_s=5)
        return found.orders[0] if found.orders else None

    async def until(self, order: OrderId, *states: OrderState) -> OrderSummary:
        async def there() -> OrderSummary | None:
            found = await self.order(order)
            return found if found is not None and found.state in states else None

        found = await wait_until(there, f"order {order} is {' or '.join(states)}")
        assert found is not None
        return found

    async def book(self) -> AccountBook:
        (book,) = (await self._ask("execution", BooksAsked(), deadline_s=5)).accounts
        return book

    async def agree(self) -> AccountBook:
        """Both books say the same, and nothing is open between them."""

        async def same() -> AccountBook | None:
            book = await self.book()
            agree = (book.positions, book.cash) == (book.broker_positions, book.broker_cash)
            return book if agree and not (book.open_breaks or book.executions_not_booked or book.orders_without_intent) else None

        found = await wait_until(same, "the books agree")
        assert found is not None
        return found


@pytest.fixture
async def desk(start_here: Any, ask: Any, say: Saying) -> Desk:
    made = Desk(start_here, ask, say, FakeBroker())
    await made.prices()
    return made


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


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 1_000}, "ORDER_NOTIONAL"),
        ({"quantity": 0}, "ORDER_QUANTITY"),
        ({"side": Side.SELL}, "POSITION_SHORT"),
        ({"order_type": OrderType.LIMIT, "limit_price": Price(50)}, "PRICE_COLLAR"),
        ({"instrument": like(InstrumentListed).instrument.__class__("ZZZ", "ZZZ", INSTRUMENT.asset_class, "USD", Quantity(1))}, "INSTRUMENT_UNKNOWN"),
    ],
)  # fmt: skip
async def test_a_denial_is_stored_and_never_reaches_the_broker(desk: Desk, changes: dict[str, Any], code: str) -> None:
    await desk.start()

    found = await desk.until(await desk.place(**changes), OrderState.DENIED)

    assert found.code == code and found.detail
    await desk.until(await desk.place(2), OrderState.ACCEPTED)
    assert len(desk.broker.requests) == 1


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


async def test_two_orders_at_once_cannot_both_pass_a_limit(start_here: Any, ask: Any, say: Saying) -> None:
    """P5: cash for one of them; the check is part of the transaction that stores the order."""
    desk = Desk(start_here, ask, say, FakeBroker(cash=Money(5_000, "USD")))
    await desk.prices()
    await desk.start(paper_cash=5_000)

    orders = [await desk.place(number, quantity=40) for number in range(1, 9)]

    found = [await desk.until(order, OrderState.ACCEPTED, OrderState.DENIED) for order in orders]
    assert [one.state for one in found].count(OrderState.ACCEPTED) == 1
    assert {one.code for one in found if one.state is OrderState.DENIED} == {"BUYING_POWER"}
    assert len(desk.broker.requests) == 1


async def test_a_halted_account_sends_nothing_and_stays_halted_over_a_restart(desk: Desk, say: Saying) -> None:
    """P6: only a person's next word opens it again."""
    await desk.start()
    await desk.until(await desk.place(1), OrderState.ACCEPTED)
    command = {"user_id": FIRST_ADMINISTRATOR, "account_id": ACCOUNT, "reason": "enough for today"}
    await say(like(SetTradingState, command_id=derived_id("halt"), state=TradingState.HALTED, **command))
    denied = await desk.until(await desk.place(2), OrderState.DENIED)
    await desk.die()
    await desk.start()
    still = await desk.until(await desk.place(3), OrderState.DENIED)
    await say(like(SetTradingState, command_id=derived_id("open"), state=TradingState.ACTIVE, **command))

    await desk.until(await desk.place(4), OrderState.ACCEPTED)

    assert (denied.code, still.code) == ("TRADING_HALTED", "TRADING_HALTED")
    assert len(desk.broker.requests) == 2


async def test_a_difference_in_the_books_becomes_a_break_that_stops_new_risk_until_it_is_gone(desk: Desk) -> None:
    await desk.start()
    await desk.until(await desk.place(1), OrderState.ACCEPTED)
    desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(7)  # by hand, at the broker

    async def seen() -> tuple[str, ...]:
        return (await desk.book()).open_breaks

    assert await wait_until(seen, "the break is seen") == ("position XNYS-ABC: ours 0, the broker's 7",)
    denied = await desk.until(await desk.place(2), OrderState.DENIED)
    assert denied.code == "ACCOUNT_BREAK"

    desk.broker.holdings.clear()
    await desk.agree()
    await desk.until(await desk.place(3), OrderState.ACCEPTED)


async def test_somebody_elses_command_moves_nothing(desk: Desk) -> None:
    """P10: another user's order, cancel and halt."""
    stranger = derived_id("stranger")
    await desk.start()
    own = await desk.place(1)
    await desk.until(own, OrderState.ACCEPTED)
    await desk.place(2, user_id=stranger)
    await desk.say(like(CancelOrder, command_id=derived_id("x"), user_id=stranger, account_id=ACCOUNT, order_id=own))
    await desk.say(
        like(SetTradingState, command_id=derived_id("y"), user_id=stranger, account_id=ACCOUNT, state=TradingState.HALTED, reason="no")
    )

    await desk.until(await desk.place(3), OrderState.ACCEPTED)

    kept = await desk.order(own)
    assert kept is not None and kept.state is OrderState.ACCEPTED
    assert len(desk.broker.requests) == 2 and not desk.broker.cancels
