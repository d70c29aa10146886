"""Waiting for an event with a limit, and for tasks that are to end."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable
from typing import Any, Final

CANCEL_AGAIN_S: Final = 0.5


async def woken(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Wait until the event is set; False when `timeout_s` seconds (None: any time) passed first."""
    if event.is_set() or timeout_s is None:
        await event.wait()
        return True
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


async def asked_to_end(tasks: Collection["asyncio.Future[Any]"], within_s: float) -> None:
    """Cancel once and give them time for what they have in hand; who has not ended then goes on, to be `ended`."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=within_s)


async def done_before(work: Awaitable[Any], *events: asyncio.Event) -> bool:
    """Do the work; when one of the events is set first, end it and return False. Raises what the work raises by itself."""
    working = asyncio.ensure_future(work)
    waiting = {asyncio.ensure_future(event.wait()) for event in events}
    await asyncio.wait({working, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        await ended(waiting)
        working.result()
        return True
    await ended({working, *waiting})
    if not working.cancelled():
        working.exception()  # it was to end: how it did is no concern, but the loop complains that nobody looked
    return False
