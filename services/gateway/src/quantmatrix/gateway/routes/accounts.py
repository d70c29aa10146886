"""Accounts: whether each may trade, where the broker's books differ from ours, and what a broker's letter tells; as page and over the API."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Form, Header, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked, AssignmentTaken
from quantmatrix.common.contracts.asking.execution import Accounts, AccountsAsked, AccountSummary, Breaks, BreaksAsked
from quantmatrix.common.contracts.commands import ResolveBreak, SetTradingState
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, TradingState
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.values import Quantity
from quantmatrix.gateway.acting import act
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import ProblemError, not_found

ROUTER = APIRouter()
ACCEPTED, CREATED = 202, 201
DEADLINE_S = 10.0
STRICTNESS = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)
Reason = Annotated[str, Field(min_length=1, max_length=400, pattern=r"\S")]
Password = Annotated[str, Field(max_length=512)]


class TradingWanted(BaseModel):
    """Whether an account may trade. cancel_open: and cancel whatever is open. password: yours, needed to let more happen than now."""

    model_config = ConfigDict(extra="forbid")

    state: TradingState
    reason: Reason
    cancel_open: bool = False
    password: Password = ""


class BreakAccepted(BaseModel):
    """Why a difference is all right as it stands."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Taken(msgspec.Struct, frozen=True):
    """The command is on its way; the stream tells when it is done."""

    account_id: AccountId


async def set_state(gateway: Gateway, person: Person, visit: Visit, account_id: str, wanted: TradingWanted) -> Taken:
    """Raises 404 for an account that is not the person's, and 403 when loosening without the right password."""
    account = await _own(gateway, person, account_id)
    if STRICTNESS.index(wanted.state) < STRICTNESS.index(account.trading_state):
        await _confirm(gateway, person, visit, wanted.password)
    command = SetTradingState(
        command_id=visit.request_id,
        user_id=person.user_id,
        account_id=account.account_id,
        state=wanted.state,
        reason=wanted.reason,
        cancel_open=wanted.cancel_open,
    )
    after = {"state": wanted.state.value, "reason": wanted.reason, "cancel_open": wanted.cancel_open}
    before = {"state": account.trading_state.value}
    await act(gateway, person, visit, command, "account.trading_state", account.account_id, before=before, after=after)
    return Taken(account.account_id)


async def accept_break(gateway: Gateway, person: Person, visit: Visit, break_id: UUID, reason: str) -> Taken:
    """Raises 404 for a difference that is not there or not the person's, and 409 for one that is over."""
    found = (await gateway.parts.ask("execution", BreaksAsked(user_id=person.user_id, limit=500))).breaks
    one = next((each for each in found if each.break_id == break_id), None)
    if one is None:
        raise not_found(f"there is no difference {break_id}")
    if one.resolved_at is not None:
        raise ProblemError(409, "BREAK_OVER", f"the difference is over: {one.resolution}")
    command = ResolveBreak(command_id=visit.request_id, user_id=person.user_id, account_id=one.account_id, break_id=break_id, reason=reason)
    before = {"about": one.about, "ours": one.ours, "theirs": one.theirs}
    await act(gateway, person, visit, command, "account.break_accepted", one.account_id, before=before, after={"reason": reason})
    return Taken(one.account_id)


async def _own(gateway: Gateway, person: Person, account_id: str) -> AccountSummary:
    found = (await gateway.parts.ask("execution", AccountsAsked(user_id=person.user_id))).accounts
    one = next((each for each in found if each.account_id == account_id), None)
    if one is None:
        raise not_found(f"there is no account {account_id[:40]} of yours")
    return one


async def _confirm(gateway: Gateway, person: Person, visit: Visit, password: str) -> None:
    if not password:
        raise ProblemError(403, "PASSWORD_REQUIRED", "letting an account do more than it may now needs your password")
    wrong = await gateway.people.confirmed(person, password, visit)
    if wrong is not None:
        headers = {"Retry-After": str(wrong.wait_s)} if wrong.wait_s else {}
        raise ProblemError(429 if wrong.wait_s else 403, "PASSWORD_WRONG", wrong.detail, headers=headers)


@ROUTER.get("/api/v1/accounts/", tags=["accounts"], responses=answers(Accounts))
async def accounts(gateway: Here, person: By) -> Response:
    """Your accounts, their cash at the broker, and whether each may trade."""
    return Exact(await gateway.parts.ask("execution", AccountsAsked(user_id=person.user_id)))


@ROUTER.get("/api/v1/accounts/breaks", tags=["accounts"], responses=answers(Breaks))
async def breaks(gateway: Here, person: By) -> Response:
    """Differences between the brokers' books and ours, open ones first."""
    return Exact(await gateway.parts.ask("execution", BreaksAsked(user_id=person.user_id)))


@ROUTER.post("/api/v1/accounts/{account_id}/trading-state", tags=["accounts"], status_code=ACCEPTED, responses=answers(Taken, ACCEPTED))
async def change_state(account_id: str, wanted: TradingWanted, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Let an account trade, only reduce, or stop. Stopping is always allowed; loosening needs your password."""
    return Exact(await set_state(gateway, person, visit, account_id, wanted), ACCEPTED)


@ROUTER.post("/api/v1/accounts/breaks/{break_id}/accept", tags=["accounts"], status_code=ACCEPTED, responses=answers(Taken, ACCEPTED))
async def accept(break_id: UUID, wanted: BreakAccepted, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Accept a difference as it stands: it stops the account no longer, until it changes."""
    return Exact(await accept_break(gateway, person, visit, break_id, wanted.reason), ACCEPTED)


class WantedAssignment(BaseModel):
    """Contracts that were sold and assigned before their end, as the broker's letter tells it."""

    model_config = ConfigDict(extra="forbid")

    option: Annotated[str, Field(min_length=1, max_length=40, description="Its OCC symbol, with or without the blanks in it.")]
    contracts: Annotated[int, Field(gt=0, le=1_000_000)]
    session: Annotated[date, Field(description="After whose close they were assigned.")]


async def tell_assignment(
    gateway: Gateway, person: Person, visit: Visit, account_id: str, wanted: WantedAssignment, key: str
) -> AssignmentTaken:
    """Written down first, then asked. The same key with the same letter books nothing more. Raises Refused as execution does."""
    account = await _own(gateway, person, account_id)
    about = f"{account.account_id}: {wanted.contracts} of {wanted.option} after {wanted.session}"
    await gateway.people.note(person, visit, "account.assignment", about)
    asked = AssignmentBookingAsked(
        command_id=derived_id("assignment", person.user_id, key, wanted.model_dump_json()),
        account_id=account.account_id,
        option=wanted.option,
        contracts=Quantity(wanted.contracts),
        session=wanted.session,
        user_id=person.user_id,
    )
    return await gateway.parts.ask("execution", asked, deadline_s=DEADLINE_S)


@ROUTER.post(
    "/api/v1/accounts/{account_id}/assignments", tags=["accounts"], status_code=CREATED, responses=answers(AssignmentTaken, CREATED)
)
async def tell(
    account_id: str,
    wanted: WantedAssignment,
    gateway: Here,
    person: ByTrader,
    visit: From,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Tell of an early assignment, or be told why it cannot be: nothing has changed then. The same key with the same body books nothing more."""
    if idempotency_key is None:
        raise ProblemError(
            400, "IDEMPOTENCY_KEY_REQUIRED", "give every letter a header Idempotency-Key of its own, and repeat it on a retry"
        )
    return Exact(await tell_assignment(gateway, person, visit, account_id, wanted, idempotency_key), CREATED)


async def load_accounts(look: Look) -> Accounts:
    found: Accounts = await look.ask("execution", AccountsAsked(user_id=look.person.user_id))
    return found


async def load_breaks(look: Look) -> Breaks:
    found: Breaks = await look.ask("execution", BreaksAsked(user_id=look.person.user_id))
    return found


ACCOUNTS = Page("/accounts", "accounts.html", {"accounts": load_accounts, "breaks": load_breaks})


@ROUTER.get("/accounts", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, _values()), ACCOUNTS)


def _values(wrong: str = "", told: str = "") -> dict[str, str]:
    """wrong: what a letter was refused for; told: the letter that was booked. key: of the next one, whatever happens to its answer."""
    return {"wrong": wrong, "told": told, "key": str(fresh_id())}


@ROUTER.post("/accounts/{account_id}/assignments", include_in_schema=False)
async def tell_on_page(
    request: Request,
    account_id: str,
    gateway: Here,
    person: ByTrader,
    visit: From,
    option: Annotated[str, Form(max_length=200)],
    contracts: Annotated[str, Form(max_length=40)],
    session: Annotated[str, Form(max_length=40)],
    key: Annotated[str, Form(min_length=1, max_length=200)],
) -> Response:
    """The page again, with what was booked or with the reason why not."""
    try:
        wanted = WantedAssignment.model_validate({"option": option.strip(), "contracts": contracts, "session": session})
        taken = await tell_assignment(gateway, person, visit, account_id, wanted, key)
    except ValidationError as error:
        wrong = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        return await show(Look(request, gateway, person, _values(wrong=wrong)), ACCOUNTS)
    except Refused as error:
        return await show(Look(request, gateway, person, _values(wrong=error.detail)), ACCOUNTS)
    told = f"{wanted.contracts} of {wanted.option} after {wanted.session}: " + ("booked" if taken.booked else "was booked before")
    return await show(Look(request, gateway, person, _values(told=told)), ACCOUNTS)


@ROUTER.post("/accounts/breaks/{break_id}/accept", include_in_schema=False)
async def accept_on_page(break_id: UUID, gateway: Here, person: ByTrader, visit: From, reason: Annotated[Reason, Form()]) -> Response:
    await accept_break(gateway, person, visit, break_id, reason)
    return RedirectResponse("/accounts", 303)


@ROUTER.post("/accounts/{account_id}/trading-state", include_in_schema=False)
async def change_on_page(
    account_id: str,
    gateway: Here,
    person: ByTrader,
    visit: From,
    state: Annotated[TradingState, Form()],
    reason: Annotated[Reason, Form()],
    cancel_open: Annotated[bool, Form()] = False,
    password: Annotated[Password, Form()] = "",
) -> Response:
    wanted = TradingWanted(state=state, reason=reason, cancel_open=cancel_open, password=password)
    await set_state(gateway, person, visit, account_id, wanted)
    return RedirectResponse("/accounts", 303)
