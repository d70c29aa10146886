"""What goes wrong over HTTP, as RFC 9457 problem documents with a stable code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.errors import TRANSIENT, Refused
from quantmatrix.gateway.render import error_page, wants_html

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "2"
STATUS_OF = {
    "INSTRUMENT_UNKNOWN": 404,
    "ACCOUNT_UNKNOWN": 404,
    "PARKED_UNKNOWN": 404,
    "RUN_UNKNOWN": 404,
    "RUN_STATE": 409,
    "NOT_FOUND": 404,
    "BACKTEST_UNKNOWN": 404,
    "REPORT_EMPTY": 404,
    "BACKTEST_NOT_DONE": 409,
    "REPLAY_ABSENT": 409,
    "PARKED_DECIDED": 409,
    "SERVICE_BUSY": 503,
    "QUESTION_FAILED": 502,
}
"""Codes of services' own refusals; every other one is 422."""


class ProblemError(Exception):
    """An answer that is a problem: status, stable code, and a sentence for the person who asked."""

    def __init__(self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def not_found(detail: str = "there is nothing here, or it is not yours") -> ProblemError:
    """What is somebody else's looks like what does not exist."""
    return ProblemError(404, "NOT_FOUND", detail)


def stopping() -> ProblemError:
    """What is answered to a request that the gateway's end cuts. Its work is one transaction, made as a whole or not at all."""
    detail = "the gateway is stopping; ask again in a moment, with the same Idempotency-Key where there was one"
    return ProblemError(503, "GATEWAY_STOPPING", detail, headers={"Retry-After": RETRY_AFTER_S})


class Problem(msgspec.Struct, frozen=True):
    """An RFC 9457 problem document. `code` is stable; `errors` names the fields of a request that were wrong."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: tuple[dict[str, str], ...] = ()


def answer_problems(app: FastAPI) -> None:
    """Turn every exception into a problem document, or into a page for a browser that navigates."""

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        return _respond(request, error)

    @app.exception_handler(ServiceSilent)
    async def silent(request: Request, error: ServiceSilent) -> Response:
        detail = f"{error.service} does not answer right now; try again in a moment"
        return _respond(request, ProblemError(503, "SERVICE_SILENT", detail, headers={"Retry-After": RETRY_AFTER_S}))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return _respond(request, ProblemError(STATUS_OF.get(error.code, 422), error.code, error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = tuple({"field": ".".join(str(part) for part in one["loc"][1:]), "detail": str(one["msg"])} for one in error.errors())
        sentence = "; ".join(f"{one['field'] or 'request'}: {one['detail']}" for one in fields) or "the request is not readable"
        return _respond(request, ProblemError(422, "REQUEST_INVALID", sentence[:1_000]), fields)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, f"HTTP_{error.status_code}")
        return _respond(request, ProblemError(error.status_code, code, str(error.detail), headers=error.headers))

    @app.exception_handler(asyncpg.DataError)
    async def untakeable(request: Request, error: asyncpg.DataError) -> Response:
        return _respond(request, ProblemError(422, "REQUEST_INVALID", f"a value of the request cannot be stored: {error}"))

    for transient in TRANSIENT:
        if issubclass(transient, Exception):
            app.add_exception_handler(transient, _busy)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request.failed", path=request.url.path, request_id=str(request.state.request_id), exc_info=error)
        detail = f"the gateway failed on this request; its log has the details under {request.state.request_id}"
        return _respond(request, ProblemError(500, "GATEWAY_FAILED", detail))


async def _busy(request: Request, _: Exception) -> Response:
    detail = "the gateway's own storage or the bus is away right now; try again in a moment"
    return _respond(request, ProblemError(503, "GATEWAY_BUSY", detail, headers={"Retry-After": RETRY_AFTER_S}))


def _respond(request: Request, error: ProblemError, errors: tuple[dict[str, str], ...] = ()) -> Response:
    if wants_html(request):
        return error_page(request, error.status, error.detail, error.headers)
    return problem_response(request.url.path, error, errors)


def problem_response(path: str, error: ProblemError, errors: tuple[dict[str, str], ...] = ()) -> Response:
    """The document itself, also for what stands before the application."""
    body = Problem(
        type=f"urn:quantmatrix:problem:{error.code}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        code=error.code,
        instance=path,
        errors=errors,
    )
    return Response(msgspec.json.encode(body), error.status, error.headers, MEDIA_TYPE)


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A problem document", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
    "5XX": {"description": "A problem document", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
}
"""What every operation may answer besides."""
