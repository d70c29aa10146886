"""The inbox, as page and over the API."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.notify import InboxAnswer, InboxAsked, MarkReadAsked, NotificationSummary, ReadMarked
from quantmatrix.common.names import NotificationId
from quantmatrix.gateway.context import By, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import PageCursor, Spanned, Wanted
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit

ROUTER = APIRouter()
ON_A_PAGE = 40


class InboxPage(msgspec.Struct, frozen=True):
    """Notifications, the latest first, how many are unread, and the cursor of the next page."""

    notifications: tuple[NotificationSummary, ...]
    unread: int
    next_cursor: str | None


async def inbox_of(gateway: Gateway, person: Person, wanted: Wanted) -> InboxPage:
    found: InboxAnswer = await gateway.parts.ask("notify", wanted.span_of(InboxAsked, person))
    shown, following = wanted.cut(found.notifications, lambda one: (one.occurred_at, one.notification_id))
    return InboxPage(shown, found.unread, following)


async def mark_read(gateway: Gateway, person: Person, visit: Visit, notification_id: UUID | None) -> ReadMarked:
    """Written down first, then asked: a change without a trail cannot be."""
    await gateway.people.note(person, visit, "notifications.read", str(notification_id or "all"))
    asked = MarkReadAsked(user_id=person.user_id, notification_id=NotificationId(notification_id) if notification_id else None)
    return await gateway.parts.ask("notify", asked)


@ROUTER.get("/api/v1/notifications/", tags=["notifications"], responses=answers(InboxPage))
async def inbox(gateway: Here, person: By, wanted: Spanned) -> Response:
    """What a person was told, the latest first."""
    return Exact(await inbox_of(gateway, person, wanted))


@ROUTER.post("/api/v1/notifications/read", tags=["notifications"], responses=answers(ReadMarked))
async def read_all(gateway: Here, person: By, visit: From) -> Response:
    """Mark everything as read."""
    return Exact(await mark_read(gateway, person, visit, None))


@ROUTER.post("/api/v1/notifications/{notification_id}/read", tags=["notifications"], responses=answers(ReadMarked))
async def read_one(notification_id: UUID, gateway: Here, person: By, visit: From) -> Response:
    """Mark one as read; `marked` is 0 when it was read before or is not there."""
    return Exact(await mark_read(gateway, person, visit, notification_id))


async def load_inbox(look: Look) -> InboxPage:
    return await inbox_of(look.gateway, look.person, look.wanted(ON_A_PAGE))


INBOX = Page("/notifications", "notifications.html", {"inbox": load_inbox})


@ROUTER.get("/notifications", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By, cursor: PageCursor = None) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), INBOX)


@ROUTER.post("/notifications/read", include_in_schema=False)
async def read_on_page(
    request: Request, gateway: Here, person: By, visit: From, notification_id: Annotated[UUID | None, Query()] = None
) -> Response:
    await mark_read(gateway, person, visit, notification_id)
    return await show(Look(request, gateway, person, {"cursor": None}), INBOX)
