"""The desk's own connection, with its next transaction begun ahead while messages keep coming."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg.transaction
import structlog

from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.writing import Writing

Transaction: TypeAlias = asyncpg.transaction.Transaction
log = structlog.get_logger(__name__)

AHEAD_MAX_S = 0.5
"""How long a transaction begun ahead stays open without work; it holds neither snapshot nor lock."""


class Transactions:
    """One transaction after the other on one connection, which is made again when it was lost."""

    def __init__(self, connect: Callable[[], Awaitable[Own]], register: Register, clock: Clock) -> None:
        self._connect = connect
        self._register = register
        self._clock = clock
        self._own: Own | None = None
        self._open: Transaction | None = None
        self._ahead: Transaction | None = None
        self._ahead_since = float("inf")
        self._wanted = False

    async def writing(self) -> Writing:
        """A connection for one page; the register behind it is sure of its numbers. A transaction begun ahead is used in any case."""
        if self._own is None or self._own.is_closed():
            self._own, self._ahead = await self._connect(), None
            self._register.doubt()
        if self._register.doubtful:
            with self._dropped_by_an_error():
                await self._register.load(self._own)
        self._open, self._ahead = self._ahead, None
        return Writing(self._own, self._begin if self._open is None else None)

    async def _begin(self) -> None:
        self._open = await self._begun()

    async def _begun(self) -> Transaction:
        if self._own is None:
            raise RuntimeError("a transaction needs a connection")
        transaction = self._own.transaction()
        with self._dropped_by_an_error():
            await transaction.start()
        return transaction

    @contextmanager
    def _dropped_by_an_error(self) -> Iterator[None]:
        """Around a word after which a transaction is open or is not. Where it fails nobody knows, and the driver would put the next
        one inside of it, where nothing ever lasts: the connection goes, and the server undoes what was left open on it.
        """
        try:
            yield
        except BaseException:
            own, self._own, self._open, self._ahead = self._own, None, None, None
            if own is not None:
                own.terminate()
            raise

    async def commit(self, *, ahead: bool) -> None:
        """Make it last, where that is still to be done; ahead: the next page will want a transaction. Whatever this raises, only
        the tables know whether it lasts.
        """
        if self._open is not None:
            with self._dropped_by_an_error():
                await self._open.commit()
            self._open = None
        self._wanted = ahead

    async def roll_back(self) -> None:
        """Undo what was not committed; a connection that is gone has done so already."""
        transaction, self._open = self._open, None
        if transaction is None:
            return
        try:
            with self._dropped_by_an_error():
                await transaction.rollback()
        except TRANSIENT as error:
            log.debug("rollback.failed", error=repr(error))

    def put_back(self) -> None:
        """Nothing was done but reading: the next page may have the transaction."""
        if self._open is not None:
            self._ahead, self._ahead_since, self._open = self._open, self._clock.monotonic(), None

    async def begin_ahead(self) -> None:
        """After a commit: where a page had something to ask, the next one should not have to wait for the word `begin`."""
        if not self._wanted or self._ahead is not None or self._own is None or self._own.is_closed():
            return
        self._wanted = False
        try:
            self._ahead = await self._begun()
        except TRANSIENT as error:
            log.debug("begin.failed", error=repr(error))
            return
        self._ahead_since = self._clock.monotonic()

    def seconds_left(self) -> float:
        """Until a transaction begun ahead should end; infinite without one."""
        return float("inf") if self._ahead is None else self._ahead_since + AHEAD_MAX_S - self._clock.monotonic()

    async def rest(self) -> None:
        """End a transaction that was begun ahead and found no work."""
        if self._ahead is not None and self.seconds_left() <= 0:
            self._open, self._ahead = self._ahead, None
            await self.roll_back()
