"""Runs a whole service inside a test's own event loop."""

import asyncio
import contextvars
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from quantmatrix.common.runtime.service import asked_to_stop
from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.common.testing.addresses import BusAddresses, DatabaseAddresses
from quantmatrix.common.testing.waiting import WITHIN_S

S = TypeVar("S", bound=ServiceSettings)


@asynccontextmanager
async def running_here(serve: Callable[[S], Awaitable[None]], settings: S) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a service's `serve` as a task until the block ends; an error of the service is raised then.

    Signals stay the test runner's, and its logging is put back. Settings should name a log file.
    """
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stop = asyncio.Event()
    context = contextvars.copy_context()
    context.run(asked_to_stop.set, stop)
    task = asyncio.get_running_loop().create_task(_as_task(serve, settings), context=context)
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=WITHIN_S)
        for handler in root.handlers:
            if handler not in before:
                handler.close()
        root.handlers[:] = before
        root.setLevel(level)
    if not task.done():
        task.cancel()
        raise AssertionError(f"{settings.SERVICE} did not stop within {WITHIN_S:g} s")
    task.result()


async def _as_task(serve: Callable[[S], Awaitable[None]], settings: S) -> None:
    await serve(settings)


class StartHere:
    """Runs services inside the test's event loop, until `stop` or the end of the test."""

    def __init__(self, database: DatabaseAddresses, bus: BusAddresses, folder: Path) -> None:
        self._database, self._bus, self._folder = database, bus, folder
        self._running: dict[str, AsyncExitStack] = {}

    async def __call__(
        self,
        service: str,
        *,
        serve: Callable[..., Awaitable[None]] | None = None,
        settings: type[ServiceSettings] | None = None,
        **told: Any,
    ) -> "asyncio.Task[None]":
        """Start `quantmatrix.<service>`, or another `serve` with its settings class in the service's place."""
        own: dict[str, dict[str, Any]] = {
            "execution": {"paper_database_url": self._database.url("paper")},
            "gateway": {"answer_deadline_s": WITHIN_S},  # whoever presses a button here waits for a machine that does much else
        }
        made = (settings or _settings_class(service))(
            **{
                "nats_url": self._bus.url,
                "nats_password": SecretStr(self._bus.password(service)),
                "database_url": SecretStr(self._database.url(service)),
                "log_file": self._folder / f"{service}.log",
                "catch_up_every_s": 1.0,
                **own.get(service, {}),
                **told,
            }
        )
        serve = serve or importlib.import_module(f"quantmatrix.{service}.app").serve
        stack = AsyncExitStack()
        task = await stack.enter_async_context(running_here(serve, made))
        self._running[service] = stack
        return task

    async def stop(self, service: str) -> None:
        """Stop one; raises the error it ended with, if it did."""
        await self._running.pop(service).aclose()

    async def stop_all(self) -> None:
        async with AsyncExitStack() as stack:
            for running in self._running.values():
                stack.push_async_callback(running.aclose)


def _settings_class(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"quantmatrix.{service}.settings")
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, ServiceSettings) and service == one.SERVICE]
    if len(found) != 1:
        raise LookupError(f"quantmatrix.{service}.settings has {len(found)} settings classes of {service}")
    return found[0]
