"""Waiting for an event with a limit, without a task of its own for every wait."""

import asyncio


async def woken(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Wait until the event is set; False when `timeout_s` seconds (None: any time) passed first."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
