"""What the gate holds back: limits, halts, breaks, and the commands of somebody else."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from services.execution.tests.desk import ACCOUNT, Desk

from quantmatrix.common.contracts.asking.execution import OrderPreviewAsked
from quantmatrix.common.contracts.commands import CancelOrder, SetTradingState
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.prices import InstrumentListed, PricesWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import LotId, OrderState, OrderType, Side, TradingState, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import client_ref_of
from quantmatrix.execution.testing import FakeBroker


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


async def test_of_two_open_orders_only_one_may_name_a_lot_until_it_is_over(desk: Desk, say: Saying) -> None:
    """Sent at once: orders are stored one after the other, so the other one sees what the first one names."""
    await desk.start()
    lot, other = LotId(derived_id("lot", 1)), LotId(derived_id("lot", 2))
    both = [await desk.place(number, lots=(NamedLotPart(lot, Quantity(4)),)) for number in (1, 2)]

    found = [await desk.until(order, OrderState.ACCEPTED, OrderState.DENIED) for order in both]
    elsewhere = await desk.until(await desk.place(3, lots=(NamedLotPart(other, Quantity(4)),)), OrderState.ACCEPTED, OrderState.DENIED)
    open_one = next(order for order, one in zip(both, found, strict=True) if one.state is OrderState.ACCEPTED)
    await say(like(CancelOrder, command_id=derived_id("cancel", "lot"), order_id=open_one, user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT))
    await desk.until(open_one, OrderState.CANCELLED)
    again = await desk.until(await desk.place(4, lots=(NamedLotPart(lot, Quantity(4)),)), OrderState.ACCEPTED, OrderState.DENIED)

    assert sorted(one.state for one in found) == [OrderState.ACCEPTED, OrderState.DENIED]
    assert {one.code for one in found if one.state is OrderState.DENIED} == {"LOT_NAMED"}
    assert elsewhere.state is again.state is OrderState.ACCEPTED


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


@pytest.mark.parametrize(("user", "account"), [(FIRST_ADMINISTRATOR, "DU0000009"), (derived_id("stranger"), ACCOUNT)])
async def test_an_order_on_an_account_that_is_not_yours_is_denied_to_whoever_asked(desk: Desk, user: UserId, account: str) -> None:
    """An account that is not there and somebody else's look the same, and neither stops the account's own orders."""
    await desk.start()
    order = await desk.place(1, user_id=user, account_id=account)
    await desk.place(1, user_id=user, account_id=account)

    denied = await desk.until(order, OrderState.DENIED, of=user)
    await desk.until(await desk.place(2), OrderState.ACCEPTED)

    assert (denied.code, denied.detail) == ("ACCOUNT_UNKNOWN", f"there is no account {account} of yours")
    assert len(desk.broker.requests) == 1
    if user != FIRST_ADMINISTRATOR:
        assert await desk.order(order) is None


async def halt(desk: Desk) -> None:
    await desk.say(
        like(
            SetTradingState, command_id=derived_id("halt"), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, state=TradingState.HALTED,
            reason="enough", cancel_open=True,
        )
    )  # fmt: skip


async def test_a_halt_can_cancel_whatever_is_open(desk: Desk) -> None:
    """F19: resting orders, one of them partly filled."""
    await desk.start()
    orders = [await desk.place(number) for number in (1, 2)]
    references = [(await desk.until(order, OrderState.ACCEPTED)).client_ref for order in orders]
    desk.broker.fill(references[0], Quantity(4), Price(100))
    await desk.until(orders[0], OrderState.PARTIALLY_FILLED)

    await halt(desk)

    part, whole = [await desk.until(order, OrderState.CANCELLED) for order in orders]
    assert (part.filled, whole.filled) == (Quantity(4), Quantity(0))
    assert {one.status for one in desk.broker.orders.values()} == {"cancelled"}
    assert (await desk.agree()).positions == {"XNYS-ABC": Quantity(4)}


async def test_a_halt_finds_an_order_in_flight_while_the_broker_is_slow(desk: Desk) -> None:
    """F19: one order is on the line, another waits behind it; the first is cancelled when it arrives, the second never leaves."""
    desk.broker.gate_before = asyncio.Event()
    await desk.start(answer_timeout_s=30)
    first, second = await desk.place(1), await desk.place(2)
    await desk.until(second, OrderState.SUBMITTING)
    await halt(desk)
    await desk.until(second, OrderState.CANCELLING)

    desk.broker.gate_before.set()

    one, other = await desk.until(first, OrderState.CANCELLED), await desk.until(second, OrderState.CANCELLED)
    assert (desk.broker.received(one.client_ref), desk.broker.received(other.client_ref)) == (1, 0)
    assert desk.broker.orders[one.client_ref].status == "cancelled"


async def test_an_order_in_doubt_is_not_sent_again_from_an_account_that_was_halted_meanwhile(desk: Desk) -> None:
    """P6: nothing but cancels leaves a halted account, also after a restart."""
    await desk.start()
    desk.broker.lose_request = True
    desk.broker.deaf = True
    order = await desk.place()
    await desk.until(order, OrderState.UNKNOWN)
    await desk.say(
        like(
            SetTradingState, command_id=derived_id("halt"), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, state=TradingState.HALTED,
            reason="enough",
        )
    )  # fmt: skip
    await desk.until_state(TradingState.HALTED)
    await desk.die()
    desk.broker.deaf = False

    await desk.start()

    await desk.until(order, OrderState.CANCELLED)
    assert desk.broker.requests == []


async def test_an_instrument_whose_prices_stay_away_is_sold_and_not_bought(desk: Desk, say: Saying, ask: Any) -> None:
    """Its exchange has later prices, those of others; the gate and its preview say the same, and the broker hears of the sale alone."""
    await desk.start()
    bought = await desk.place(1, 10)
    await desk.until(bought, OrderState.ACCEPTED)
    desk.broker.fill(client_ref_of(bought), Quantity(10), Price(100))
    await desk.until(bought, OrderState.FILLED)
    await say(like(PricesWatermark, session=SESSION + timedelta(days=8), moment=CLOSED_AT + timedelta(days=8), covers={}))
    await say.heard_by("execution", ask)
    asked = OrderPreviewAsked(user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, instrument=INSTRUMENT, side=Side.BUY, quantity=Quantity(1))

    seen = await ask("execution", asked)
    more = await desk.until(await desk.place(2, 1), OrderState.DENIED, OrderState.ACCEPTED)
    out = await desk.until(await desk.place(3, 10, Side.SELL), OrderState.DENIED, OrderState.ACCEPTED)

    assert (seen.code, seen.detail) == (more.code, more.detail) and more.code == "PRICE_STALE"
    assert "2024-03-05 21:00Z, it is 2024-03-13 21:00Z" in str(more.detail)
    assert out.state is OrderState.ACCEPTED and len(desk.broker.requests) == 2


@pytest.mark.parametrize(
    ("quantity", "limit", "code"), [(10, None, None), (40, Price(101), None), (1_000, None, "ORDER_NOTIONAL"), (10, Price(50), "PRICE_COLLAR")]
)  # fmt: skip
async def test_a_preview_says_what_the_gate_will_say_and_stores_nothing(
    desk: Desk, ask: Any, quantity: int, limit: Price | None, code: str | None
) -> None:
    await desk.start()
    kind = OrderType.LIMIT if limit else OrderType.MARKET
    asked = OrderPreviewAsked(
        user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, instrument=INSTRUMENT, side=Side.BUY, quantity=Quantity(quantity), order_type=kind,
        limit_price=limit,
    )  # fmt: skip

    seen = await ask("execution", asked)
    placed = await desk.until(await desk.place(1, quantity, order_type=kind, limit_price=limit), OrderState.ACCEPTED, OrderState.DENIED)

    assert (seen.code, seen.detail) == (placed.code, placed.detail) and seen.code == code
    assert (seen.price, seen.value) == (Price(100), Money(quantity * (limit or Price(100)).value, "USD"))
    assert (seen.free, seen.limits.order_notional_max) == (Money(100_000, "USD"), Money(50_000, "USD"))
    assert (await desk.book()).orders == (0 if code else 1)


async def test_a_preview_on_somebody_elses_account_is_refused(desk: Desk, ask: Any) -> None:
    await desk.start()
    asked = OrderPreviewAsked(
        user_id=UserId(derived_id("stranger")), account_id=ACCOUNT, instrument=INSTRUMENT, side=Side.BUY, quantity=Quantity(1)
    )

    with pytest.raises(Refused, match="ACCOUNT_UNKNOWN"):
        await ask("execution", asked)
