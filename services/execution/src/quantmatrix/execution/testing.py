"""A double of execution's port, and the tests that every broker adapter passes; also for adapters outside this tree."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from quantmatrix.common.ids import short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.domain.orders import Execution
from quantmatrix.execution.ports import (
    Absent,
    Accepted,
    Broker,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    Rejected,
    SubmitOutcome,
    Unknown,
)

CLOSED_AT = datetime(2024, 3, 5, 21, tzinfo=UTC)
STOCK = Instrument(InstrumentId("XNYS-ABC"), "ABC", AssetClass.STOCK, "USD", Quantity(1))


class FakeBroker:
    """A broker in memory that does what a test tells it to, and remembers everything it was asked.

    It outlives the service that uses it, as a broker does. Faults for the next submit: `lose_answer` takes the order
    and says nothing, `lose_request` never gets it, `refuse` rejects it. `deaf` answers no question and no cancel. `gate_before` and `gate_after` hold a submit
    until they are set: before the order is in the book, and after it is there but before the answer leaves. `arrives_late`
    comes into the book just after the next look at it.
    """

    def __init__(self, name: str = "paper", cash: Money | None = None, account: str = "DU0000001") -> None:
        self._name = name
        self._account = AccountId(account)
        self._cash = cash or Money(100_000, "USD")
        self.orders: dict[str, BrokerOrder] = {}
        self.requests: list[OrderRequest] = []
        self.executions: list[Execution] = []
        self.holdings: dict[InstrumentId, Quantity] = {}
        self.cancels: list[str] = []
        self.lookups: list[str] = []
        self.lose_answer = False
        self.lose_request = False
        self.refuse: Rejected | None = None
        self.deaf = False
        self.refuse_cancels = False
        self.fill_at_once: Price | None = None
        self.arrives_late: OrderRequest | None = None
        self.gate_before: asyncio.Event | None = None
        self.gate_after: asyncio.Event | None = None

    @property
    def name(self) -> str:
        return self._name

    async def start(self) -> None:
        """Always reachable."""

    async def stop(self) -> None:
        """Nothing to close."""

    def received(self, client_ref: str) -> int:
        """How often an order under this reference came into the book."""
        return sum(request.client_ref == client_ref for request in self.requests)

    async def submit(self, request: OrderRequest) -> SubmitOutcome:
        if self.gate_before is not None:
            await self.gate_before.wait()
        if self.lose_request:
            self.lose_request = False
            return Unknown("the connection broke")
        self._take(request)
        if self.fill_at_once is not None and not self.refuse:
            self.fill(request.client_ref, request.quantity, self.fill_at_once)
        if self.gate_after is not None:
            await self.gate_after.wait()
        if self.lose_answer:
            self.lose_answer = False
            return Unknown("no answer")
        if self.refuse:
            refusal, self.refuse = self.refuse, None
            return refusal
        return Accepted(self.orders[request.client_ref].broker_order_id)

    def _take(self, request: OrderRequest) -> None:
        self.requests.append(request)
        status = "rejected" if self.refuse else "working"
        reason = f"{self.refuse.code}: {self.refuse.detail}" if self.refuse else ""
        self.orders[request.client_ref] = BrokerOrder(
            short_token("fake", request.client_ref, length=12), request.client_ref, status, request.quantity, Quantity(0),
            request.limit_price, request.stop_price, reason, request.at,
        )  # fmt: skip

    async def cancel(self, account_id: AccountId, client_ref: str, at: datetime) -> SubmitOutcome:
        if self.deaf:
            return Unknown("no answer")
        self.cancels.append(client_ref)
        order = self.orders.get(client_ref) if account_id == self._account else None
        if order is None or order.status != "working" or self.refuse_cancels:
            return Rejected("ORDER_DONE", "no working order has this reference")
        self.orders[client_ref] = replace(order, status="cancelled", changed_at=max(at, order.changed_at))
        return Accepted(order.broker_order_id)

    async def find(self, account_id: AccountId, client_ref: str) -> BrokerOrder | Absent:
        self.lookups.append(client_ref)
        if self.deaf:
            raise TimeoutError("the broker does not answer")
        found = self.orders.get(client_ref, Absent()) if account_id == self._account else Absent()
        if self.arrives_late is not None:
            late, self.arrives_late = self.arrives_late, None
            self._take(late)
        return found

    async def changed_since(self, account_id: AccountId, since: datetime) -> tuple[Sequence[BrokerOrder], Sequence[Execution]]:
        if account_id != self._account:
            return [], []
        return (
            [order for order in self.orders.values() if order.changed_at >= since],
            [execution for execution in self.executions if execution.executed_at >= since],
        )

    async def positions(self, account_id: AccountId) -> Sequence[BrokerPosition]:
        if account_id != self._account:
            return []
        return [BrokerPosition(instrument, quantity) for instrument, quantity in sorted(self.holdings.items()) if quantity]

    async def cash(self, account_id: AccountId) -> Money:
        return self._cash

    def fill(self, client_ref: str, quantity: Quantity, price: Price, *, fee: str = "1", corrects: str | None = None) -> Execution:
        """Let an order be filled by this much, or let an execution be corrected to it."""
        request = next(one for one in self.requests if one.client_ref == client_ref)
        old = next((one for one in self.executions if one.execution_id == corrects), None)
        execution = Execution(
            execution_id=short_token("fake execution", client_ref, len(self.executions), length=12),
            client_ref=client_ref,
            broker_order_id=self.orders[client_ref].broker_order_id,
            side=request.side,
            quantity=quantity,
            price=price,
            fee=Money(Decimal(fee), request.instrument.currency),
            session=request.at.date() + timedelta(days=1),
            executed_at=request.at + timedelta(hours=17),
            corrects=corrects,
        )
        if old is not None:
            self._move(request.instrument, old, -1)
        self._move(request.instrument, execution, 1)
        self.executions.append(execution)
        order = self.orders[client_ref]
        filled = order.filled + quantity - (old.quantity if old else Quantity(0))
        status = "filled" if filled >= order.quantity else order.status
        self.orders[client_ref] = replace(order, filled=filled, status=status, changed_at=execution.executed_at)
        return execution

    def _move(self, instrument: Instrument, execution: Execution, direction: int) -> None:
        sign = execution.side.sign * direction
        held = self.holdings.get(instrument.instrument_id, Quantity(0))
        self.holdings[instrument.instrument_id] = held + Quantity(execution.quantity.value * sign)
        value = notional(execution.price, execution.quantity, instrument.multiplier, self._cash.currency)
        self._cash -= value.times(Decimal(sign)) + execution.fee.times(Decimal(direction))


def request(
    number: int = 1, *, side: Side = Side.BUY, quantity: int | Quantity = 10, account: str = "DU0000001", **changes: object
) -> OrderRequest:
    """A market order for ABC with a reference of its own."""
    made = OrderRequest(
        account_id=AccountId(account),
        client_ref=short_token("contract", number),
        instrument=STOCK,
        side=side,
        quantity=quantity if isinstance(quantity, Quantity) else Quantity(quantity),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        limit_price=None,
        stop_price=None,
        reference_price=Price(100),
        at=CLOSED_AT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the request by name


class BrokerContract:
    """What must hold for every broker adapter. Subclass it, give a fixture `broker` (started, account DU0000001 with 100,000 USD and no
    positions) and `fill_everything`, which makes the venue fill all working market orders at 101.
    """

    async def fill_everything(self, broker: Broker) -> None:
        raise NotImplementedError

    async def test_an_order_is_accepted_and_found_by_our_reference(self, broker: Broker) -> None:
        outcome = await broker.submit(request())
        found = await broker.find(request().account_id, request().client_ref)

        assert isinstance(outcome, Accepted) and isinstance(found, BrokerOrder)
        assert (found.client_ref, found.broker_order_id, found.status) == (request().client_ref, outcome.broker_order_id, "working")
        assert (found.quantity, found.filled) == (Quantity(10), Quantity(0))

    async def test_a_reference_nobody_sent_is_absent(self, broker: Broker) -> None:
        assert await broker.find(request().account_id, short_token("nobody")) == Absent()

    async def test_a_fill_moves_order_position_and_cash_together(self, broker: Broker) -> None:
        await broker.submit(request())
        await self.fill_everything(broker)

        orders, executions = await broker.changed_since(request().account_id, CLOSED_AT)
        (execution,) = executions
        assert (execution.client_ref, execution.side, execution.quantity) == (request().client_ref, Side.BUY, Quantity(10))
        assert execution.price == Price(101)
        assert execution.executed_at > CLOSED_AT
        assert [(order.status, order.filled) for order in orders] == [("filled", Quantity(10))]
        assert await broker.positions(request().account_id) == [BrokerPosition(STOCK.instrument_id, Quantity(10))]
        assert await broker.cash(request().account_id) == Money(98_990, "USD") - execution.fee

    async def test_a_sale_is_a_sale(self, broker: Broker) -> None:
        await broker.submit(request(1))
        await self.fill_everything(broker)
        await broker.submit(request(2, side=Side.SELL, quantity=4, at=CLOSED_AT + timedelta(days=1)))
        await self.fill_everything(broker)

        _, executions = await broker.changed_since(request().account_id, CLOSED_AT)
        assert [(one.side, one.quantity) for one in executions] == [(Side.BUY, Quantity(10)), (Side.SELL, Quantity(4))]
        assert await broker.positions(request().account_id) == [BrokerPosition(STOCK.instrument_id, Quantity(6))]

    async def test_an_execution_keeps_its_id_however_often_it_is_reported(self, broker: Broker) -> None:
        await broker.submit(request())
        await self.fill_everything(broker)
        await self.fill_everything(broker)

        once = (await broker.changed_since(request().account_id, CLOSED_AT))[1]
        again = (await broker.changed_since(request().account_id, CLOSED_AT))[1]
        assert list(once) == list(again)
        assert len({one.execution_id for one in once}) == len(once) == 1

    async def test_what_happened_before_is_not_told(self, broker: Broker) -> None:
        await broker.submit(request())
        await self.fill_everything(broker)

        orders, executions = await broker.changed_since(request().account_id, CLOSED_AT + timedelta(days=30))
        assert (list(orders), list(executions)) == ([], [])

    async def test_a_working_order_can_be_cancelled_and_does_not_fill_then(self, broker: Broker) -> None:
        await broker.submit(request())
        outcome = await broker.cancel(request().account_id, request().client_ref, CLOSED_AT)
        await self.fill_everything(broker)

        found = await broker.find(request().account_id, request().client_ref)
        assert isinstance(outcome, Accepted) and isinstance(found, BrokerOrder)
        assert (found.status, found.filled) == ("cancelled", Quantity(0))
        assert await broker.positions(request().account_id) == []

    async def test_what_is_done_cannot_be_cancelled(self, broker: Broker) -> None:
        await broker.submit(request())
        await self.fill_everything(broker)

        assert isinstance(await broker.cancel(request().account_id, request().client_ref, CLOSED_AT), Rejected)
        assert isinstance(await broker.cancel(request().account_id, short_token("nobody"), CLOSED_AT), Rejected)

    async def test_accounts_do_not_see_each_other(self, broker: Broker) -> None:
        await broker.submit(request())
        await self.fill_everything(broker)

        other = AccountId("DU0000002")
        assert await broker.find(other, request().client_ref) == Absent()
        assert [list(part) for part in await broker.changed_since(other, CLOSED_AT)] == [[], []]
        assert list(await broker.positions(other)) == []
        assert isinstance(await broker.cancel(other, request().client_ref, CLOSED_AT), Rejected)
