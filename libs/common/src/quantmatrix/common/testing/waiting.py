"""Waiting in tests: for a condition, with a deadline, never for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

_T = TypeVar("_T")
LOOK_S = 0.01
WITHIN_S = 15.0


@overload
async def wait_until(condition: Callable[[], Awaitable[_T]], what: str = "", *, within_s: float = WITHIN_S) -> _T: ...
@overload
async def wait_until(condition: Callable[[], _T], what: str = "", *, within_s: float = WITHIN_S) -> _T: ...
async def wait_until(condition: Callable[[], Any], what: str = "", *, within_s: float = WITHIN_S) -> Any:
    """Look until `condition` (a function, plain or async) returns something true, and return that.

    Raises AssertionError with what was seen last when the time is up. Errors of the condition are not hidden.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        if loop.time() > give_up:
            raise AssertionError(f"not within {within_s:g} s: {what or condition}; last seen: {seen!r}")
        await asyncio.sleep(LOOK_S)
