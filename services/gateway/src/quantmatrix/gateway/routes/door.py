"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from quantmatrix.gateway.context import COOKIE, By, From, Gateway, Here
from quantmatrix.gateway.people import TurnedAway
from quantmatrix.gateway.render import page

ROUTER = APIRouter(include_in_schema=False)


@ROUTER.get("/login")
async def login_page(request: Request, gateway: Here, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    if await gateway.people.person_of(request.cookies.get(COOKIE)):
        return RedirectResponse(local(next), 303)
    return page(request, "login.html", {"next": local(next), "wrong": "", "name": ""})


@ROUTER.post("/login")
async def log_in(
    request: Request,
    gateway: Here,
    visit: From,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2_000)] = "",
    next: Annotated[str, Form(max_length=400)] = "/",  # noqa: A002
) -> Response:
    outcome = await gateway.people.log_in(name, password, visit)
    if isinstance(outcome, TurnedAway):
        shown = page(
            request, "login.html", {"next": local(next), "wrong": outcome.detail, "name": name[:80]}, status=429 if outcome.wait_s else 401
        )
        if outcome.wait_s:
            shown.headers["Retry-After"] = str(outcome.wait_s)
        return shown
    answer = RedirectResponse(local(next), 303)
    set_cookie(answer, gateway, outcome.cookie)
    return answer


@ROUTER.post("/logout")
async def log_out(gateway: Here, person: By, visit: From) -> Response:
    await gateway.people.log_out(person, visit)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/", secure=gateway.settings.cookie_secure, httponly=True, samesite="lax")
    return answer


def set_cookie(answer: Response, gateway: Gateway, cookie: str) -> None:
    """The session's cookie: out of reach of scripts, sent on top-level navigation only."""
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=gateway.settings.session_hours * 3600,
        path="/",
        secure=gateway.settings.cookie_secure,
        httponly=True,
        samesite="lax",
    )


def local(target: str) -> str:
    """A path of this console; anything else leads to the overview."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target and "\r" not in target else "/"
