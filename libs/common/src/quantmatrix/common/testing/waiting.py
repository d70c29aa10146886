"""Waiting in tests: for a condition, with a deadline, never for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

_T = TypeVar("_T")
LOOK_S = 0.01
LOOK_MAX_S = 0.05
LOOK_SHARE = 0.1
WITHIN_S = 60.0
"""What takes longer did not happen: a machine that tests and builds at the same time takes twenty times as long as a quiet one."""
GIVES_WAY_S = 240.0
"""For what a backtest does in its own process: it gives way to everything else, the other tests and their services too."""


@overload
async def wait_until(
    condition: Callable[[], Awaitable[_T]], what: str = "", *, within_s: float = WITHIN_S, look_max_s: float = LOOK_MAX_S
) -> _T: ...
@overload
async def wait_until(condition: Callable[[], _T], what: str = "", *, within_s: float = WITHIN_S, look_max_s: float = LOOK_MAX_S) -> _T: ...
async def wait_until(condition: Callable[[], Any], what: str = "", *, within_s: float = WITHIN_S, look_max_s: float = LOOK_MAX_S) -> Any:
    """Look until `condition` (a function, plain or async) returns something true, and return that.

    The longer it waits, the rarer it looks: a look is often a question to a service, and answers take the time of the work waited for.
    look_max_s: the longest pause between two looks; shorter for what does not last.
    Raises AssertionError with what was seen last when the time is up. Errors of the condition are not hidden.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        waited = loop.time() - began
        if waited > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what or condition}; last seen: {seen!r}")
        await asyncio.sleep(min(max(LOOK_S, waited * LOOK_SHARE), look_max_s))
