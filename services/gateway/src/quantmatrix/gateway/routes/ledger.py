"""What people tell the ledger over the API: lot methods, ends of options, corporate actions, transfers, bases, reversals."""

from datetime import date
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quantmatrix.common.contracts.asking.acts import (
    Act,
    ActBookingAsked,
    ActsAsked,
    ActTaken,
    LotMethodChangeAsked,
    LotMethodHistory,
    LotMethodsAsked,
    ToldActs,
    act_of_json,
)
from quantmatrix.common.contracts.codec import MalformedMessageError
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.gateway.context import By, ByTrader, From, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.problems import ProblemError

ROUTER = APIRouter(prefix="/api/v1/portfolio/accounts/{account_id}", tags=["portfolio"])
CREATED = 201
DEADLINE_S = 10.0
"""Books of years that are made anew take longer than other questions."""


class WantedMethod(BaseModel):
    """A lot method, and the first day it holds for."""

    model_config = ConfigDict(extra="forbid")

    method: Annotated[str, Field(min_length=1, max_length=40, description="One of those that `allowed` names, for example HIFO.")]
    since: date


@ROUTER.get("/lot-method", responses=answers(LotMethodHistory))
async def lot_methods(account_id: str, gateway: Here, person: By) -> Response:
    """Which lots the account's sales use up, from which day on."""
    return Exact(await gateway.parts.ask("portfolio", LotMethodsAsked(account_id=AccountId(account_id), user_id=person.user_id)))


@ROUTER.post("/lot-method", responses=answers(LotMethodHistory))
async def change_method(account_id: str, wanted: WantedMethod, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Use another method from a day on. What was closed before that day stays; what was closed since is booked anew."""
    await gateway.people.note(person, visit, "account.lot_method", f"{account_id}: {wanted.method} since {wanted.since}")
    asked = LotMethodChangeAsked(
        command_id=visit.request_id,
        account_id=AccountId(account_id),
        method=wanted.method,
        since=wanted.since,
        user_id=person.user_id,
    )
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S))


@ROUTER.get("/acts", responses=answers(ToldActs))
async def acts(account_id: str, gateway: Here, person: By) -> Response:
    """What was told about the account beside its fills, in the order it was told."""
    return Exact(await gateway.parts.ask("portfolio", ActsAsked(account_id=AccountId(account_id), user_id=person.user_id)))


@ROUTER.post("/acts", status_code=CREATED, responses=answers(ActTaken, CREATED))
async def tell(
    account_id: str,
    act: Annotated[dict[str, Any], Body(description="`what` names the kind; amounts are decimal strings.")],
    gateway: Here,
    person: ByTrader,
    visit: From,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Book an act, or refuse it with its reason and change nothing. The same key with the same body books nothing more."""
    if idempotency_key is None:
        raise ProblemError(400, "IDEMPOTENCY_KEY_REQUIRED", "give every act a header Idempotency-Key of its own, and repeat it on a retry")
    meant = _act(act)
    await gateway.people.note(person, visit, "account.act", f"{account_id}: {act['what']}")
    asked = ActBookingAsked(
        command_id=derived_id("act", person.user_id, idempotency_key),
        account_id=AccountId(account_id),
        act=meant,
        user_id=person.user_id,
    )
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S), CREATED)


def _act(body: dict[str, Any]) -> Act:
    try:
        return act_of_json(msgspec.json.encode(body))
    except MalformedMessageError as error:
        raise ProblemError(422, "ACT_INVALID", str(error)) from error
