"""Strategies to choose from, and runs of them: proposed in a sentence or a form, confirmed, paused, resumed, stopped."""

import asyncio
import json
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Form, Header, Query, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.execution import Accounts, AccountsAsked
from quantmatrix.common.contracts.asking.runs import (
    Input,
    Proposal,
    RunDetail,
    RunDetails,
    RunDetailsAsked,
    RunTaken,
    Strategies,
    StrategiesAsked,
    StrategyCard,
    Verdicts,
    VerdictsAsked,
)
from quantmatrix.common.names import RunAct
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import origin
from quantmatrix.common.values import NotExactError, parse_decimal
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit, actor_of
from quantmatrix.gateway.problems import ProblemError, not_found
from quantmatrix.gateway.runs import REASON_MAX, Reason, WantedRun, proposal_of, run_of, send_change, send_start, taken_of
from quantmatrix.gateway.wishes import ACCEPTED, answer_before, send_once, wish_of

ROUTER = APIRouter()
VERDICTS_SHOWN = 60
FIELD = "p."
"""Before the names of a strategy's own parameters in a form."""


class Wish(BaseModel):
    """Why: it stands in the audit trail and in what signals says."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


async def _start(gateway: Gateway, person: Person, visit: Visit, wanted: WantedRun, key: str | None) -> RunTaken:
    """The same key is the same run. Raises 422 when it came with another wish before."""
    wish = wish_of(person, visit, "run", wanted, key)
    before = await answer_before(gateway, wish)
    if before is not None:
        return before
    proposal = await proposal_of(gateway.parts.ask, person.user_id, wanted)
    return await send_once(gateway, wish, taken_of(wish.by, proposal), lambda page: send_start(page, wish.by, proposal))


async def _change(gateway: Gateway, person: Person, visit: Visit, run_id: UUID, act: RunAct, reason: str) -> RunTaken:
    by, run = actor_of(person, visit), await _run(gateway, person, run_id)
    if act not in run.acts:
        raise ProblemError(409, "RUN_STATE", f"the run is {run.state}; possible: {', '.join(run.acts) or 'nothing'}")
    start = origin("run", person.user_id, by.request_id, occurred_at=gateway.parts.clock.now())
    return await gateway.parts.desk.do(lambda page: send_change(page, by, run, act, reason), start)


async def _run(gateway: Gateway, person: Person, run_id: UUID) -> RunDetail:
    run = await run_of(gateway.parts.ask, person.user_id, run_id)
    if run is None:
        raise not_found(f"there is no run {run_id}")
    return run


async def _verdicts(gateway: Gateway, person: Person, run_id: UUID, before: date | None, limit: int) -> Verdicts:
    await _run(gateway, person, run_id)
    asked = VerdictsAsked(user_id=person.user_id, run_id=run_id, before=before, limit=limit)
    found: Verdicts = await gateway.parts.ask("signals", asked)
    return found


@ROUTER.get("/api/v1/strategies/", tags=["strategies"], responses=answers(Strategies))
async def strategies(gateway: Here, person: By) -> Response:
    """What there is to run, with the parameters as a form draws them."""
    return Exact(await gateway.parts.ask("signals", StrategiesAsked()))


@ROUTER.get("/api/v1/strategies/runs/details", tags=["strategies"], responses=answers(RunDetails))
async def details(gateway: Here, person: By) -> Response:
    """The runs of a person with what they own and hold, those at work first."""
    return Exact(await gateway.parts.ask("signals", RunDetailsAsked(user_id=person.user_id)))


@ROUTER.get("/api/v1/strategies/runs/{run_id}", tags=["strategies"], responses=answers(RunDetail))
async def one_run(run_id: UUID, gateway: Here, person: By) -> Response:
    """One run with the rows of its ledger."""
    return Exact(await _run(gateway, person, run_id))


@ROUTER.get("/api/v1/strategies/runs/{run_id}/verdicts", tags=["strategies"], responses=answers(Verdicts))
async def verdicts(
    run_id: UUID, gateway: Here, person: By, before: date | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> Response:
    """What a bot made of its latest bars, the first gate that was shut included; before: of sessions before this one."""
    return Exact(await _verdicts(gateway, person, run_id, before, limit))


@ROUTER.post("/api/v1/strategies/runs/propose", tags=["strategies"], responses=answers(Proposal))
async def propose(wanted: WantedRun, gateway: Here, person: By) -> Response:
    """What a sentence or a form means, for a person to confirm. Nothing is started."""
    return Exact(await proposal_of(gateway.parts.ask, person.user_id, wanted))


@ROUTER.post("/api/v1/strategies/runs/", tags=["strategies"], status_code=ACCEPTED, responses=answers(RunTaken, ACCEPTED))
async def start(
    wanted: WantedRun,
    gateway: Here,
    person: ByTrader,
    visit: From,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Start what was proposed. The same Idempotency-Key is the same run."""
    return Exact(await _start(gateway, person, visit, wanted, idempotency_key), ACCEPTED)


@ROUTER.post("/api/v1/strategies/runs/{run_id}/{act}", tags=["strategies"], status_code=ACCEPTED, responses=answers(RunTaken, ACCEPTED))
async def change(run_id: UUID, act: RunAct, wish: Wish, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Pause, resume, stop and sell everything (flatten), or stop and keep the positions (keep)."""
    return Exact(await _change(gateway, person, visit, run_id, act, wish.reason), ACCEPTED)


class Choice(msgspec.Struct, frozen=True):
    """A strategy to fill in: its card, the exits any run can have, the accounts there are, and what was wrong before."""

    card: StrategyCard
    exits: tuple[Input, ...]
    accounts: Accounts


async def load_runs(look: Look) -> RunDetails:
    found: RunDetails = await look.ask("signals", RunDetailsAsked(user_id=look.person.user_id))
    return found


async def load_catalogue(look: Look) -> Strategies:
    found: Strategies = await look.ask("signals", StrategiesAsked())
    return found


async def load_choice(look: Look) -> Choice:
    found, accounts = await asyncio.gather(
        look.ask("signals", StrategiesAsked()), look.ask("execution", AccountsAsked(user_id=look.person.user_id))
    )
    card = next((one for one in found.strategies if one.name == look.values["strategy"]), None)
    if card is None:
        raise not_found(f"there is no strategy {look.values['strategy']}")
    return Choice(card, found.exits, accounts)


async def load_run(look: Look) -> RunDetail:
    return await _run(look.gateway, look.person, look.values["run_id"])


async def load_verdicts(look: Look) -> Verdicts:
    return await _verdicts(look.gateway, look.person, look.values["run_id"], None, VERDICTS_SHOWN)


async def load_proposal(look: Look) -> Proposal:
    found: Proposal = look.values["proposal"]
    return found


STRATEGIES = Page("/strategies", "strategies.html", {"runs": load_runs, "catalogue": load_catalogue})
CHOICE = Page("/strategies/one", "strategy.html", {"choice": load_choice})
RUN = Page("/strategies/run", "run.html", {"run": load_run, "verdicts": load_verdicts})
CONFIRM = Page("/strategies/confirm", "run_confirm.html", {"proposal": load_proposal})


@ROUTER.get("/strategies", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"said": "", "wrong": ""}), STRATEGIES)


@ROUTER.get("/strategies/{strategy}", include_in_schema=False)
async def strategy_page(strategy: str, request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"strategy": strategy, "wrong": "", "given": {}}), CHOICE)


@ROUTER.get("/strategies/runs/{run_id}", include_in_schema=False)
async def run_page(run_id: UUID, request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"run_id": run_id}), RUN)


@ROUTER.post("/strategies/propose", include_in_schema=False)
async def propose_on_page(
    request: Request, gateway: Here, person: ByTrader, sentence: Annotated[str, Form(min_length=1, max_length=300)]
) -> Response:
    """The sentence's form to confirm, or the page again with what is wrong."""
    wanted = WantedRun(sentence=sentence)
    try:
        found = await proposal_of(gateway.parts.ask, person.user_id, wanted)
    except Refused as error:
        return await show(Look(request, gateway, person, {"said": sentence, "wrong": error.detail}), STRATEGIES)
    return await _confirm(request, gateway, person, wanted, found)


@ROUTER.post("/strategies/{strategy}/propose", include_in_schema=False)
async def propose_form(strategy: str, request: Request, gateway: Here, person: ByTrader) -> Response:
    """The filled-in form to confirm, or the form again with what is wrong."""
    given = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        wanted = _wanted(strategy, given)
        found = await proposal_of(gateway.parts.ask, person.user_id, wanted)
    except (Refused, ValidationError) as error:
        wrong = error.detail if isinstance(error, Refused) else _first(error)
        return await show(Look(request, gateway, person, {"strategy": strategy, "wrong": wrong, "given": given}), CHOICE)
    return await _confirm(request, gateway, person, wanted, found)


async def _confirm(request: Request, gateway: Gateway, person: Person, wanted: WantedRun, found: Proposal) -> Response:
    values = {"proposal": found, "wanted": wanted.model_dump_json(exclude_defaults=True)}
    return await show(Look(request, gateway, person, values), CONFIRM)


@ROUTER.post("/strategies/runs", include_in_schema=False)
async def start_on_page(
    gateway: Here,
    person: ByTrader,
    visit: From,
    wanted: Annotated[str, Form(max_length=20_000)],
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    try:
        asked = WantedRun.model_validate_json(wanted)
    except ValidationError as error:
        raise ProblemError(422, "REQUEST_INVALID", _first(error)) from error
    taken = await _start(gateway, person, visit, asked, key or None)
    return RedirectResponse(f"/strategies#run-{taken.run_id}", 303)


@ROUTER.post("/strategies/runs/{run_id}/{act}", include_in_schema=False)
async def change_on_page(
    run_id: UUID,
    act: RunAct,
    gateway: Here,
    person: ByTrader,
    visit: From,
    reason: Annotated[str, Form(min_length=1, max_length=REASON_MAX)],
) -> Response:
    await _change(gateway, person, visit, run_id, act, reason)
    return RedirectResponse("/strategies", 303)


def _wanted(strategy: str, given: dict[str, str]) -> WantedRun:
    """A form's fields as a wish: empty ones are left to the strategy. Percentages of the run's cycle become fractions."""
    own: dict[str, Any] = {}
    exits: dict[str, Any] = {}
    for name, text in given.items():
        group, _, field = name.partition(".")
        if text and group in ("p", "x"):
            (own if group == "p" else exits)[field] = _value(text)
    told = {
        "strategy": strategy,
        "account_id": given.get("account_id") or None,
        "capital": given.get("capital") or None,
        "parameters": {**own, "exits": exits} if exits else own,
    }
    for name in ("profit_target", "reinvest"):
        text = given.get(name, "")
        told[name] = _hundredth(text) if text else None
    return WantedRun.model_validate(told)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _hundredth(text: str) -> str:
    """A percentage as a fraction; what is no number is left for the model to refuse."""
    try:
        return format(parse_decimal(text.strip()).scaleb(-2), "f")
    except NotExactError:
        return text


def _first(error: ValidationError) -> str:
    one = error.errors()[0]
    return f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
