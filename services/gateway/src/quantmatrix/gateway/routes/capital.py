"""Capital of runs: given later, or taken back, out of what is free on the account."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.runs import RunTaken
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.page import origin
from quantmatrix.common.values import Money
from quantmatrix.gateway.acting import Actor
from quantmatrix.gateway.context import ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import not_found
from quantmatrix.gateway.runs import CURRENCY, REASON_MAX, Reason, run_of, send_funding

ROUTER = APIRouter()
ACCEPTED = 202
Amount = Annotated[Decimal, Field(max_digits=17, decimal_places=2)]


class Funding(BaseModel):
    """How much more a run may use, in US dollars; below zero is taken back. reason: it stands in the audit trail."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    reason: Reason


async def _fund(gateway: Gateway, person: Person, visit: Visit, run_id: UUID, wanted: Funding) -> RunTaken:
    run = await run_of(gateway.parts.ask, person.user_id, run_id)
    if run is None:
        raise not_found(f"there is no run {run_id}")
    by = Actor(person.user_id, person.name, visit.address, visit.request_id)
    start = origin("fund run", person.user_id, derived_id(run_id, by.request_id), occurred_at=gateway.parts.clock.now())
    return await gateway.parts.desk.do(lambda page: send_funding(page, by, run, Money(wanted.amount, CURRENCY), wanted.reason), start)


@ROUTER.post("/api/v1/strategies/runs/{run_id}/capital", tags=["strategies"], status_code=ACCEPTED, responses=answers(RunTaken, ACCEPTED))
async def fund(run_id: UUID, wanted: Funding, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Give a run more of the account's free cash, or take free capital back; signals says RunFunded or RunRefused."""
    return Exact(await _fund(gateway, person, visit, run_id, wanted), ACCEPTED)


@ROUTER.post("/strategies/runs/{run_id}/capital", include_in_schema=False)
async def fund_on_page(
    run_id: UUID,
    gateway: Here,
    person: ByTrader,
    visit: From,
    amount: Annotated[Amount, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=REASON_MAX)],
) -> Response:
    await _fund(gateway, person, visit, run_id, Funding(amount=amount, reason=reason))
    return RedirectResponse(f"/strategies/runs/{run_id}", 303)
