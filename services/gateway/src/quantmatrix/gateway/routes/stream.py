"""The event stream of a person: what happens, in order, resumable."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from quantmatrix.gateway.context import COOKIE, By, Here
from quantmatrix.gateway.feed import Place, parse_place
from quantmatrix.gateway.problems import DOCUMENTED, ProblemError

ROUTER = APIRouter(prefix="/api/v1", tags=["stream"])
COMES_BACK_MS = 1_500


async def _admitted(
    gateway: Here,
    person: By,
    after: Annotated[str | None, Query(max_length=80, description="Where to go on; the header wins.")] = None,
    last_event_id: Annotated[str | None, Header(max_length=80)] = None,
) -> Place | None:
    """Where the stream goes on. Raises 422 for a position nobody handed out, 429 when too many streams are open."""
    if gateway.feed.streams[person.user_id] >= gateway.settings.streams_per_user_max:
        raise ProblemError(429, "STREAMS_OPEN", "too many event streams are open; close some pages", headers={"Retry-After": "5"})
    text = last_event_id or after
    if not text:
        return None
    place = parse_place(text)
    if place is None:
        raise ProblemError(422, "PLACE_INVALID", "give the id of the last event as it was sent")
    return place


@ROUTER.get("/stream", response_class=EventSourceResponse, responses=DOCUMENTED)
async def stream(
    request: Request, gateway: Here, person: By, seen: Annotated[Place | None, Depends(_admitted)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `order`, `fill`, `signal`, `run`, `position`, `moment` (a session is booked), `notification`,
    `account`.

    Each carries the message as the services said it. `place` only tells the position; `reset` means that the position
    asked for is no longer kept: read the state anew. A stream ends with its session.
    """
    first, looked_at = True, gateway.parts.clock.monotonic()
    async for place, row in gateway.feed.follow(person.user_id, seen):
        if gateway.parts.clock.monotonic() - looked_at >= gateway.settings.stream_session_look_s:
            looked_at = gateway.parts.clock.monotonic()
            if await gateway.people.person_of(request.cookies.get(COOKIE)) is None:
                return
        if row is not None:
            yield ServerSentEvent(raw_data=row.payload, event=row.event, id=str(place))
        elif first:
            yield ServerSentEvent(raw_data="{}", event="place", id=str(place), retry=COMES_BACK_MS)
        else:
            yield ServerSentEvent(comment="nothing new")
        first = False
