"""The order ticket: a form, a look at what the order would be and what the risk gate says of it, and the word that places it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.market import Instruments, InstrumentsAsked
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.gateway.context import By, ByTrader, From, Here
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.placing import ExecuteTrade, TradePreview, place_once, preview_of
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.routes.accounts import load_accounts

ROUTER = APIRouter(include_in_schema=False)
UNPROCESSABLE = 422
Text = Annotated[str, Field(max_length=40)]


class Typed(BaseModel):
    """What stands in the form's fields, as text."""

    product_id: Text = ""
    side: Text = ""
    size_usd: Text = ""
    account_id: Text = ""
    limit_price: Text = ""
    time_in_force: Text = "DAY"
    lots: Annotated[str, Field(max_length=6_000, description="A lot and its units, one a line or with commas between them.")] = ""


class Confirmed(Typed):
    """The same, with the key that was made when it was looked at."""

    key: Annotated[str, Field(min_length=8, max_length=80)]


async def load_instruments(look: Look) -> Instruments:
    found: Instruments = await look.ask("market", InstrumentsAsked())
    return found


async def load_preview(look: Look) -> TradePreview | None:
    found: TradePreview | None = look.values["preview"]
    return found


TICKET = Page("/ticket", "ticket.html", {"instruments": load_instruments, "accounts": load_accounts, "preview": load_preview})


@ROUTER.get("/ticket")
async def ticket(
    request: Request,
    gateway: Here,
    person: By,
    symbol: Annotated[str, Query(max_length=40)] = "",
    side: Annotated[str, Query(pattern="^(BUY|SELL)$")] = "BUY",
    lots: Annotated[str, Query(max_length=6_000)] = "",
) -> Response:
    return await _shown(Look(request, gateway, person), Typed(product_id=symbol, side=side, lots=lots))


@ROUTER.post("/ticket")
async def look_at(request: Request, gateway: Here, person: ByTrader, typed: Annotated[Typed, Form()]) -> Response:
    """What was typed is shown again, with the order it comes to, or with what is wrong with it."""
    look = Look(request, gateway, person)
    try:
        found = await preview_of(wanted_of(typed), gateway, person)
    except (ProblemError, Refused) as error:
        return await _shown(look, typed, wrong=error.detail)
    return await _shown(look, typed, preview=found)


@ROUTER.post("/ticket/place")
async def place(request: Request, gateway: Here, person: ByTrader, visit: From, typed: Annotated[Confirmed, Form()]) -> Response:
    """The key was made with the look, so that pressing twice is one order."""
    try:
        await place_once(wanted_of(typed), typed.key, gateway, person, visit)
    except ProblemError as error:
        return await _shown(Look(request, gateway, person), typed, wrong=error.detail)
    return RedirectResponse("/orders", 303)


def wanted_of(typed: Typed) -> ExecuteTrade:
    """The order that was typed. Raises ProblemError that names the fields that are wrong."""
    given: dict[str, Any] = {name: text.strip() for name, text in _fields(typed).items() if text.strip()}
    if "lots" in given:
        given["lots"] = [_lot(line) for line in given["lots"].replace(",", "\n").splitlines() if line.strip()]
    try:
        return ExecuteTrade.model_validate(given)
    except ValidationError as error:
        names = {"product_id": "symbol", "size_usd": "amount", "limit_price": "limit"}
        told = (f"{names.get(str(one['loc'][0]), one['loc'][0])}: {one['msg']}" for one in error.errors())
        raise ProblemError(UNPROCESSABLE, "REQUEST_INVALID", "; ".join(told)) from error


def _lot(line: str) -> dict[str, str]:
    lot_id, _, quantity = line.strip().partition(" ")
    return {"lot_id": lot_id, "quantity": quantity.strip()}


def _fields(typed: Typed) -> dict[str, str]:
    fields: dict[str, str] = typed.model_dump(include=set(Typed.model_fields))
    return fields


async def _shown(look: Look, typed: Typed, *, wrong: str = "", preview: TradePreview | None = None) -> Response:
    values: dict[str, Any] = {"typed": _fields(typed), "wrong": wrong, "preview": preview}
    answer = await show(Look(look.request, look.gateway, look.person, {**values, "key": str(fresh_id())}), TICKET)
    if wrong:
        answer.status_code = UNPROCESSABLE
    return answer
