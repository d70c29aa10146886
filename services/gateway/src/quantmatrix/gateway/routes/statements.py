"""Brokers' statements, as page and over the API: files handed in, booked, looked at; breaks with fills resolved."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quantmatrix.common.contracts.asking.statements import (
    BookStatements,
    ResolveStatementBreak,
    StatementBreakResolved,
    StatementChoice,
    StatementPartGiven,
    StatementPartTaken,
    Statements,
    StatementsAsked,
    StatementsBooked,
)
from quantmatrix.common.names import TOKEN, AccountId
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import ProblemError

ROUTER = APIRouter()
PART_BYTES = 256 * 1024
PARTS_MAX = 256
FILES_MAX = 50
DEADLINE_S = 120.0
"""Booking the statements of many years takes longer than other questions."""
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class Choice(BaseModel):
    """What is said of one uploaded file alone, instead of what is said of all."""

    model_config = ConfigDict(extra="forbid")

    upload_id: UUID
    since: date | None = None
    treatment: Literal["taxable", "tax-deferred"] | None = None


class Booking(BaseModel):
    """Uploaded files that belong together. since: book nothing before this day; treatment: how gains of their account are taxed."""

    model_config = ConfigDict(extra="forbid")

    uploads: Annotated[list[UUID], Field(min_length=1, max_length=FILES_MAX)]
    account_id: Annotated[str | None, Field(pattern=TOKEN.replace("(?!\\n)", ""), description="Our name of the account.")] = None
    since: date | None = None
    treatment: Literal["taxable", "tax-deferred"] | None = None
    choices: Annotated[list[Choice], Field(max_length=FILES_MAX)] = []


class Resolution(BaseModel):
    """Why a break needs no more attention."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


@ROUTER.put("/api/v1/statements/uploads/{upload_id}", tags=["statements"], responses=answers(StatementPartTaken))
async def upload(
    upload_id: UUID, request: Request, gateway: Here, person: ByTrader, name: Annotated[str, Query(min_length=1, max_length=200)]
) -> Response:
    """Hand in one file as the body of the request, under an id that the caller chooses; it is passed on in parts as it arrives."""
    taken = StatementPartTaken(0)
    number = 0
    async for number, part in _numbered(request):
        if number >= PARTS_MAX:
            raise ProblemError(413, "BODY_TOO_LARGE", f"a file has at most {PARTS_MAX * PART_BYTES} bytes")
        asked = StatementPartGiven(
            user_id=person.user_id, upload_id=upload_id, part=number, name=name, body=part, at=gateway.parts.clock.now()
        )  # fmt: skip
        taken = await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S)
    return Exact(taken)


async def _numbered(request: Request) -> AsyncIterator[tuple[int, bytes]]:
    """The body in parts of one size with their numbers; an empty file is one empty part."""
    held, number = bytearray(), 0
    async for chunk in request.stream():
        held += chunk
        while len(held) >= PART_BYTES:
            yield number, bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
            number += 1
    if held or not number:
        yield number, bytes(held)


@ROUTER.post("/api/v1/statements/", tags=["statements"], responses=answers(StatementsBooked))
async def book(wanted: Booking, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Check uploaded files together and book each that agrees with itself; the answer says what came of each."""
    await gateway.people.note(
        person, visit, "statements.booked", wanted.account_id or "", after={"files": len(wanted.uploads), "since": str(wanted.since or "")}
    )
    asked = BookStatements(
        user_id=person.user_id,
        uploads=tuple(wanted.uploads),
        at=gateway.parts.clock.now(),
        account_id=AccountId(wanted.account_id) if wanted.account_id else None,
        since=wanted.since,
        treatment=wanted.treatment,
        choices=tuple(StatementChoice(one.upload_id, one.since, one.treatment) for one in wanted.choices),
    )
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S))


@ROUTER.get("/api/v1/statements/", tags=["statements"], responses=answers(Statements))
async def imported(gateway: Here, person: By) -> Response:
    """Imported files, the latest first, their accounts, and breaks with fills."""
    return Exact(await gateway.parts.ask("portfolio", StatementsAsked(user_id=person.user_id)))


@ROUTER.post("/api/v1/statements/breaks/{break_id}/resolve", tags=["statements"], responses=answers(StatementBreakResolved))
async def resolve(break_id: Annotated[UUID, Path()], wanted: Resolution, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Close a break with a reason. Raises 404 when there is none that is open."""
    return Exact(await resolved(gateway, person, visit, break_id, wanted.reason))


async def resolved(gateway: Gateway, person: Person, visit: Visit, break_id: UUID, reason: str) -> StatementBreakResolved:
    await gateway.people.note(person, visit, "statements.break.resolved", str(break_id), after={"reason": reason})
    asked = ResolveStatementBreak(user_id=person.user_id, break_id=break_id, reason=reason, at=gateway.parts.clock.now())
    found: StatementBreakResolved = await gateway.parts.ask("portfolio", asked)
    if not found.done:
        raise ProblemError(404, "NOT_FOUND", "there is no such open break, or it is not yours")
    return found


async def load_imported(look: Look) -> Statements:
    found: Statements = await look.ask("portfolio", StatementsAsked(user_id=look.person.user_id))
    return found


PAGE = Page("/statements", "statements.html", {"imported": load_imported})


@ROUTER.get("/statements", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person), PAGE)


@ROUTER.post("/statements/breaks/{break_id}", include_in_schema=False)
async def resolve_on_page(
    break_id: UUID,
    request: Request,
    gateway: Here,
    person: ByTrader,
    visit: From,
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:
    await resolved(gateway, person, visit, break_id, reason)
    return await show(Look(request, gateway, person), PAGE)
