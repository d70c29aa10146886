"""Operations: the services' health, parked messages, the audit trail. For administrators."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.messaging import ParkedDecided, ParkedDecisionAsked
from quantmatrix.common.runtime.database import reading
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.gateway.context import ByAdministrator, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.installation import ParkedEverywhere, ServiceStates, parked_everywhere, service_states
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import not_found
from quantmatrix.gateway.store import AuditRow, GatewayStore

ROUTER = APIRouter()
ROWS = 60


class AuditPage(msgspec.Struct, frozen=True):
    """The audit trail, the latest first, and the cursor of the next page."""

    rows: tuple[AuditRow, ...]
    next_cursor: int | None


class Decision(BaseModel):
    """What becomes of a parked message: it is heard again, or gone on without."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["replay", "drop"]


async def trail_of(gateway: Gateway, limit: int, before: int | None) -> AuditPage:
    async with reading(gateway.parts.pool) as connection:
        rows = await GatewayStore(connection).trail(limit + 1, before)
    shown = tuple(rows[:limit])
    return AuditPage(shown, shown[-1].id if len(rows) > limit else None)


async def decide(gateway: Gateway, person: Person, visit: Visit, service: str, parked_id: int, decision: str) -> ParkedDecided:
    """Written down first, then asked. Raises 404 for an unknown service."""
    if service not in SERVICES:
        raise not_found(f"there is no service {service[:40]}")
    await gateway.people.note(person, visit, f"parked.{decision}", f"{service}/{parked_id}")
    return await gateway.parts.ask(service, ParkedDecisionAsked(parked_id=parked_id, decision=decision))


@ROUTER.get("/api/v1/ops/health", tags=["ops"], responses=answers(ServiceStates))
async def health(gateway: Here, person: ByAdministrator) -> Response:
    """Who answers, how fast, and how many messages each service has not settled yet."""
    return Exact(await service_states(gateway.parts.ask, gateway.parts.clock))


@ROUTER.get("/api/v1/ops/parked", tags=["ops"], responses=answers(ParkedEverywhere))
async def parked(gateway: Here, person: ByAdministrator) -> Response:
    """Messages that could not be taken and wait for a decision."""
    return Exact(await parked_everywhere(gateway.parts.ask))


@ROUTER.post("/api/v1/ops/parked/{service}/{parked_id}", tags=["ops"], responses=answers(ParkedDecided))
async def decide_parked(service: str, parked_id: int, wanted: Decision, gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Hear a parked message again, or go on without it."""
    return Exact(await decide(gateway, person, visit, service, parked_id, wanted.decision))


@ROUTER.get("/api/v1/ops/audit", tags=["ops"], responses=answers(AuditPage))
async def audit(
    gateway: Here,
    person: ByAdministrator,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> Response:
    """Who did what, when and from where."""
    return Exact(await trail_of(gateway, limit, cursor))


async def load_services(look: Look) -> ServiceStates:
    return await service_states(look.gateway.parts.ask, look.gateway.parts.clock)


async def load_parked(look: Look) -> ParkedEverywhere:
    return await parked_everywhere(look.gateway.parts.ask)


async def load_audit(look: Look) -> AuditPage:
    return await trail_of(look.gateway, ROWS, look.values["cursor"])


SYSTEM = Page("/system", "system.html", {"services": load_services, "parked": load_parked, "audit": load_audit})


@ROUTER.get("/system", include_in_schema=False)
async def system(
    request: Request, gateway: Here, person: ByAdministrator, cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None
) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), SYSTEM)


@ROUTER.post("/system/parked/{service}/{parked_id}", include_in_schema=False)
async def decide_on_page(
    service: str,
    parked_id: int,
    gateway: Here,
    person: ByAdministrator,
    visit: From,
    decision: Annotated[Literal["replay", "drop"], Form()],
) -> Response:
    await decide(gateway, person, visit, service, parked_id, decision)
    return RedirectResponse("/system", 303)
