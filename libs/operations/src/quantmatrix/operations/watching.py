"""Ends a service or a server whose process lives but answers nothing any more, so that its keeper starts it again."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from quantmatrix.operations.processes import Child

log = structlog.get_logger(__name__)

LOOK_S = 3.0
MISSES_MAX = 5
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
BUS = HEALTH.replace(b"/healthz", b"/healthz?js-server-only=true")
"""NATS alone: whether its streams work is a question to the disk, and a disk that hangs is no fault of the server's."""
ENCRYPTION = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""PostgreSQL's SSLRequest: it answers with one byte before it asks who is there (its documentation, 54.2.12, SSL session encryption)."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a process answers, and what it is asked there. place: a port of the loopback interface, or the path of a socket."""

    place: int | Path
    question: bytes = HEALTH

    async def answers(self, within_s: float) -> bool | None:
        """Whether anything at all comes back in time; None where this machine did not let us ask (no descriptor left, no memory)."""
        try:
            async with asyncio.timeout(within_s):
                reader, writer = await self._opened()
                try:
                    writer.write(self.question)
                    return bool(await reader.read(1))
                finally:
                    writer.close()
        except (TimeoutError, ConnectionError, FileNotFoundError):
            return False
        except OSError as error:
            log.warning("look.failed", error=str(error))
            return None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.place, Path):
            return await asyncio.open_unix_connection(self.place)
        return await asyncio.open_connection("127.0.0.1", self.place)


async def watch(child: Child, door: Door, say: Callable[[str], None], *, look_s: float, answer_s: float | None = None) -> None:
    """Look at a process until cancelled: whatever it answers at its door shows that it is not stuck.

    One that has answered once and then misses `MISSES_MAX` looks in a row is killed; its ledger stands that. One that has not answered
    yet is still starting. Looks are counted and not seconds, so that a supervisor that stood still itself blames nobody.
    look_s: between two looks; answer_s: how long an answer may take, as long unless given.
    """
    answer_s = look_s if answer_s is None else answer_s
    looked_at, misses = child.starts, 0
    while True:
        await asyncio.sleep(look_s)
        if child.starts != looked_at or not child.alive:
            looked_at, misses = child.starts, 0
            continue
        answers = await door.answers(answer_s)
        if child.starts != looked_at or answers is None:
            continue
        if answers:
            misses, child.has_answered = 0, True
        elif child.has_answered:
            misses += 1
            if misses == MISSES_MAX:
                log.warning("process.hangs", name=child.name, pid=child.pid)
                say(f"{child.name} has answered nothing at {MISSES_MAX} looks in a row; it is ended and started again")
                child.send(signal.SIGKILL)
                misses = 0
