"""Orders and fills: the blotter, an order's history, cancelling; as page and over the API."""

import asyncio
from functools import partial
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.execution import Fills, FillsAsked, FillSummary, Orders, OrdersAsked, OrderSummary
from quantmatrix.common.contracts.asking.messaging import TraceAsked
from quantmatrix.common.contracts.codec import MalformedMessageError, decode
from quantmatrix.common.contracts.commands import CancelOrder
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.contracts.orders import OrderEvent
from quantmatrix.common.names import OrderId, OrderState
from quantmatrix.common.values import Quantity
from quantmatrix.gateway.acting import act
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.domain.sizing import WORKING
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import Narrowed, PageCursor, Wanted
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.placing import placed_lately
from quantmatrix.gateway.problems import ProblemError, not_found

ROUTER = APIRouter()
ON_A_PAGE = 40
ACCEPTED = 202


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, the latest first, and the cursor of the next page."""

    orders: tuple[OrderSummary, ...]
    next_cursor: str | None


class FillPage(msgspec.Struct, frozen=True):
    """Fills, the latest first, and the cursor of the next page."""

    fills: tuple[FillSummary, ...]
    next_cursor: str | None


class Step(msgspec.Struct, frozen=True):
    """One step of an order's life. at is event time (UTC)."""

    at: Instant
    what: str
    state: str
    filled: Quantity
    detail: str


class OrderHistory(msgspec.Struct, frozen=True):
    """An order and what happened to it, oldest first."""

    order: OrderSummary
    steps: tuple[Step, ...]


async def orders_of(gateway: Gateway, person: Person, wanted: Wanted) -> OrderPage:
    found: Orders = await gateway.parts.ask("execution", wanted.of(OrdersAsked, person))
    return OrderPage(*wanted.cut(found.orders, lambda one: (one.created_at, one.order_id)))


async def fills_of(gateway: Gateway, person: Person, wanted: Wanted) -> FillPage:
    found: Fills = await gateway.parts.ask("execution", wanted.of(partial(FillsAsked, ends=True), person))
    return FillPage(*wanted.cut(found.fills, lambda one: (one.executed_at, one.fill_id)))


async def history_of(gateway: Gateway, person: Person, order_id: UUID) -> OrderHistory:
    """Raises 404 for an order that is not there or not the person's."""
    found, traced = await asyncio.gather(
        gateway.parts.ask("execution", OrdersAsked(user_id=person.user_id, order_id=OrderId(order_id))),
        gateway.parts.ask("execution", TraceAsked(about=str(order_id))),
    )
    if not found.orders:
        raise not_found(f"there is no order {order_id}")
    steps = (_step(bytes(one.body)) for one in traced.messages)
    return OrderHistory(found.orders[0], tuple(step for step in steps if step is not None))


def _step(body: bytes) -> Step | None:
    try:
        message = decode(body)
    except MalformedMessageError:
        return None  # said by a newer program
    if isinstance(message, OrderFilled):
        state = OrderState.PARTIALLY_FILLED if message.leaves else OrderState.FILLED
        detail = f"{message.quantity} at {message.price}, fee {message.fee}"
        return Step(message.head.occurred_at, "filled", state.value, message.quantity, detail)
    if isinstance(message, OrderEvent):
        told = [getattr(message, name, "") for name in ("code", "detail", "reason")]
        what = type(message).__name__.removeprefix("Order").lower()
        return Step(message.head.occurred_at, what, message.state.value, message.filled, ": ".join(text for text in told if text))
    return None


@ROUTER.get("/api/v1/orders/", tags=["orders"], responses=answers(OrderPage))
async def orders(gateway: Here, person: By, wanted: Narrowed) -> Response:
    """Orders as they stand, the latest first."""
    return Exact(await orders_of(gateway, person, wanted))


@ROUTER.get("/api/v1/orders/{order_id}", tags=["orders"], responses=answers(OrderHistory))
async def order(order_id: UUID, gateway: Here, person: By) -> Response:
    """One order with everything that happened to it."""
    return Exact(await history_of(gateway, person, order_id))


class CancelTaken(msgspec.Struct, frozen=True):
    """The cancel is on its way; fills may still come until the broker confirms it."""

    order_id: OrderId
    state: str


@ROUTER.post("/api/v1/orders/{order_id}/cancel", tags=["orders"], status_code=ACCEPTED, responses=answers(CancelTaken, ACCEPTED))
async def cancel(order_id: UUID, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Ask the broker not to fill the rest. Asking twice changes nothing."""
    await _cancel(order_id, gateway, person, visit)
    return Exact(CancelTaken(OrderId(order_id), OrderState.CANCELLING.value), ACCEPTED)


async def _cancel(order_id: UUID, gateway: Gateway, person: Person, visit: Visit) -> None:
    found = (await gateway.parts.ask("execution", OrdersAsked(user_id=person.user_id, order_id=OrderId(order_id)))).orders
    placed = None if found else await placed_lately(order_id, gateway, person)
    if placed is not None:  # execution hears of the order first, and of this right after it
        account, before = placed.account_id, {"state": placed.trade.status, "filled": "0"}
    elif not found:
        raise not_found(f"there is no order {order_id}")
    elif found[0].state not in WORKING:
        raise ProblemError(409, "ORDER_OVER", f"the order is {found[0].state.value}; there is nothing left to cancel")
    else:
        account, before = found[0].account_id, {"state": found[0].state.value, "filled": str(found[0].filled)}
    command = CancelOrder(command_id=visit.request_id, user_id=person.user_id, account_id=account, order_id=OrderId(order_id))
    await act(gateway, person, visit, command, "order.cancel", str(order_id), before=before)


@ROUTER.get("/api/v1/fills/", tags=["orders"], responses=answers(FillPage))
async def fills(gateway: Here, person: By, wanted: Narrowed) -> Response:
    """Executions at the brokers and the ends of option contracts, the latest first."""
    return Exact(await fills_of(gateway, person, wanted))


async def load_orders(look: Look) -> OrderPage:
    return await orders_of(look.gateway, look.person, look.wanted(ON_A_PAGE))


async def load_fills(look: Look) -> FillPage:
    return await fills_of(look.gateway, look.person, look.wanted(ON_A_PAGE))


async def load_history(look: Look) -> OrderHistory:
    return await history_of(look.gateway, look.person, look.values["order_id"])


BLOTTER = Page("/orders", "orders.html", {"orders": load_orders, "fills": load_fills})
ORDER = Page("/orders/one", "order.html", {"history": load_history})


@ROUTER.get("/orders", include_in_schema=False)
async def blotter(request: Request, gateway: Here, person: By, cursor: PageCursor = None) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), BLOTTER)


@ROUTER.get("/orders/{order_id}", include_in_schema=False)
async def order_page(request: Request, order_id: UUID, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"order_id": order_id}), ORDER)


@ROUTER.post("/orders/{order_id}/cancel", include_in_schema=False)
async def cancel_on_page(order_id: UUID, gateway: Here, person: ByTrader, visit: From) -> Response:
    await _cancel(order_id, gateway, person, visit)
    return RedirectResponse(f"/orders/{order_id}", 303)
