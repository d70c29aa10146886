"""Trades: the portfolio's orders in their older shape, and a person's own order."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.execution import OrdersAsked
from quantmatrix.common.names import OrderId
from quantmatrix.gateway.context import By, ByTrader, From, Here
from quantmatrix.gateway.exact import Exact, as_numbers
from quantmatrix.gateway.listing import Spanned
from quantmatrix.gateway.openapi import answers, answers_list
from quantmatrix.gateway.placing import CREATED, ExecuteTrade, TradePreview, place_once, placed_lately, preview_of
from quantmatrix.gateway.problems import ProblemError, not_found
from quantmatrix.gateway.routes.orders import orders_of
from quantmatrix.gateway.shapes import TradeShape, trade_shape

ROUTER = APIRouter(prefix="/api/v1/trades", tags=["trades"])


@ROUTER.get("/", responses=answers_list(TradeShape))
async def trades(request: Request, gateway: Here, person: By, wanted: Spanned) -> Response:
    """Trades of the portfolio, the latest first. The header `Link` with rel="next" leads to the next page."""
    found = await orders_of(gateway, person, wanted)
    answer = Exact(as_numbers([trade_shape(one) for one in found.orders]))
    if found.next_cursor is not None:
        answer.headers["Link"] = f'<{request.url.path}?limit={wanted.limit}&cursor={found.next_cursor}>; rel="next"'
    return answer


@ROUTER.get("/{trade_id}", responses=answers(TradeShape))
async def trade(trade_id: UUID, gateway: Here, person: By) -> Response:
    """One trade."""
    found = (await gateway.parts.ask("execution", OrdersAsked(user_id=person.user_id, order_id=OrderId(trade_id)))).orders
    if found:
        return Exact(as_numbers(trade_shape(found[0])))
    placed = await placed_lately(trade_id, gateway, person)
    if placed is None:
        raise not_found(f"there is no trade {trade_id}")
    return Exact(as_numbers(placed.trade))


@ROUTER.post("/preview", responses=answers(TradePreview))
async def preview(wanted: ExecuteTrade, gateway: Here, person: ByTrader) -> Response:
    """What an order would be, and what the risk gate says of it now. Nothing is placed."""
    return Exact(await preview_of(wanted, gateway, person))


@ROUTER.post("/execute", status_code=CREATED, responses=answers(TradeShape, CREATED))
async def execute(
    wanted: ExecuteTrade,
    gateway: Here,
    person: ByTrader,
    visit: From,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Place an order. The same key with the same body gives the first answer again, and no second order."""
    if idempotency_key is None:
        raise ProblemError(
            400, "IDEMPOTENCY_KEY_REQUIRED", "give every order a header Idempotency-Key of its own, and repeat it on a retry"
        )
    answered = await place_once(wanted, idempotency_key, gateway, person, visit)
    return Exact(answered.answer, answered.status)
