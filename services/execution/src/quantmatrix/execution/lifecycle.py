"""One order's life on a page: every change goes through the table of states, is stored, and is said."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeVar

import structlog

from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.message import Head
from quantmatrix.common.contracts.orders import (
    OrderAccepted,
    OrderAdjusted,
    OrderCancelled,
    OrderCancelling,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
)
from quantmatrix.common.names import OrderState
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Quantity
from quantmatrix.execution.domain.orders import Execution, Intent, Order, fill_of
from quantmatrix.execution.domain.risk import ApprovedOrder, Denial
from quantmatrix.execution.domain.states import TERMINAL, OrderEventKind, after
from quantmatrix.execution.store import ExecutionStore
from quantmatrix.execution.writes import Step, changed, placed

log = structlog.get_logger(__name__)
_M = TypeVar("_M", bound=OrderEvent)
NOTHING = Quantity(0)


async def store_denial(intent: Intent, denial: Denial, page: Page) -> Order:
    """An intent that risk refused is an order too: denied, with its code and figures."""
    order = replace(Order.made_of(intent, OrderState.DENIED, page.cause.trace), code=denial.code, detail=denial.detail)
    said = _say(page, OrderDenied, order, intent.session, code=denial.code, detail=denial.detail)
    stored = _after(order, said)
    page.write(placed(stored, event="denied"))
    return stored


async def store_approved(approved: ApprovedOrder, page: Page) -> Order:
    """The intent is stored before anything is sent."""
    order = Order.made_of(approved.intent, OrderState.SUBMITTING, page.cause.trace, reference_price=approved.reference_price)
    stored = _after(order, _say(page, OrderSubmitted, order, order.session))
    page.write(placed(stored, event="submitted"))
    return stored


@dataclass(slots=True)
class Change:
    """What happens to one order on a page: every step is told as it happens, and `store` writes them all with one statement."""

    order: Order
    page: Page
    steps: list[Step] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)

    def move(
        self, kind: OrderEventKind, *, at: datetime, session: date, broker_order_id: str = "", code: str = "", detail: str = ""
    ) -> None:
        """Let something happen to the order. Where the table keeps the state, nothing is stored and nothing is said."""
        order = self.order
        state = after(order.state, kind)
        if state is OrderState.ACCEPTED and order.filled:
            state = OrderState.PARTIALLY_FILLED
        moved = replace(
            order, state=state, broker_order_id=order.broker_order_id or broker_order_id, cancel_asked_at=_wish_after(order, kind, at)
        )
        if state is OrderState.REJECTED:
            moved = replace(moved, code=code, detail=detail)
        if state is order.state and moved == order:
            return
        _continue(self.page, order, at)
        self._told(moved, _say_state(self.page, moved, session, code, detail), kind, at, detail)
        self._cancel_if_wished(at, session)

    def book(self, execution: Execution, *, undone: Quantity | None = None) -> None:
        """Book an execution that is not booked yet. undone: the quantity of the one that it corrects, None where there is none here."""
        order = self.order
        _continue(self.page, order, execution.executed_at)
        filled = order.filled + execution.quantity - (undone or NOTHING)
        kind = OrderEventKind.FULL_FILL if filled >= order.quantity else OrderEventKind.PARTIAL_FILL
        moved = replace(
            order,
            filled=filled,
            state=after(order.state, kind),
            broker_order_id=order.broker_order_id or execution.broker_order_id,
        )
        self.executions.append(execution)
        self._told(moved, _say_fill(self.page, moved, execution, corrects=undone is not None), kind, execution.executed_at, "")
        if filled > order.quantity:
            log.error("order.overfilled", order_id=str(order.order_id), quantity=str(order.quantity), filled=str(filled))
        self._cancel_if_wished(execution.executed_at, execution.session)

    def _cancel_if_wished(self, at: datetime, session: date) -> None:
        """An order whose cancel was asked while it was in doubt goes on to be cancelled as soon as the broker is known to work it."""
        if self.order.cancel_asked_at is not None and self.order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED):
            self.move(OrderEventKind.CANCEL_ASKED, at=at, session=session)

    def adjust(self, numerator: int, denominator: int, *, at: datetime, session: date, reason: str) -> None:
        """A split changed the working order: its quantities grow as its prices shrink."""
        order = self.order
        moved = replace(
            order,
            quantity=order.quantity.scaled(numerator, denominator),
            filled=order.filled.scaled(numerator, denominator),
            limit_price=order.limit_price and order.limit_price.scaled(denominator, numerator),
            stop_price=order.stop_price and order.stop_price.scaled(denominator, numerator),
            lots=tuple((lot_id, units.scaled(numerator, denominator)) for lot_id, units in order.lots),
        )
        _continue(self.page, order, at)
        self._told(moved, _say(self.page, OrderAdjusted, moved, session, reason=reason), "adjusted", at, reason)

    async def store(self) -> Order:
        """Write what happened, if anything did; returns the order as it then stands."""
        if self.steps:
            self.page.write(changed(self.order, self.steps, self.executions))
        return self.order

    def _told(self, moved: Order, said: OrderEvent | OrderFilled | FillCorrected, event: str, at: datetime, detail: str) -> None:
        self.steps.append(Step(event, moved.state, at, detail or None))
        self.order = _after(moved, said)


async def book(order: Order, execution: Execution, page: Page) -> Order:
    """Book one execution of an order; hearing it again changes nothing."""
    store = ExecutionStore(page.connection)
    if await store.is_booked(order.account_id, execution.execution_id):
        return order
    undone = await store.undo_corrected(order, execution) if execution.corrects is not None else None
    if execution.corrects is not None and undone is None and not execution.quantity:
        return order  # a bust of what was never booked takes nothing back; what it busts is told with it again
    change = Change(order, page)
    change.book(execution, undone=undone)
    return await change.store()


async def move(
    order: Order,
    kind: OrderEventKind,
    page: Page,
    *,
    at: datetime,
    session: date,
    code: str = "",
    detail: str = "",
) -> Order:
    """Let one thing happen to an order."""
    change = Change(order, page)
    change.move(kind, at=at, session=session, code=code, detail=detail)
    return await change.store()


def _wish_after(order: Order, kind: OrderEventKind, at: datetime) -> datetime | None:
    """A wish to cancel stays until the broker refuses it; asked again, it is the same wish."""
    if kind is OrderEventKind.CANCEL_ASKED:
        return order.cancel_asked_at or at
    return None if kind is OrderEventKind.CANCEL_REFUSED else order.cancel_asked_at


def _after(order: Order, said: OrderEvent | OrderFilled | FillCorrected) -> Order:
    """The order as it is stored once an event was told."""
    return replace(order, last_event=said.head.message_id, version=order.version + 1)


def _continue(page: Page, order: Order, at: datetime) -> None:
    """What is said next follows from the order's latest event, whatever message brought us here."""
    if order.last_event is not None and order.trace is not None:
        page.because_of(Head(message_id=order.last_event, caused_by=None, occurred_at=at, trace=order.trace))


def _say_fill(page: Page, moved: Order, execution: Execution, *, corrects: bool) -> OrderFilled | FillCorrected:
    """corrects: whether the fill that it takes the place of was said; otherwise it is the first that anybody hears of it."""
    common: dict[str, Any] = {
        "fill_id": fill_of(moved.account_id, execution.execution_id),
        "execution_id": execution.execution_id,
        "order_id": moved.order_id,
        "client_ref": moved.client_ref,
        "user_id": moved.user_id,
        "account_id": moved.account_id,
        "instrument": moved.instrument,
        "side": execution.side,
        "quantity": execution.quantity,
        "price": execution.price,
        "fee": execution.fee,
        "session": execution.session,
        "executed_at": execution.executed_at,
        "triggered_by": moved.triggered_by,
        "lots": tuple(NamedLotPart(lot_id, units) for lot_id, units in moved.lots),
        "leaves": moved.leaves,
    }
    if execution.corrects is None or not corrects:
        return page.say(OrderFilled(**common), identity=common["fill_id"])
    return page.say(FillCorrected(**common, corrects=fill_of(moved.account_id, execution.corrects)), identity=common["fill_id"])


def _say_state(page: Page, order: Order, session: date, code: str, detail: str) -> OrderEvent:
    match order.state:
        case OrderState.ACCEPTED | OrderState.PARTIALLY_FILLED:
            return _say(page, OrderAccepted, order, session)
        case OrderState.REJECTED:
            return _say(page, OrderRejected, order, session, code=code, detail=detail)
        case OrderState.UNKNOWN:
            return _say(page, OrderUnknown, order, session, detail=detail)
        case OrderState.CANCELLING:
            return _say(page, OrderCancelling, order, session)
        case OrderState.CANCELLED:
            return _say(page, OrderCancelled, order, session, detail=detail)
        case OrderState.EXPIRED:
            return _say(page, OrderExpired, order, session)
        case OrderState.SUBMITTING | OrderState.FILLED | OrderState.DENIED:
            return _say(page, OrderSubmitted, order, session)


def _say(page: Page, kind: type[_M], order: Order, session: date, **more: str) -> _M:
    event = kind(
        user_id=order.user_id,
        account_id=order.account_id,
        order_id=order.order_id,
        client_ref=order.client_ref,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        filled=order.filled,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        triggered_by=order.triggered_by,
        state=order.state,
        session=session,
        broker_order_id=order.broker_order_id,
        **more,  # type: ignore[arg-type]  # the fields in which the events differ: code, detail, reason
    )
    return page.say(event, identity=(order.order_id, order.version, order.state))


def is_over(order: Order) -> bool:
    return order.state in TERMINAL
