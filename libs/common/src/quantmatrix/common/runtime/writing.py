"""A page's statements: the transaction begins with the first of them, and what only has to be made goes out with the last.

A page that asks for nothing needs no transaction: its changes and what it heard and says are one statement, which the database makes
or does not make as a whole. That is one way to the database and back instead of four.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from quantmatrix.common.runtime.errors import TryLater

if TYPE_CHECKING:
    from quantmatrix.common.runtime.database import Connection, Own

_PLACE = re.compile(r"\$(\d+)")
JOINED_MAX = 6
"""How many changes go out with one statement; each set of them is a statement that the database plans."""


@dataclass(frozen=True, slots=True)
class Write:
    """A change of which no more is asked than that it is made.

    pieces: as they stand behind `with`, each with its name, over the arguments $1, $2 and so on. insists: a condition over them without
    which nothing may be made; the page then fails with TryLater. Pieces see the tables as they were before any of them,
    and are made in no order.
    """

    pieces: tuple[str, ...]
    arguments: tuple[Any, ...]
    insists: str = "true"


@dataclass(frozen=True, slots=True)
class Joined:
    """Several writes as pieces of one statement; the arguments follow those that it has already."""

    pieces: str
    insists: str
    arguments: tuple[Any, ...]


def joined(writes: Sequence[Write], places: int) -> Joined | None:
    """The writes behind a statement with so many arguments; None where two of them have a piece of the same name, or there are too many."""
    names = [piece.partition(" ")[0] for write in writes for piece in write.pieces]
    if len(set(names)) < len(names) or len(writes) > JOINED_MAX:
        return None
    pieces, insists = _text(tuple((write.pieces, write.insists, len(write.arguments)) for write in writes), places)
    return Joined(pieces, insists, tuple(argument for write in writes for argument in write.arguments))


@cache
def _text(shapes: tuple[tuple[tuple[str, ...], str, int], ...], places: int) -> tuple[str, str]:
    pieces, insists = [], []
    for own, insisted, count in shapes:
        pieces += [f", {_moved(piece, places)}" for piece in own]
        insists.append(f" and ({_moved(insisted, places)})")
        places += count
    return "".join(pieces), "".join(insists)


def _moved(sql: str, by: int) -> str:
    return _PLACE.sub(lambda found: f"${int(found[1]) + by}", sql)


class Writing:
    """A page's connection. Whatever is asked of it sees every write that was handed in before."""

    def __init__(self, own: "Own", begin: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.own = own
        self._begin = begin
        self.asked = False
        self.writes: list[Write] = []

    @property
    def alone(self) -> bool:
        """Whether there is no transaction yet."""
        return self._begin is not None

    @property
    def reading(self) -> Any:
        """The connection for what only looks: as it is, unless what was handed in has to be made first."""
        return self if self.writes else self.own

    async def open(self) -> "Own":
        """The connection inside a transaction, with all writes made. Raises TryLater where one of them insists in vain."""
        if self._begin is not None:
            begin, self._begin = self._begin, None
            await begin()
        writes, self.writes = self.writes, []
        for write in writes:
            await made(self.own, write)
        return self.own

    async def _asked(self) -> "Own":
        self.asked = True
        return await self.open()

    async def execute(self, query: str, *args: Any) -> str:
        return await (await self._asked()).execute(query, *args)

    async def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        await (await self._asked()).executemany(query, rows)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return await (await self._asked()).fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await (await self._asked()).fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await (await self._asked()).fetchval(query, *args)

    async def copy_records_to_table(self, table: str, *, records: Iterable[Sequence[Any]], columns: Sequence[str]) -> str:
        return await (await self._asked()).copy_records_to_table(table, records=records, columns=columns)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A part that may fail by itself."""
        async with (await self._asked()).transaction():
            yield


async def made(connection: "Connection", write: Write) -> None:
    """Make one write by itself. Raises TryLater where it insists in vain; nothing may then be committed."""
    pieces = f"with {', '.join(write.pieces)} " if write.pieces else ""
    if not await connection.fetchval(f"{pieces}select {write.insists}", *write.arguments):
        raise TryLater(f"a change builds on what is not so any more: {write.insists}")
