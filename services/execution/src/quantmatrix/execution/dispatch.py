"""What happens after the commit: stored orders go to their brokers, and the answers come back as events."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from quantmatrix.common.names import AccountId, OrderId, OrderState
from quantmatrix.common.runtime.database import Pool
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn, TryLater
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.execution.domain.orders import Order
from quantmatrix.execution.domain.risk import may_leave
from quantmatrix.execution.domain.states import OrderEventKind
from quantmatrix.execution.lifecycle import Change, move
from quantmatrix.execution.ports import (
    Absent,
    Accepted,
    Broker,
    BrokerOrder,
    OrderRequest,
    Rejected,
    SubmitOutcome,
    Unknown,
)
from quantmatrix.execution.reconcile import Brokers, is_ahead, take_changes
from quantmatrix.execution.store import Account, ExecutionStore

log = structlog.get_logger(__name__)
LOOK_S = 1.0
RETRY_S = 0.1
ABSENT_TWICE_S = 0.5
NEVER_LEFT = "the broker never had the order, and it is not sent any more"

_WAITING = (OrderState.SUBMITTING, OrderState.CANCELLING, OrderState.UNKNOWN)


class Dispatcher:
    """Sends each stored order once. An order that this process did not store itself is looked for before it is sent.

    While nobody knows whether an order arrived it is looked for; after `answer_timeout_s` without an answer it is
    called unknown, and stays so until the broker tells. Time alone never ends that.
    """

    def __init__(self, parts: Parts, brokers: Brokers, *, answer_timeout_s: float) -> None:
        self._parts = parts
        self._brokers = brokers
        self._answer_timeout_s = answer_timeout_s
        self._fresh: deque[tuple[Order, Account]] = deque()
        self._doubt_since: dict[OrderId, float] = {}
        self._absent_since: dict[OrderId, float] = {}
        self._in_hand = False
        self.all_answered = False
        """Whether the tables said so and nothing was sent or asked since; a guess that saves a look, never more than that."""
        self._wake = asyncio.Event()

    def send(self, order: Order, account: Account) -> None:
        """An order of ours was just committed: it has never been sent."""
        self.all_answered = False
        self._fresh.append((order, account))
        self._wake.set()

    @property
    def sending(self) -> bool:
        """Whether a new order is on its way right now; an order in doubt is known to the tables alone."""
        return bool(self._fresh) or self._in_hand

    def found_all_answered(self) -> None:
        """The tables had no order that waits for an answer."""
        self.all_answered = not self.sending

    def recall(self, account_id: AccountId, order_id: OrderId | None = None) -> None:
        """Orders of an account, or one of them, that have not left yet are not sent at first sight: they are looked at again."""
        self.all_answered = False
        self._fresh = deque(
            (order, account) for order, account in self._fresh if order.account_id != account_id or order_id not in (None, order.order_id)
        )
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled: new orders at once, orders in doubt again and again.

        Raises NotLetIn when a broker or the database refuses the service. Its orders stay as they are stored, and are looked for by the next.
        """
        left = True
        while True:
            try:
                while self._fresh:
                    left = not await self._send_fresh() or left
                if left or not self._wake.is_set():
                    left = await self._round()
            except NotLetIn:
                raise
            except TRANSIENT as error:
                log.warning("dispatch.waiting", error=repr(error))
                left = True
            await woken(self._wake, RETRY_S if left else LOOK_S)
            self._wake.clear()

    async def _send_fresh(self) -> bool:
        """Send one order for the first time; returns whether its answer is stored."""
        order, account = self._fresh.popleft()
        broker = self._brokers.of(account)
        self._in_hand = True
        try:
            outcome = await self._submit(order, broker)
            if isinstance(outcome, Unknown):
                return await self._doubt(order, account, outcome)
            try:
                await self._record(order, account, broker, outcome, as_stored=True)
            except TryLater:  # something happened to the order since it was stored, a wish to cancel it for example
                await self._record(order, account, broker, outcome)
        finally:
            self._answered()
        return True

    def _answered(self) -> None:
        self._in_hand = False

    async def _round(self) -> bool:
        """One pass over the orders that wait for an answer; returns whether any is left."""
        orders, accounts = await self._load(self._parts.pool)
        fresh = {order.order_id for order, _ in self._fresh}
        left = False
        for order in orders:
            if order.order_id not in fresh:
                account = accounts[order.account_id]
                answered = await self._advance(order, account, self._brokers.of(account))
                left = left or not answered
        return left

    async def _load(self, pool: Pool) -> tuple[list[Order], dict[str, Account]]:
        async with pool.acquire(timeout=5) as connection:
            store = ExecutionStore(connection)
            orders = await store.orders_in(_WAITING)
            return orders, {account.account_id: account for account in await store.accounts()} if orders else {}

    async def _advance(self, order: Order, account: Account, broker: Broker) -> bool:
        if order.state is OrderState.CANCELLING:
            return await self._cancel(order, account, broker)
        outcome = await self._look_for(order, broker)
        if isinstance(outcome, Unknown):
            return await self._doubt(order, account, outcome)
        self._doubt_since.pop(order.order_id, None)
        self._absent_since.pop(order.order_id, None)
        if isinstance(outcome, Absent):
            kind = OrderEventKind.CANCEL_CONFIRMED
            await self._do(order, lambda fresh, page, at: move(fresh, kind, page, at=at, session=fresh.session, detail=NEVER_LEFT))
            return True
        await self._record(order, account, broker, outcome)
        return True

    async def _submit(self, order: Order, broker: Broker) -> SubmitOutcome:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await broker.submit(_request(order))
        except NotLetIn:
            raise
        except TRANSIENT as error:
            return Unknown(repr(error))

    async def _look_for(self, order: Order, broker: Broker) -> SubmitOutcome | Absent:
        """Ask the broker by our reference. An order that is certainly not there was never taken: it is sent now, as it stands
        now; absent is the answer where it may not leave any more.
        """
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                found = await broker.find(order.account_id, order.client_ref)
        except NotLetIn:
            raise
        except TRANSIENT as error:
            return Unknown(repr(error))
        if isinstance(found, Absent):
            if not self._absent_twice(order):
                return Unknown("absent at the first reading")
            log.info("order.absent", order_id=str(order.order_id), client_ref=order.client_ref)
            fresh = await self._as_it_stands(order)
            return await self._submit(fresh, broker) if fresh is not None else found
        return _as_outcome(found)

    async def _as_it_stands(self, order: Order) -> Order | None:
        """The order with whatever became of it meanwhile; None when a cancel was asked or the account may not send it any more."""
        async with self._parts.pool.acquire(timeout=5) as connection:
            store = ExecutionStore(connection)
            fresh, account = await store.order(order.order_id), await store.account(order.account_id)
            held = await store.surely_held(order.account_id, order.instrument.instrument_id)
        if fresh is None or account is None or fresh.cancel_asked_at is not None:
            return None
        return fresh if may_leave(fresh, account.trading_state, held) else None

    def _absent_twice(self, order: Order) -> bool:
        """Whether this is the second such reading some time after the first, when the order may still have been on its way."""
        now = self._parts.clock.monotonic()
        return now - self._absent_since.setdefault(order.order_id, now) >= ABSENT_TWICE_S

    async def _doubt(self, order: Order, account: Account, unknown: Unknown) -> bool:
        since = self._doubt_since.setdefault(order.order_id, self._parts.clock.monotonic())
        waited = self._parts.clock.monotonic() - since
        if waited >= self._answer_timeout_s and order.state is not OrderState.UNKNOWN:
            await self._do(
                order,
                lambda fresh, page, at: move(fresh, OrderEventKind.NO_ANSWER, page, at=at, session=fresh.session, detail=unknown.detail),
            )
        return False

    async def _cancel(self, order: Order, account: Account, broker: Broker) -> bool:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                outcome = await broker.cancel(order.account_id, order.client_ref, order.created_at)
                found = await broker.find(order.account_id, order.client_ref)
        except NotLetIn:
            raise
        except TRANSIENT as error:
            outcome = Unknown(repr(error))
        if isinstance(outcome, Unknown) or (isinstance(found, Absent) and not self._absent_twice(order)):
            return False
        self._absent_since.pop(order.order_id, None)
        if isinstance(found, Absent):
            kind = OrderEventKind.CANCEL_CONFIRMED
        else:
            kind = {"cancelled": OrderEventKind.CANCEL_CONFIRMED, "expired": OrderEventKind.EXPIRED}.get(
                found.status, OrderEventKind.CANCEL_REFUSED
            )
        if isinstance(found, BrokerOrder) and found.status in ("filled", "rejected"):
            await self._record(order, account, broker, _as_outcome(found))
            return True
        await self._do(order, lambda fresh, page, at: move(fresh, kind, page, at=at, session=fresh.session))
        return True

    async def _record(
        self, order: Order, account: Account, broker: Broker, outcome: Accepted | Rejected, *, as_stored: bool = False
    ) -> None:
        """Store the broker's answer together with whatever it has filled already. as_stored: see `_do`."""

        async def record(fresh: Order, page: Page, at: datetime) -> None:
            change = Change(fresh, page)
            told = outcome.executions if isinstance(outcome, Accepted) and not fresh.filled else None
            if isinstance(outcome, Rejected):
                change.move(OrderEventKind.REJECTED, at=at, session=fresh.session, code=outcome.code, detail=outcome.detail)
            else:
                change.move(OrderEventKind.ACCEPTED, at=at, session=fresh.session, broker_order_id=outcome.broker_order_id)
                for execution in told or ():
                    change.book(execution)
            if (await change.store()).state is OrderState.CANCELLING:
                page.after_commit(self._wake.set)
            if isinstance(outcome, Accepted) and told is None:
                if await is_ahead(broker, ExecutionStore(page.connection)):
                    raise TryLater("the broker has followed a split that is not heard here yet")
                await take_changes(broker, account, order.created_at, page)

        await self._do(order, record, as_stored=as_stored)

    async def _do(self, order: Order, work: Callable[[Order, Page, datetime], Awaitable[object]], *, as_stored: bool = False) -> None:
        """Change an order on a page of its own. as_stored: start from the order as this process stored it, without reading it again;
        raises TryLater when it is not the one in the table any more.
        """

        async def job(page: Page) -> None:
            fresh = order if as_stored else await ExecutionStore(page.connection).order(order.order_id)
            if fresh is not None:
                await work(fresh, page, fresh.created_at)
            page.after_commit(self._answered)

        await self._parts.desk.do(job, origin("dispatch", order.order_id, order.version, occurred_at=order.created_at))


def _request(order: Order) -> OrderRequest:
    return OrderRequest(
        account_id=order.account_id,
        client_ref=order.client_ref,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        reference_price=order.reference_price,
        at=order.created_at,
    )


def _as_outcome(found: BrokerOrder) -> Accepted | Rejected:
    if found.status == "rejected":
        code, _, detail = found.reason.partition(": ")
        return Rejected(code, detail)
    return Accepted(found.broker_order_id)
