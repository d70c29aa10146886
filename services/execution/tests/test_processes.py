"""Real processes of execution before the real paper venue: killed, and two at a time."""

from datetime import timedelta
from typing import Any

from quantmatrix.common.contracts.asking.execution import AccountBook, BooksAsked
from quantmatrix.common.contracts.commands import PlaceOrder
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.prices import BarsClosed, InstrumentListed, PricesWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, OrderType, Side, TimeInForce
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, OPENED_AT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity

ACCOUNT = AccountId("DU0000001")


def prices(day: int, price: int) -> list[Message]:
    later = timedelta(days=day)
    bar = type(like(BarsClosed).bars[0])(INSTRUMENT.instrument_id, "ABC", "USD", *(Price(price),) * 4, Quantity(1))
    return [
        like(BarsClosed, session=SESSION + later, opened_at=OPENED_AT + later, closed_at=CLOSED_AT + later, bars=(bar,)),
        like(PricesWatermark, session=SESSION + later, moment=CLOSED_AT + later, covers={}),
    ]


def order(number: int) -> Message:
    return like(
        PlaceOrder, command_id=derived_id("command", number), user_id=FIRST_ADMINISTRATOR, account_id=ACCOUNT, side=Side.BUY,
        quantity=Quantity(10), order_type=OrderType.MARKET, time_in_force=TimeInForce.GTC, limit_price=None, stop_price=None,
    )  # fmt: skip


async def until(ask: Any, what: str, **wanted: Any) -> AccountBook:
    """Wait until the account's book has these figures."""

    async def there() -> AccountBook | None:
        try:
            accounts = (await ask("execution", BooksAsked())).accounts
        except ServiceSilent:
            return None
        if not accounts or any(getattr(accounts[0], name) != value for name, value in wanted.items()):
            return None
        found: AccountBook = accounts[0]
        return found

    found = await wait_until(there, what)
    assert found is not None
    return found


async def test_a_killed_execution_finds_the_fills_of_the_venue_when_it_is_back(start_process: Any, ask: Any, say: Saying) -> None:
    process = await start_process("execution")
    await say(like(InstrumentListed))
    for message in prices(0, 100):
        await say(message)
    await say.heard_by("execution", ask)
    for number in range(1, 6):
        await say(order(number))
    await until(ask, "five orders at the venue", broker_orders=5)

    await process.kill()
    for message in prices(1, 101):
        await say(message)
    await process.start()

    book = await until(ask, "five executions booked", executions=5, broker_executions=5)
    assert (book.duplicate_orders, book.orders_without_intent, book.executions_not_booked) == (0, (), ())
    assert book.cash == book.broker_cash == Money(100_000 - 5 * (10 * 101 + 1), "USD")


async def test_of_two_executions_one_works_and_the_other_takes_over_when_it_dies(start_process: Any, ask: Any, say: Saying) -> None:
    first = await start_process("execution")
    await say(like(InstrumentListed))
    for message in prices(0, 100):
        await say(message)
    await say.heard_by("execution", ask)
    await say(order(1))
    await until(ask, "one order at the venue", broker_orders=1)
    second = await start_process("execution")
    await wait_until(lambda: "lease.waiting" in _log(second), "the second stands by")
    await say(order(2))
    await until(ask, "two orders at the venue", broker_orders=2)
    assert "lease.held" not in _log(second)

    await first.kill()
    await say(order(3))

    book = await until(ask, "three orders at the venue", broker_orders=3, orders=3)
    assert "lease.held" in _log(second)
    assert book.duplicate_orders == 0


def _log(process: Any) -> str:
    path = process.output.with_suffix(".log")
    return path.read_text(encoding="utf-8") if path.exists() else ""
