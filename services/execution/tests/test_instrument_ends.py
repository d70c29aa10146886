"""A symbol change, a delisting and a merger while orders rest at the venue: what becomes of the order, theirs and ours, and of what is held."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from services.execution.tests.desk import Desk
from services.execution.tests.test_processes import ACCOUNT, order, prices
from services.execution.tests.test_splits import at_the_venue, book_of, orders_of

from quantmatrix.common.contracts.asking.execution import BreaksAsked
from quantmatrix.common.contracts.commands import CancelOrder
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionKind, InstrumentId, OrderState, OrderType, Side, TimeInForce
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker

OTHER = Instrument(InstrumentId("XNYS-OTHER"), "OTHER", INSTRUMENT.asset_class, "USD", Quantity(1))


def resting(number: int, **changes: Any) -> Message:
    """A purchase at 95, while the price is 100."""
    return msgspec.structs.replace(order(number), **{"order_type": OrderType.LIMIT, "limit_price": Price(95), **changes})


def under(symbol: str, messages: list[Message]) -> list[Message]:
    """The same prices under another symbol."""
    closed, *rest = messages
    assert isinstance(closed, BarsClosed)
    return [msgspec.structs.replace(closed, bars=tuple(msgspec.structs.replace(bar, symbol=symbol) for bar in closed.bars)), *rest]


async def heard(say: Saying, ask: Any, *messages: Message) -> None:
    for message in messages:
        await say(message)
    await say.heard_by("execution", ask)


async def bought(say: Saying, ask: Any, *listed: Message) -> None:
    """Ten are held since the second day."""
    await heard(say, ask, *listed, *prices(0, 100))
    await heard(say, ask, order(1))
    await at_the_venue(ask, 1)
    await heard(say, ask, *prices(1, 100))


async def test_a_resting_order_goes_on_under_the_new_symbol_and_is_filled_once(
    start_here: Any, ask: Any, say: Saying, paper: PaperBroker
) -> None:
    """The instrument is the same under any symbol: the order, the position and the mark stay, at the venue and here."""
    await start_here("execution")
    await bought(say, ask, like(InstrumentListed))
    await heard(say, ask, resting(2))
    await at_the_venue(ask, 2)
    renamed = like(
        CorporateActionAnnounced, action_id=derived_id("rename"), instrument=INSTRUMENT, kind=ActionKind.SPLIT,
        effective=SESSION + timedelta(days=2), numerator=1, denominator=1, amount=None, becomes="XYZ",
    )  # fmt: skip

    await heard(say, ask, renamed, *under("XYZ", prices(2, 100)))
    between = await orders_of(ask)
    await heard(say, ask, *under("XYZ", prices(3, 94)))

    book = await book_of(ask)
    assert [(one.instrument.symbol, one.state, one.quantity, one.limit_price) for one in between] == [
        ("ABC", OrderState.FILLED, Quantity(10), None),
        ("XYZ", OrderState.ACCEPTED, Quantity(10), Price(95)),
    ]
    assert [one.state for one in await orders_of(ask)] == [OrderState.FILLED] * 2
    assert book.positions == book.broker_positions == {INSTRUMENT.instrument_id: Quantity(20)}
    assert (book.cash, book.executions) == (book.broker_cash, 2)
    assert (await ask("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks == ()


async def test_orders_for_what_has_no_prices_any_more_fill_at_none_expire_with_their_day_and_can_be_cancelled(
    start_here: Any, ask: Any, say: Saying, paper: PaperBroker
) -> None:
    """Nobody tells this venue of a delisting: the bars of others come, and none for it. What is held stays, with its last mark."""
    await start_here("execution")
    await bought(say, ask, like(InstrumentListed), like(InstrumentListed, instrument=OTHER))
    stop = {"side": Side.SELL, "order_type": OrderType.STOP, "limit_price": None, "stop_price": Price(95)}
    await heard(say, ask, resting(2, **stop), resting(3), resting(4, time_in_force=TimeInForce.DAY))
    await at_the_venue(ask, 4)
    closed, watermark = prices(2, 50)
    assert isinstance(closed, BarsClosed)
    of_others = tuple(msgspec.structs.replace(bar, instrument_id=OTHER.instrument_id, symbol=OTHER.symbol) for bar in closed.bars)

    await heard(say, ask, msgspec.structs.replace(closed, bars=of_others), watermark)
    before = {(one.side, one.time_in_force, one.order_type): one for one in await orders_of(ask)}
    stopped = before[Side.SELL, TimeInForce.GTC, OrderType.STOP]
    cancel = like(CancelOrder, command_id=derived_id("cancel"), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, order_id=stopped.order_id)
    await heard(say, ask, cancel)

    book = await book_of(ask)
    assert {key: one.state for key, one in before.items()} == {
        (Side.BUY, TimeInForce.GTC, OrderType.MARKET): OrderState.FILLED,
        (Side.SELL, TimeInForce.GTC, OrderType.STOP): OrderState.ACCEPTED,
        (Side.BUY, TimeInForce.GTC, OrderType.LIMIT): OrderState.ACCEPTED,
        (Side.BUY, TimeInForce.DAY, OrderType.LIMIT): OrderState.EXPIRED,
    }
    assert book.positions == book.broker_positions == {INSTRUMENT.instrument_id: Quantity(10)}
    assert (book.executions, book.open_breaks) == (1, ())

    async def cancelled() -> bool:
        return getattr(await paper.find(ACCOUNT, stopped.client_ref), "status", "") == "cancelled"

    await wait_until(cancelled, "the cancel has reached the venue")


async def test_a_merger_at_the_broker_ends_its_orders_here_and_is_a_break_until_somebody_accepts_what_was_made_of_the_shares(
    desk: Desk, ask: Any
) -> None:
    """Overnight: ten ABC are five OTHER and 150 dollars, and the order that rested on ABC is gone. Nothing is opened on a guess."""
    await desk.say(like(InstrumentListed, instrument=OTHER))
    await desk.start(reconcile_every_s=0.1)
    bought = await desk.until(await desk.place(1), OrderState.ACCEPTED)
    desk.broker.fill(bought.client_ref, Quantity(10), Price(100))
    await desk.until(bought.order_id, OrderState.FILLED)
    rests = await desk.until(
        await desk.place(2, time_in_force=TimeInForce.GTC, order_type=OrderType.LIMIT, limit_price=Price(90)), OrderState.ACCEPTED
    )

    over = replace(desk.broker.orders[rests.client_ref], status="cancelled", reason="merger", changed_at=CLOSED_AT + timedelta(days=1))
    desk.broker.orders[rests.client_ref] = over
    desk.broker.holdings = {OTHER.instrument_id: Quantity(5)}
    desk.broker._cash += Money(150, "USD")

    await desk.until(rests.order_id, OrderState.CANCELLED)
    assert await desk.latest_detail(rests.order_id) == "merger"
    assert set((await desk.book()).open_breaks) == {
        "position XNYS-ABC: ours 10, the broker's 0", "position XNYS-OTHER: ours 0, the broker's 5", "cash: ours 98999 USD, the broker's 99149 USD",
    }  # fmt: skip
    assert (await desk.until(await desk.place(3), OrderState.DENIED)).code == "ACCOUNT_BREAK"

    for one in (await ask("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks:
        await desk.resolve(one.break_id, "merged on Monday")
    await desk.say.heard_by("execution", ask)

    assert (await desk.book()).open_breaks == ()
    closed, _ = prices(0, 40)
    assert isinstance(closed, BarsClosed)
    of_other = tuple(msgspec.structs.replace(bar, instrument_id=OTHER.instrument_id, symbol=OTHER.symbol) for bar in closed.bars)
    await desk.say(msgspec.structs.replace(closed, bars=of_other))
    await desk.say.heard_by("execution", ask)
    sales = [await desk.place(4, 10, Side.SELL), await desk.place(5, 5, Side.SELL, instrument=OTHER)]
    found = [await desk.until(one, OrderState.DENIED, OrderState.ACCEPTED) for one in sales]
    assert [(one.code, one.detail) for one in found] == [
        ("POSITION_SHORT", f"held=0 selling={sold}, short positions are not allowed") for sold in (10, 5)
    ]
    assert len(desk.broker.requests) == 2
