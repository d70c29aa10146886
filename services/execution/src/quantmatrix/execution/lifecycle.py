"""One order's life on a page: every change goes through the table of states, is stored, and is said."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

import structlog

from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled
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
from quantmatrix.execution.domain.orders import Execution, Intent, Order, fill_of
from quantmatrix.execution.domain.risk import ApprovedOrder, Denial
from quantmatrix.execution.domain.states import TERMINAL, OrderEventKind, after
from quantmatrix.execution.store import ExecutionStore

log = structlog.get_logger(__name__)
_M = TypeVar("_M", bound=OrderEvent)


async def store_denial(intent: Intent, denial: Denial, page: Page) -> Order:
    """An intent that risk refused is an order too: denied, with its code and figures."""
    order = replace(Order.made_of(intent, OrderState.DENIED, page.cause.trace), code=denial.code, detail=denial.detail)
    said = _say(page, OrderDenied, order, intent.session, code=denial.code, detail=denial.detail)
    stored = _after(order, said)
    await ExecutionStore(page.connection).add_order(stored, event="denied")
    return stored


async def store_approved(approved: ApprovedOrder, page: Page) -> Order:
    """The intent is stored before anything is sent."""
    order = Order.made_of(approved.intent, OrderState.SUBMITTING, page.cause.trace, reference_price=approved.reference_price)
    stored = _after(order, _say(page, OrderSubmitted, order, order.session))
    await ExecutionStore(page.connection).add_order(stored, event="submitted")
    return stored


async def book(order: Order, execution: Execution, page: Page) -> Order:
    """Book one execution of an order; hearing it again changes nothing."""
    store = ExecutionStore(page.connection)
    if not await store.book_execution(order, execution):
        return order
    _continue(page, order, execution.executed_at)
    filled = order.filled + execution.quantity
    if execution.corrects is not None:
        filled -= await store.undo_corrected(order, execution)
    kind = OrderEventKind.FULL_FILL if filled >= order.quantity else OrderEventKind.PARTIAL_FILL
    moved = replace(
        order,
        filled=filled,
        state=after(order.state, kind),
        broker_order_id=order.broker_order_id or execution.broker_order_id,
    )
    common: dict[str, Any] = {
        "fill_id": fill_of(order.account_id, execution.execution_id),
        "execution_id": execution.execution_id,
        "order_id": order.order_id,
        "client_ref": order.client_ref,
        "user_id": order.user_id,
        "account_id": order.account_id,
        "instrument": order.instrument,
        "side": execution.side,
        "quantity": execution.quantity,
        "price": execution.price,
        "fee": execution.fee,
        "session": execution.session,
        "executed_at": execution.executed_at,
        "triggered_by": order.triggered_by,
        "leaves": moved.leaves,
    }
    said: OrderFilled | FillCorrected
    if execution.corrects is None:
        said = page.say(OrderFilled(**common), identity=common["fill_id"])
    else:
        said = page.say(FillCorrected(**common, corrects=fill_of(order.account_id, execution.corrects)), identity=common["fill_id"])
    await store.move_order(moved, event=kind, message_id=said.head.message_id, at=execution.executed_at)
    if filled > order.quantity:
        log.error("order.overfilled", order_id=str(order.order_id), quantity=str(order.quantity), filled=str(filled))
    return _after(moved, said)


async def move(
    order: Order,
    kind: OrderEventKind,
    page: Page,
    *,
    at: datetime,
    session: date,
    broker_order_id: str = "",
    code: str = "",
    detail: str = "",
) -> Order:
    """Let something happen to an order. Where the table keeps the state, nothing is stored and nothing is said."""
    state = after(order.state, kind)
    if state is OrderState.ACCEPTED and order.filled:
        state = OrderState.PARTIALLY_FILLED
    moved = replace(order, state=state, broker_order_id=order.broker_order_id or broker_order_id)
    if state is OrderState.REJECTED:
        moved = replace(moved, code=code, detail=detail)
    if state is order.state and moved == order:
        return order
    _continue(page, order, at)
    said = _say_state(page, moved, session, code, detail)
    await ExecutionStore(page.connection).move_order(moved, event=kind, message_id=said.head.message_id, at=at, detail=detail or None)
    return _after(moved, said)


async def adjust(order: Order, numerator: int, denominator: int, page: Page, *, at: datetime, session: date, reason: str) -> Order:
    """A split changed a working order: its quantities grow as its prices shrink."""
    moved = replace(
        order,
        quantity=order.quantity.scaled(numerator, denominator),
        filled=order.filled.scaled(numerator, denominator),
        limit_price=order.limit_price and order.limit_price.scaled(denominator, numerator),
        stop_price=order.stop_price and order.stop_price.scaled(denominator, numerator),
    )
    _continue(page, order, at)
    said = _say(page, OrderAdjusted, moved, session, reason=reason)
    await ExecutionStore(page.connection).move_order(moved, event="adjusted", message_id=said.head.message_id, at=at, detail=reason)
    return _after(moved, said)


def _after(order: Order, said: OrderEvent | OrderFilled | FillCorrected) -> Order:
    """The order as it is stored once an event was told."""
    return replace(order, last_event=said.head.message_id, version=order.version + 1)


def _continue(page: Page, order: Order, at: datetime) -> None:
    """What is said next follows from the order's latest event, whatever message brought us here."""
    if order.last_event is not None and order.trace is not None:
        page.because_of(Head(message_id=order.last_event, caused_by=None, occurred_at=at, trace=order.trace))


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
