"""Ends a service whose process lives but answers nothing any more, so that its keeper starts it again."""

import asyncio
import signal
from collections.abc import Callable

import structlog

from quantmatrix.operations.processes import Child

log = structlog.get_logger(__name__)

LOOK_S = 3.0
MISSES_MAX = 5
QUESTION = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


async def watch(child: Child, port: int, say: Callable[[str], None], *, look_s: float, answer_s: float | None = None) -> None:
    """Look at a service until cancelled: whatever it answers on its health port shows that its event loop turns.

    A process that has answered once and then misses `MISSES_MAX` looks in a row is killed; its ledger stands that. One that has not
    answered yet is still starting. Looks are counted and not seconds, so that a supervisor that stood still itself blames nobody.
    look_s: between two looks; answer_s: how long an answer may take, as long unless given.
    """
    answer_s = look_s if answer_s is None else answer_s
    looked_at, misses = child.starts, 0
    while True:
        await asyncio.sleep(look_s)
        if child.starts != looked_at or not child.alive:
            looked_at, misses = child.starts, 0
            continue
        answers = await _answers(port, answer_s)
        if child.starts != looked_at:
            continue
        if answers:
            misses, child.has_answered = 0, True
        elif child.has_answered:
            misses += 1
            if misses == MISSES_MAX:
                log.warning("service.hangs", service=child.name, pid=child.pid)
                say(f"{child.name} has answered nothing for {(look_s + answer_s) * MISSES_MAX:g} s; it is ended and started again")
                child.send(signal.SIGKILL)
                misses = 0


async def _answers(port: int, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(QUESTION)
                return bool(await reader.read(1))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
