"""The web application: the routes of the slot, behind the guard. Nothing connects before a request needs it."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.gateway import routes
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.openapi import describe
from quantmatrix.gateway.problems import answer_problems
from quantmatrix.gateway.security import Guard

STATIC = Path(__file__).parent / "static"
VERSION = "0.1.0"


class _Static(StaticFiles):
    """Files that the browser keeps, and asks about before it uses them again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def application() -> FastAPI:
    """Every route of the slot, connected to nothing."""
    app = FastAPI(title="QuantMatrix", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    for name in names_in(routes):
        app.include_router(load(routes, name).ROUTER)
    answer_problems(app)
    app.mount("/static", _Static(directory=STATIC), name="static")
    return app


def make_web(gateway: Gateway) -> Guard:
    """The application of a running gateway."""
    app = application()
    app.state.gateway = gateway
    return Guard(app, secure=gateway.settings.cookie_secure)


def document() -> dict[str, Any]:
    """The OpenAPI document. Nothing is started for it."""
    return describe(application())
