"""Wishes about strategy runs, from the console, over the API and from the machine's operator: checked, written down, and sent."""

import json
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from quantmatrix.common.contracts.asking.runs import (
    Misunderstood,
    Proposal,
    ProposalAsked,
    Proposed,
    RunChangeAsked,
    RunDetail,
    RunDetails,
    RunDetailsAsked,
    RunFundAsked,
    RunStartAsked,
    RunTaken,
)
from quantmatrix.common.contracts.commands import ChangeRun, FundRun, StartRun
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, RunAct, RunId, UserId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.values import Money
from quantmatrix.gateway.exact import PLAIN
from quantmatrix.gateway.people import MACHINE, Actor, operator
from quantmatrix.gateway.store import GatewayStore

CURRENCY = "USD"
REASON_MAX = 400
Reason = Annotated[str, Field(min_length=1, max_length=REASON_MAX)]


class WantedRun(BaseModel):
    """A run in one sentence, or in the fields of a form. Fractions: 0.2 is 20 %. parameters: by name, beside what the sentence says."""

    model_config = ConfigDict(extra="forbid")

    sentence: Annotated[str, Field(max_length=300)] = ""
    strategy: Annotated[str, Field(max_length=80)] = ""
    account_id: Annotated[str | None, Field(max_length=40)] = None
    capital: Annotated[Decimal | None, Field(gt=0, max_digits=17, decimal_places=2, description="In US dollars."), PLAIN] = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    profit_target: Annotated[Decimal | None, Field(gt=0, le=10, max_digits=8), PLAIN] = None
    reinvest: Annotated[Decimal | None, Field(ge=0, le=1, max_digits=8), PLAIN] = None


async def proposal_of(ask: Ask, user: UserId, wanted: WantedRun) -> Proposal:
    """The run as it would start. Raises Refused with the part that cannot be, where it stands, and what would be possible."""
    asked = ProposalAsked(
        user_id=user,
        sentence=wanted.sentence,
        strategy=wanted.strategy,
        account_id=AccountId(wanted.account_id) if wanted.account_id else None,
        capital=Money(wanted.capital, CURRENCY) if wanted.capital is not None else None,
        parameters={name: json.dumps(value) for name, value in wanted.parameters.items()},
        profit_target=str(wanted.profit_target) if wanted.profit_target is not None else None,
        reinvest=str(wanted.reinvest) if wanted.reinvest is not None else None,
    )
    found: Proposed = await ask("signals", asked)
    if found.proposal is None:
        raise _refused(found.problem or Misunderstood("NOT_UNDERSTOOD", "", 0, "this is not understood"))
    return found.proposal


async def run_of(ask: Ask, user: UserId, run_id: UUID) -> RunDetail | None:
    """One run of a user with its ledger."""
    found: RunDetails = await ask("signals", RunDetailsAsked(user_id=user, run_id=run_id))
    return found.runs[0] if found.runs else None


def taken_of(by: Actor, proposal: Proposal) -> RunTaken:
    """What is answered to a wish to start: the run's id follows from the request."""
    return RunTaken(RunId(derived_id("run", by.user_id, by.request_id)), proposal.account_id, "start")


async def send_start(page: Page, by: Actor, proposal: Proposal) -> RunTaken:
    """Write down and send."""
    taken = taken_of(by, proposal)
    run_id = taken.run_id
    command = StartRun(
        command_id=derived_id("start run", run_id),
        user_id=by.user_id,
        account_id=proposal.account_id,
        run_id=run_id,
        strategy=proposal.strategy,
        capital=proposal.capital,
        parameters=proposal.chosen,
        profit_target=proposal.profit_target,
        reinvest=proposal.reinvest,
        sentence=proposal.sentence,
    )
    after = {
        "strategy": proposal.strategy,
        "account_id": proposal.account_id,
        "capital": str(proposal.capital),
        "sentence": proposal.sentence,
        "parameters": proposal.chosen,
    }
    await _note(page, by, "run.start", str(run_id), None, after)
    page.say(command, identity=command.command_id)
    return taken


async def send_change(page: Page, by: Actor, run: RunDetail, act: RunAct, reason: str) -> RunTaken:
    """Write down and send. Asking twice changes nothing."""
    command = ChangeRun(
        command_id=derived_id("change run", run.run_id, by.request_id),
        user_id=by.user_id,
        account_id=run.account_id,
        run_id=run.run_id,
        act=act,
        reason=reason,
    )
    await _note(page, by, f"run.{act}", str(run.run_id), {"state": run.state.value}, {"act": act.value, "reason": reason})
    page.say(command, identity=command.command_id)
    return RunTaken(run.run_id, run.account_id, act.value)


async def send_funding(page: Page, by: Actor, run: RunDetail, amount: Money, reason: str) -> RunTaken:
    """Write down and send. Raises Refused for what cannot be seen from here to be possible: a run that is over, nothing at all."""
    if RunAct.FLATTEN not in run.acts or not amount.amount:
        raise Refused("RUN_STATE", f"the run is {run.state} and the amount {amount}; capital goes to runs at work, and is not zero")
    command = FundRun(
        command_id=derived_id("fund run", run.run_id, by.request_id),
        user_id=by.user_id,
        account_id=run.account_id,
        run_id=run.run_id,
        amount=amount,
        reason=reason,
    )
    await _note(page, by, "run.fund", str(run.run_id), {"base": str(run.base)}, {"amount": str(amount), "reason": reason})
    page.say(command, identity=command.command_id)
    return RunTaken(run.run_id, run.account_id, "capital")


async def _note(page: Page, by: Actor, action: str, about: str, before: object | None, after: object) -> None:
    at = page.cause.occurred_at
    await GatewayStore(page.connection).add_audit(by.wrote(at, action, about, before=before, after=after))


class Operating:
    """What the machine's operator asks for on behalf of a user; the trail names the operator."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def start(self, asked: RunStartAsked, page: Page) -> RunTaken:
        """Raises Refused with the first thing that cannot be."""
        by = await self._by(asked.user, page)
        wanted = WantedRun(sentence=asked.sentence, account_id=asked.account_id, parameters=_read(asked.parameters))
        return await send_start(page, by, await proposal_of(self._parts.ask, by.user_id, wanted))

    async def change(self, asked: RunChangeAsked, page: Page) -> RunTaken:
        by = await self._by(asked.user, page)
        run = await run_of(self._parts.ask, by.user_id, asked.run_id)
        if run is None:
            raise Refused("RUN_UNKNOWN", f"there is no run {asked.run_id}")
        if asked.act not in run.acts:
            raise Refused("RUN_STATE", f"the run is {run.state}; possible: {', '.join(run.acts) or 'nothing'}")
        return await send_change(page, by, run, asked.act, asked.reason[:REASON_MAX])

    async def fund(self, asked: RunFundAsked, page: Page) -> RunTaken:
        by = await self._by(asked.user, page)
        run = await run_of(self._parts.ask, by.user_id, asked.run_id)
        if run is None:
            raise Refused("RUN_UNKNOWN", f"there is no run {asked.run_id}")
        return await send_funding(page, by, run, asked.amount, asked.reason[:REASON_MAX])

    async def _by(self, name: str, page: Page) -> Actor:
        request = page.cause.message_id
        if not name:
            return operator(request)
        user = await GatewayStore(page.connection).user_by_name(name)
        if user is None:
            raise Refused("USER_UNKNOWN", f"there is no user {name!r}")
        return Actor(user.user_id, f"operator for {user.name}", MACHINE, request)


def _refused(problem: Misunderstood) -> Refused:
    place = f"{problem.part!r} at {problem.position + 1}: " if problem.part else ""
    offered = f"; possible: {', '.join(problem.possible)}" if problem.possible else ""
    return Refused(problem.code, f"{place}{problem.why}{offered}")


def _read(parameters: dict[str, str]) -> dict[str, Any]:
    try:
        return {name: json.loads(value) for name, value in parameters.items()}
    except ValueError as error:
        raise Refused("PARAMETERS", "a parameter is JSON") from error
