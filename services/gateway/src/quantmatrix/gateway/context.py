"""What a route works with: the gateway's parts, the person behind the request, and where it comes from."""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from quantmatrix.common.runtime.service import Parts
from quantmatrix.gateway.feed import Feed
from quantmatrix.gateway.people import People, Person, Visit
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.security import SAFE_METHODS
from quantmatrix.gateway.settings import GatewaySettings

COOKIE = "qm_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of the running gateway."""

    parts: Parts
    settings: GatewaySettings
    people: People
    feed: Feed


def gateway_of(request: Request) -> Gateway:
    """The gateway behind a request."""
    return cast("Gateway", request.app.state.gateway)


def visit_of(request: Request) -> Visit:
    """Where a request comes from."""
    address = request.client.host if request.client else "unknown"
    request_id: UUID = request.state.request_id
    return Visit(request_id, address, request.headers.get("user-agent", ""))


async def person_of(request: Request) -> Person:
    """Who asks. Raises 401 without a session, and 403 for a change that does not carry the session's token."""
    person = await gateway_of(request).people.person_of(request.cookies.get(COOKIE))
    if person is None:
        raise ProblemError(401, "LOGIN_REQUIRED", "log in first; the session may have ended")
    if request.method not in SAFE_METHODS and not person.holds(await _token(request)):
        raise ProblemError(403, "CSRF_TOKEN", f"a change carries the session's token in the header {CSRF_HEADER}; load the page again")
    request.state.person = person
    return person


async def _token(request: Request) -> str:
    """The token from the header, or from a form that a browser without scripts sent."""
    token = request.headers.get(CSRF_HEADER, "")
    if token or not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return token
    field = (await request.form()).get(CSRF_FIELD, "")
    return field if isinstance(field, str) else ""


async def administrator_of(person: Annotated[Person, Depends(person_of)]) -> Person:
    """Somebody who may see and change the installation; for everybody else there is nothing here."""
    if person.role != "admin":
        raise ProblemError(404, "NOT_FOUND", "there is nothing here, or it is not yours")
    return person


async def trader_of(person: Annotated[Person, Depends(person_of)]) -> Person:
    """Somebody who may place orders."""
    if person.role not in ("admin", "trader"):
        raise ProblemError(403, "ROLE_VIEWER", "this account may look, not trade")
    return person


Here = Annotated[Gateway, Depends(gateway_of)]
By = Annotated[Person, Depends(person_of)]
ByAdministrator = Annotated[Person, Depends(administrator_of)]
ByTrader = Annotated[Person, Depends(trader_of)]
From = Annotated[Visit, Depends(visit_of)]
