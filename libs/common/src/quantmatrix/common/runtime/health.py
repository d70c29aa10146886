"""What a service says of itself over HTTP: alive, ready, and its metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from quantmatrix.common.runtime.waiting import woken

Check = Callable[[], Awaitable[str | None]]
"""None when all is well, else one sentence."""
DATE_EVERY_S = 1.0


class Health:
    """Answers /healthz (the process works), /readyz (it can do its task) and /metrics."""

    def __init__(self, *, service: str, registry: CollectorRegistry, checks: dict[str, Check]) -> None:
        self._service = service
        self._registry = registry
        self._checks = checks

    async def ready(self) -> dict[str, str]:
        """What is wrong, by name; empty when ready."""
        return {name: wrong for name, check in self._checks.items() if (wrong := await check())}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/healthz":
            await _send(send, 200, msgspec.json.encode({"service": self._service, "alive": True}))
        elif path == "/readyz":
            wrong = await self.ready()
            await _send(
                send,
                503 if wrong else 200,
                msgspec.json.encode({"service": self._service, "ready": not wrong, "wrong": wrong}),
            )
        elif path == "/metrics":
            await _send(send, 200, generate_latest(self._registry), CONTENT_TYPE_LATEST)
        else:
            await _send(send, 404, b'{"detail":"there are /healthz, /readyz and /metrics here"}')


async def _send(send: Any, status: int, body: bytes, content_type: str = "application/json") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type.encode())]})
    await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """A server that leaves signals to the service, and waits to be told to end; the library looks for that ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._told_to_end = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        return self._told_to_end.is_set()

    @should_exit.setter
    def should_exit(self, so: bool) -> None:
        if so:
            self._told_to_end.set()
        else:
            self._told_to_end.clear()

    async def main_loop(self) -> None:
        """Keep the date that answers carry, until it is to end."""
        while not await self.on_tick(0):
            await woken(self._told_to_end, DATE_EVERY_S)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def make_server(app: Any, *, host: str, port: int, proxies: str = "") -> uvicorn.Server:
    """A small HTTP server inside the service's own event loop. proxies: who may say in X-Forwarded-For for whom it asks."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
    )
    return _Server(config)
