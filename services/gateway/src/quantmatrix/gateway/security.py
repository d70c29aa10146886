"""What stands before every request: security headers, a request id, and the refusal of changes that come from other sites."""

import asyncio
import base64
import hashlib
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.gateway.problems import ProblemError, problem_response, stopping

CHART_STYLE = (
    "a#tv-attr-logo{--fill:#131722;--stroke:#fff;position:absolute;left:10px;bottom:10px;height:19px;width:35px;margin:0;padding:0;"
    "border:0;z-index:3;}a#tv-attr-logo[data-dark]{--fill:#D1D4DC;--stroke:#131722;}"
)
"""The one style tag that lightweight-charts 5.2.1 puts into a page; a test compares it with the library's file."""
BODY_BYTES_MAX = 64 * 1024
UPLOADS = "/api/v1/statements/uploads/"
UPLOAD_BYTES_MAX = 64 * 1024 * 1024
"""Brokers' statements: read in parts, never whole."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def style_hash(style: str) -> str:
    """A style's hash as a content security policy spells it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


POLICY = (
    f"default-src 'self'; script-src 'self'; style-src 'self' '{style_hash(CHART_STYLE)}'; img-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = fresh_id()
        scope.setdefault("state", {})["request_id"] = request_id

        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Request-Id"] = str(request_id)
            await send(message)

        refusal = _refusal(scope)
        if refusal is not None:
            await problem_response(scope["path"], refusal)(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, receive, send_guarded)
        except asyncio.CancelledError:
            # The server cuts what it cannot finish before it ends. An answer that has begun cannot be taken back.
            if begun:
                raise
            await problem_response(scope["path"], stopping())(scope, receive, send_guarded)


def _refusal(scope: dict[str, Any] | Scope) -> ProblemError | None:
    headers = Headers(scope=scope)
    if scope["method"] in SAFE_METHODS:
        return None
    length = headers.get("content-length", "")
    if not length.isdigit() and headers.get("transfer-encoding"):
        return ProblemError(411, "LENGTH_REQUIRED", "send a Content-Length")
    bytes_max = UPLOAD_BYTES_MAX if scope["path"].startswith(UPLOADS) else BODY_BYTES_MAX
    if length.isdigit() and int(length) > bytes_max:
        return ProblemError(413, "BODY_TOO_LARGE", f"a request has at most {bytes_max} bytes")
    if comes_from_elsewhere(headers):
        return ProblemError(403, "CROSS_SITE", "changes are taken from this console's own pages only")
    return None


def comes_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that another site's page caused the request. Clients that are no browsers say nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
