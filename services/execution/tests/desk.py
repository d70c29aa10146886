"""Execution with a fake broker, and a person who places and cancels orders there."""

from typing import Any
from uuid import UUID

from quantmatrix.common.contracts.asking.execution import (
    AccountBook,
    AccountsAsked,
    BooksAsked,
    BreaksAsked,
    BreakSummary,
    OrdersAsked,
    OrderSummary,
)
from quantmatrix.common.contracts.asking.messaging import TraceAsked
from quantmatrix.common.contracts.codec import decode
from quantmatrix.common.contracts.commands import CancelOrder, PlaceOrder, ResolveBreak
from quantmatrix.common.contracts.prices import BarsClosed, InstrumentListed, PricesWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, order_of
from quantmatrix.common.names import AccountId, OrderId, OrderState, OrderType, Side, TimeInForce, TradingState, UserId
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.app import serve
from quantmatrix.execution.reconcile import Brokers
from quantmatrix.execution.settings import ExecutionSettings
from quantmatrix.execution.testing import FakeBroker

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

    async def order(self, order: OrderId, of: UserId = FIRST_ADMINISTRATOR) -> OrderSummary | None:
        found = await self._ask("execution", OrdersAsked(user_id=of, order_id=order))
        return found.orders[0] if found.orders else None

    async def latest_detail(self, order: OrderId) -> str:
        """What the latest event of an order says beside its state."""
        traced = await self._ask("execution", TraceAsked(about=str(order)))
        return str(getattr(decode(bytes(traced.messages[-1].body)), "detail", ""))

    async def until(self, order: OrderId, *states: OrderState, of: UserId = FIRST_ADMINISTRATOR) -> OrderSummary:
        async def there() -> OrderSummary | None:
            found = await self.order(order, of)
            return found if found is not None and found.state in states else None

        found = await wait_until(there, f"order {order} is {' or '.join(states)}")
        assert found is not None
        return found

    async def until_state(self, state: TradingState) -> None:
        async def there() -> bool:
            found = await self._ask("execution", AccountsAsked(user_id=FIRST_ADMINISTRATOR))
            return [one.trading_state for one in found.accounts] == [state]

        await wait_until(there, f"the account is {state}")

    async def resolve(self, break_id: UUID, reason: str, **changes: Any) -> None:
        told = {"user_id": FIRST_ADMINISTRATOR, "account_id": ACCOUNT, "break_id": break_id, "reason": reason, **changes}
        await self.say(like(ResolveBreak, command_id=derived_id("resolve", break_id, told["user_id"]), **told))

    async def until_break(self, *, resolved: bool) -> BreakSummary:
        """The one difference that stands first, once it is open, or over."""

        async def there() -> BreakSummary | None:
            found = (await self._ask("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks
            return found[0] if found and (found[0].resolved_at is not None) is resolved else None

        found = await wait_until(there, "a break is over" if resolved else "a break is open")
        assert found is not None
        return found

    async def until_open_breaks(self, *differences: str) -> None:
        async def there() -> bool:
            return (await self.book()).open_breaks == differences

        await wait_until(there, f"open are {differences}")

    async def book(self) -> AccountBook:
        (book,) = (await self._ask("execution", BooksAsked())).accounts
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
