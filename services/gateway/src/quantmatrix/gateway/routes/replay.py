"""The replay: where it stands, pausing, its pace, starting anew."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from quantmatrix.common.contracts.asking.market import ReplayControlAsked, ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.asking.supervisor import SUPERVISOR, RestartReplayAsked, RestartTaken
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.gateway.context import By, ByAdministrator, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, load_bar
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.render import part

ROUTER = APIRouter()
PACE_MAX_S = 3_600
ACCEPTED = 202


class Control(BaseModel):
    """What is left out stays as it is. pace_s: seconds between sessions, 0 for as fast as possible."""

    model_config = ConfigDict(extra="forbid")

    paused: bool | None = None
    pace_s: Annotated[float | None, Field(ge=0, le=PACE_MAX_S, allow_inf_nan=False)] = None


async def control(gateway: Gateway, person: Person, visit: Visit, wanted: Control) -> ReplayStatus:
    """Written down with the state before it, then asked."""
    before = await gateway.parts.ask("market", ReplayStatusAsked())
    await gateway.people.note(
        person,
        visit,
        "replay.control",
        before.feed,
        before={"state": before.state, "pace_s": before.pace_s},
        after=wanted.model_dump(exclude_none=True),
    )
    return await gateway.parts.ask("market", ReplayControlAsked(paused=wanted.paused, pace_s=wanted.pace_s))


async def restart(gateway: Gateway, person: Person, visit: Visit) -> RestartTaken:
    """Raises 409 where nobody can restart: services that were not started by the embedded supervisor."""
    await gateway.people.note(person, visit, "replay.restart", "paper ledger")
    try:
        return await gateway.parts.ask(SUPERVISOR, RestartReplayAsked(asked_by=person.name))
    except ServiceSilent as error:
        raise ProblemError(
            409, "RESTART_UNAVAILABLE", "the replay is restarted by the embedded supervisor ('make run'), and it does not answer"
        ) from error


@ROUTER.get("/api/v1/replay", tags=["replay"], responses=answers(ReplayStatus))
async def status(gateway: Here, person: By) -> Response:
    """Where the replay stands."""
    return Exact(await gateway.parts.ask("market", ReplayStatusAsked()))


@ROUTER.post("/api/v1/replay", tags=["replay"], responses=answers(ReplayStatus))
async def change(wanted: Control, gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Pause, resume, or change the pace."""
    return Exact(await control(gateway, person, visit, wanted))


@ROUTER.post("/api/v1/replay/restart", tags=["replay"], status_code=ACCEPTED, responses=answers(RestartTaken, ACCEPTED))
async def restart_replay(gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Forget the paper ledger and begin at the first session. People, sessions and the audit trail stay."""
    return Exact(await restart(gateway, person, visit), ACCEPTED)


@ROUTER.post("/replay", include_in_schema=False)
async def on_page(
    request: Request,
    gateway: Here,
    person: ByAdministrator,
    visit: From,
    action: Annotated[Literal["pause", "resume", "pace", "restart"], Form()],
    pace_s: Annotated[float, Form(ge=0, le=PACE_MAX_S, allow_inf_nan=False)] = 0.25,
) -> Response:
    """The bar's buttons: the answer is the bar as it stands now."""
    if action == "restart":
        return await _restart_on_page(gateway, person, visit)
    wanted = Control(pace_s=pace_s) if action == "pace" else Control(paused=action == "pause")
    await control(gateway, person, visit, wanted)
    return part(request, "bar.html", "bar", {"bar": await load_bar(Look(request, gateway, person)), "person": person, "here": "/bar"})


async def _restart_on_page(gateway: Gateway, person: Person, visit: Visit) -> Response:
    try:
        await restart(gateway, person, visit)
    except ProblemError as error:
        return HTMLResponse(Markup("<p>{}</p>").format(escape(error.detail)))
    return HTMLResponse("<p>The replay starts anew. This page fills itself again in a few seconds.</p>")
