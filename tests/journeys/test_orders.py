"""A person's orders, from the command to the lot and the message, with the market going on underneath."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.conftest import ACCOUNT, USER, Platform

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.execution import OrdersAsked, OrderSummary
from quantmatrix.common.contracts.asking.market import ReplayControlAsked
from quantmatrix.common.contracts.asking.messaging import ParkedAsked, ParkedDecisionAsked
from quantmatrix.common.contracts.asking.notify import InboxAsked
from quantmatrix.common.contracts.asking.portfolio import LotsAsked, PortfolioAsked
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.commands import PlaceOrder
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, OrderId, OrderState, OrderType, Side, TimeInForce
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.market.domain.listing import instrument_id

SESSIONS = [one.day for one in TradingCalendar().sessions(date(2024, 3, 1), date(2024, 3, 12))]


@pytest.fixture
async def platform(make_platform: Any, tmp_path: Path) -> Platform:
    """ABC rises a dollar a session from 100 and is split 2 for 1 on the fifth; the replay waits on the first session."""
    rows = ["symbol,date,open,high,low,close,volume"]
    for number, day in enumerate(SESSIONS):
        price = (100 + number) / (2 if number >= 4 else 1)
        rows.append(f"ABC,{day},{price:.2f},{price + 1:.2f},{price - 1:.2f},{price + 0.5:.2f},1000")
    (tmp_path / "bars.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "splits.csv").write_text(f"symbol,effective,numerator,denominator\nABC,{SESSIONS[4]},2,1\n", encoding="utf-8")
    made: Platform = make_platform(
        market={
            "feed": "csv", "csv_file": tmp_path / "bars.csv", "csv_splits_file": tmp_path / "splits.csv", "replay_pace_s": 3_600.0,
        },
        signals={"default_strategy": ""},
    )  # fmt: skip
    await made.start()
    await settled(made, 0)
    return made


async def settled(platform: Platform, number: int) -> None:
    await platform.until(lambda status: status.settled == SESSIONS[number], f"{SESSIONS[number]} is settled")


async def next_session(platform: Platform, number: int) -> None:
    """Let one more session out and wait until it is booked everywhere."""
    await platform.asked("market", ReplayControlAsked(pace_s=3_600.0))
    await settled(platform, number)


async def place(platform: Platform, number: int, side: Side, quantity: int, **changes: Any) -> OrderId:
    instrument = Instrument(instrument_id("XNYS", "ABC"), "ABC", AssetClass.STOCK, "USD", Quantity(1))
    command = like(
        PlaceOrder,
        **{
            "command_id": derived_id("journey", number), "user_id": USER, "account_id": AccountId(ACCOUNT), "instrument": instrument,
            "side": side, "quantity": Quantity(quantity), "order_type": OrderType.MARKET, "time_in_force": TimeInForce.DAY,
            "limit_price": None, "stop_price": None, "triggered_by": "manual", **changes,
        },
    )  # fmt: skip
    await platform.say(command)
    return order_of(command.command_id)


async def until(platform: Platform, order: OrderId, state: OrderState) -> OrderSummary:
    async def there() -> OrderSummary | None:
        found = (await platform.asked("execution", OrdersAsked(user_id=USER, order_id=order))).orders
        return found[0] if found and found[0].state is state else None

    found = await wait_until(there, f"the order is {state}")
    assert found is not None
    return found


async def titles(platform: Platform, topic: str = "") -> list[str]:
    """What the inbox says, which is told after a session is settled: no session waits for a message to a person."""
    told = (await platform.asked("notify", InboxAsked(user_id=USER))).notifications
    return [one.title for one in told if topic in ("", one.topic)]


async def test_buy_hold_through_a_split_and_sell(platform: Platform) -> None:
    """100 at 101, a split, 200 at 53: the lot keeps its cost, and the gain is the difference less both commissions."""
    bought = await place(platform, 1, Side.BUY, 100)
    await until(platform, bought, OrderState.ACCEPTED)
    await next_session(platform, 1)
    filled = await until(platform, bought, OrderState.FILLED)
    assert filled.average_price == Price(101)

    for number in range(2, 6):
        await next_session(platform, number)
    (lot,) = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots
    assert (lot.quantity, lot.opened_quantity, lot.basis, lot.opened_on) == (
        Quantity(200),
        Quantity(200),
        Money(10_101, "USD"),
        SESSIONS[1],
    )

    sold = await place(platform, 2, Side.SELL, 200)
    await until(platform, sold, OrderState.ACCEPTED)
    await next_session(platform, 6)
    await until(platform, sold, OrderState.FILLED)

    _, ledger = await platform.agree()
    assert ledger.realised_closings == Money(200 * 53 - 1 - 10_101, "USD")
    assert ledger.positions == {}

    async def told_both() -> bool:
        return sorted(await titles(platform, "fill")) == ["Bought 100 ABC at 101", "Sold 200 ABC at 53"]

    await wait_until(told_both, "both fills are told")


async def test_a_resting_stop_follows_the_split_and_still_protects(platform: Platform) -> None:
    """A stop of 100 under 100 shares becomes one of 50 under 200, at the venue as in our books."""
    bought = await place(platform, 1, Side.BUY, 100)
    await until(platform, bought, OrderState.ACCEPTED)
    await next_session(platform, 1)
    stop = await place(
        platform, 2, Side.SELL, 100, order_type=OrderType.STOP, stop_price=Price.parse("92.5"), time_in_force=TimeInForce.GTC
    )
    await until(platform, stop, OrderState.ACCEPTED)

    for number in range(2, 6):
        await next_session(platform, number)

    resting = await until(platform, stop, OrderState.ACCEPTED)
    assert (resting.quantity, resting.stop_price) == (Quantity(200), Price.parse("46.25"))
    book, _ = await platform.agree()
    assert book.orders == book.broker_orders == 2


async def test_what_the_account_cannot_pay_is_denied_and_told(platform: Platform) -> None:
    denied = await until(platform, await place(platform, 1, Side.BUY, 600), OrderState.DENIED)
    second = await until(platform, await place(platform, 2, Side.SELL, 1), OrderState.DENIED)

    assert (denied.code, second.code) == ("ORDER_NOTIONAL", "POSITION_SHORT")

    async def told_both() -> bool:
        return sum(one.startswith("Denied") for one in await titles(platform)) == 2

    await wait_until(told_both, "both denials are told")
    book, _ = await platform.agree()
    assert book.broker_orders == 0


async def test_equity_at_each_session_is_cash_and_the_raw_close(platform: Platform) -> None:
    order = await place(platform, 1, Side.BUY, 100)
    await until(platform, order, OrderState.ACCEPTED)
    for number in range(1, 6):
        await next_session(platform, number)
        portfolio = await platform.asked("portfolio", PortfolioAsked(user_id=USER))
        (account,) = portfolio.accounts
        units, close = (200, (100 + number) / 2 + 0.5) if number >= 4 else (100, 100 + number + 0.5)

        assert account.cash == Money(100_000 - 10_100 - 1, "USD")
        assert float(account.equity.amount) == pytest.approx(100_000 - 10_101 + units * close)


async def test_one_broken_message_stops_its_key_until_somebody_decides_and_nothing_else(platform: Platform) -> None:
    """F35: a command whose quantity is a JSON number is parked; another account's and the market's messages flow on."""
    gateway = await platform.connect("gateway")
    broken = encode(like(PlaceOrder, account_id=AccountId(ACCOUNT))).replace(b'"quantity":"2.5"', b'"quantity":2.5')
    headers = {"Qm-Key": f"gateway/commands.execution.{ACCOUNT}", "Qm-Seq": "1"}
    await gateway.jetstream().publish(f"commands.execution.place.{ACCOUNT}", broken, headers=headers, timeout=60)

    async def parked() -> Any:
        return (await platform.asked("execution", ParkedAsked())).messages

    (message,) = await wait_until(parked, "the message is parked")
    assert "expected a decimal as a string" in message.error
    await next_session(platform, 1)

    decided = await platform.asked("execution", ParkedDecisionAsked(parked_id=message.parked_id, decision="drop"))
    assert decided.state == "dropped"
    platform.say.skip(f"gateway/commands.execution.{ACCOUNT}", 1)
    order = await place(platform, 2, Side.BUY, 10)
    await until(platform, order, OrderState.ACCEPTED)
