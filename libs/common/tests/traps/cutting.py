"""A door to PostgreSQL that cuts a connection at the word that makes a transaction last: before it is heard, or before it is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
IDLE = b"Z\x00\x00\x00\x05I"
"""What the server ends an answer with once no transaction is open any more."""


class Cutting:
    """Passes everything on, and cuts when it is armed and a statement comes on a service's own connection for which `lasting` is true.

    A cut after the word waits for the server's answer, so that the change is made for certain, and keeps it from whoever asked.
    """

    def __init__(self, server: Path, folder: Path, lasting: Callable[[str], bool], *, answered: bool) -> None:
        self._server = server
        self._folder = folder
        self._lasting = lasting
        self._answered = answered
        self._armed = 0
        self.cuts = 0

    def url(self, url: str) -> str:
        """The same address, through this door."""
        return url.replace(f"host={self._server}", f"host={self._folder}")

    def arm(self) -> None:
        """Cut the next one."""
        self._armed = self.cuts + 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Cutting"]:
        """Let connections in until the block ends."""
        server = await asyncio.start_unix_server(self._passes, self._folder / SOCKET)
        try:
            yield self
        finally:
            server.close()

    async def _passes(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_unix_connection(self._server / SOCKET)
        heard = asyncio.Event()
        answers = asyncio.ensure_future(_answers(far_in, near_out, heard))
        try:
            await self._asked(near_in, far_out, heard, answers)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            near_out.transport.abort()
            far_out.transport.abort()
            answers.cancel()

    async def _asked(
        self, near: asyncio.StreamReader, far: asyncio.StreamWriter, swallow: asyncio.Event, answers: "asyncio.Future[None]"
    ) -> None:
        start = await near.readexactly(int.from_bytes(first := await near.readexactly(4)) - 4)
        far.write(first + start)
        prepared: dict[bytes, str] = {}
        statement = ""
        while True:
            kind, length = await near.readexactly(1), await near.readexactly(4)
            body = await near.readexactly(int.from_bytes(length) - 4)
            if kind == b"P":
                name, query, _ = body.split(b"\0", 2)
                prepared[name] = query.decode()
            if kind == b"B":
                statement = prepared[body.split(b"\0", 2)[1]]
            if kind == b"Q":
                statement = body[:-1].decode()
            now = kind in b"QS" and b"-own\0" in start and self._armed > self.cuts and self._lasting(statement)
            if kind in b"QS":
                statement = ""
            if now:
                self.cuts += 1
                if not self._answered:
                    return
                swallow.set()
            far.write(kind + length + body)
            if now:
                await answers
                return


async def _answers(far: asyncio.StreamReader, near: asyncio.StreamWriter, swallow: asyncio.Event) -> None:
    """Hand answers on; the one to be swallowed is read to its end."""
    kept = b""
    with contextlib.suppress(OSError):
        while data := await far.read(1 << 16):
            if swallow.is_set():
                kept += data
                if kept.endswith(IDLE):
                    return
            else:
                near.write(data)
    near.transport.abort()
