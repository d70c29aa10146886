"""Waiting for an event with a limit, and for tasks that are to end."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

CANCEL_AGAIN_S: Final = 0.5


async def woken(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Wait until the event is set; False when `timeout_s` seconds (None: any time) passed first."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def ended(tasks: Iterable["asyncio.Future[Any]"]) -> None:
    """Cancel until all of them have ended; their results and errors stay with them.

    A library may lose a cancellation that meets a result: `asyncio.wait_for` of Python 3.11 does.
    """
    working = set(tasks)
    while working:
        for task in working:
            task.cancel()
        _, working = await asyncio.wait(working, timeout=CANCEL_AGAIN_S)
