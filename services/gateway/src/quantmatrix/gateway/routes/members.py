"""Users for administrators, and for everybody their own password and logins; as pages and over the API."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from quantmatrix.gateway.context import By, ByAdministrator, From, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.members import (
    Members,
    Sessions,
    add_member,
    change_password,
    change_role,
    end_other_sessions,
    members,
    sessions,
    set_access,
)
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.problems import DOCUMENTED, ProblemError
from quantmatrix.gateway.store import Member

ROUTER = APIRouter()
CREATED = 201
DONE = 204
Name = Annotated[str, Field(pattern=r"^[a-z0-9._@-]{1,80}$", description="Lower case, as it is typed at the login.")]
Role = Literal["admin", "trader", "viewer"]
NewPassword = Annotated[str, Field(min_length=12, max_length=512)]
OldPassword = Annotated[str, Field(max_length=512)]
Reason = Annotated[str, Field(min_length=1, max_length=400, pattern=r"\S")]


class NewMember(BaseModel):
    """Somebody who may log in from now on. password: at least twelve characters; they change it themselves."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: Role
    password: NewPassword


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role
    reason: Reason


class AccessChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    allowed: bool
    reason: Reason


class PasswordChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: OldPassword
    new: NewPassword


@ROUTER.get("/api/v1/admin/users", tags=["admin"], responses=answers(Members))
async def users(gateway: Here, person: ByAdministrator) -> Response:
    """Everybody who was ever let in."""
    return Exact(await members(gateway))


@ROUTER.post("/api/v1/admin/users", tags=["admin"], status_code=CREATED, responses=answers(Member, CREATED))
async def add(wanted: NewMember, gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Let somebody in."""
    return Exact(await add_member(gateway, person, visit, wanted.name, wanted.role, wanted.password), CREATED)


@ROUTER.post("/api/v1/admin/users/{user_id}/role", tags=["admin"], responses=answers(Member))
async def role(user_id: UUID, wanted: RoleChange, gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Change what somebody may do; it holds from their next request."""
    return Exact(await change_role(gateway, person, visit, user_id, wanted.role, wanted.reason))


@ROUTER.post("/api/v1/admin/users/{user_id}/access", tags=["admin"], responses=answers(Member))
async def access(user_id: UUID, wanted: AccessChange, gateway: Here, person: ByAdministrator, visit: From) -> Response:
    """Let somebody log in, or no more; their accounts, orders and lots stay as they are."""
    return Exact(await set_access(gateway, person, visit, user_id, wanted.reason, allowed=wanted.allowed))


@ROUTER.post("/api/v1/auth/password", tags=["auth"], status_code=DONE, responses=DOCUMENTED)
async def password(wanted: PasswordChange, gateway: Here, person: By, visit: From) -> Response:
    """Change your own password; every other session of yours ends."""
    await change_password(gateway, person, visit, wanted.old, wanted.new)
    return Response(status_code=DONE)


@ROUTER.get("/api/v1/auth/sessions", tags=["auth"], responses=answers(Sessions))
async def own_sessions(gateway: Here, person: By) -> Response:
    """Your logins that are still good."""
    return Exact(await sessions(gateway, person))


@ROUTER.post("/api/v1/auth/sessions/end-others", tags=["auth"], status_code=DONE, responses=DOCUMENTED)
async def end_others(gateway: Here, person: By, visit: From) -> Response:
    """End every session of yours but this one."""
    await end_other_sessions(gateway, person, visit)
    return Response(status_code=DONE)


async def load_members(look: Look) -> Members:
    return await members(look.gateway)


async def load_sessions(look: Look) -> Sessions:
    return await sessions(look.gateway, look.person)


USERS = Page("/users", "users.html", {"members": load_members})
ME = Page("/me", "me.html", {"sessions": load_sessions})


@ROUTER.get("/users", include_in_schema=False)
async def users_page(request: Request, gateway: Here, person: ByAdministrator) -> Response:
    return await show(Look(request, gateway, person, {"wrong": ""}), USERS)


@ROUTER.post("/users", include_in_schema=False)
async def add_on_page(
    request: Request,
    gateway: Here,
    person: ByAdministrator,
    visit: From,
    name: Annotated[Name, Form()],
    role: Annotated[Role, Form()],
    password: Annotated[NewPassword, Form()],
) -> Response:
    try:
        await add_member(gateway, person, visit, name, role, password)
    except ProblemError as error:
        return await _again(Look(request, gateway, person, {"wrong": error.detail}), USERS, error)
    return RedirectResponse("/users", 303)


@ROUTER.post("/users/{user_id}/role", include_in_schema=False)
async def role_on_page(
    user_id: UUID, gateway: Here, person: ByAdministrator, visit: From, role: Annotated[Role, Form()], reason: Annotated[Reason, Form()]
) -> Response:
    await change_role(gateway, person, visit, user_id, role, reason)
    return RedirectResponse("/users", 303)


@ROUTER.post("/users/{user_id}/access", include_in_schema=False)
async def access_on_page(
    user_id: UUID, gateway: Here, person: ByAdministrator, visit: From, allowed: Annotated[bool, Form()], reason: Annotated[Reason, Form()]
) -> Response:
    await set_access(gateway, person, visit, user_id, reason, allowed=allowed)
    return RedirectResponse("/users", 303)


@ROUTER.get("/me", include_in_schema=False)
async def me(request: Request, gateway: Here, person: By, changed: bool = False) -> Response:
    return await show(Look(request, gateway, person, {"wrong": "", "changed": changed}), ME)


@ROUTER.post("/me/password", include_in_schema=False)
async def password_on_page(
    request: Request, gateway: Here, person: By, visit: From, old: Annotated[OldPassword, Form()], new: Annotated[NewPassword, Form()]
) -> Response:
    try:
        await change_password(gateway, person, visit, old, new)
    except ProblemError as error:
        return await _again(Look(request, gateway, person, {"wrong": error.detail, "changed": False}), ME, error)
    return RedirectResponse("/me?changed=true", 303)


@ROUTER.post("/me/sessions/end-others", include_in_schema=False)
async def end_others_on_page(gateway: Here, person: By, visit: From) -> Response:
    await end_other_sessions(gateway, person, visit)
    return RedirectResponse("/me", 303)


async def _again(look: Look, page: Page, error: ProblemError) -> Response:
    """The page once more, with what was wrong."""
    answer = await show(look, page)
    answer.status_code = error.status
    return answer
