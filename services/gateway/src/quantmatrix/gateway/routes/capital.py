"""Capital of runs: given later, or taken back, out of what is free on the account."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.runs import RunTaken
from quantmatrix.common.values import Money
from quantmatrix.gateway.context import ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import PLAIN, Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import not_found
from quantmatrix.gateway.runs import CURRENCY, REASON_MAX, Reason, run_of, send_funding
from quantmatrix.gateway.wishes import ACCEPTED, answer_before, send_once, wish_of

ROUTER = APIRouter()
Amount = Annotated[Decimal, Field(max_digits=17, decimal_places=2), PLAIN]


class Funding(BaseModel):
    """How much more a run may use, in US dollars; below zero is taken back. reason: it stands in the audit trail."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    reason: Reason


async def _fund(gateway: Gateway, person: Person, visit: Visit, run_id: UUID, wanted: Funding, key: str | None) -> RunTaken:
    """The same key moves capital once. Raises 422 when it came with another wish before."""
    wish = wish_of(person, visit, f"capital {run_id}", wanted, key)
    before = await answer_before(gateway, wish)
    if before is not None:
        return before
    run = await run_of(gateway.parts.ask, person.user_id, run_id)
    if run is None:
        raise not_found(f"there is no run {run_id}")
    amount = Money(wanted.amount, CURRENCY)
    taken = RunTaken(run.run_id, run.account_id, "capital")
    return await send_once(gateway, wish, taken, lambda page: send_funding(page, wish.by, run, amount, wanted.reason))


@ROUTER.post("/api/v1/strategies/runs/{run_id}/capital", tags=["strategies"], status_code=ACCEPTED, responses=answers(RunTaken, ACCEPTED))
async def fund(
    run_id: UUID,
    wanted: Funding,
    gateway: Here,
    person: ByTrader,
    visit: From,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Give a run more of the account's free cash, or take free capital back; signals says RunFunded or RunRefused.

    The same Idempotency-Key moves it once.
    """
    return Exact(await _fund(gateway, person, visit, run_id, wanted, idempotency_key), ACCEPTED)


@ROUTER.post("/strategies/runs/{run_id}/capital", include_in_schema=False)
async def fund_on_page(
    run_id: UUID,
    gateway: Here,
    person: ByTrader,
    visit: From,
    amount: Annotated[Amount, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=REASON_MAX)],
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    await _fund(gateway, person, visit, run_id, Funding(amount=amount, reason=reason), key or None)
    return RedirectResponse(f"/strategies/runs/{run_id}", 303)
