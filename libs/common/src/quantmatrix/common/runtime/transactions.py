"""The desk's own connection, with its next transaction begun ahead while messages keep coming."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg.transaction
import structlog

from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.register import Register

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
        self._ahead: Transaction | None = None
        self._ahead_since = float("inf")
        self._worked = False

    async def begin(self) -> tuple[Own, Transaction]:
        """A connection inside a transaction; the register behind it is sure of its numbers."""
        if self._own is None or self._own.is_closed():
            self._own, self._ahead = await self._connect(), None
            self._register.doubt()
        if self._register.doubtful:
            await self._register.load(self._own)
        transaction, self._ahead = self._ahead, None
        if transaction is None:
            transaction = self._own.transaction()
            await transaction.start()
        return self._own, transaction

    async def commit(self, transaction: Transaction) -> None:
        """Make it last. Whatever this raises, only the tables know whether it did."""
        await transaction.commit()
        self._worked = True

    async def roll_back(self, transaction: Transaction) -> None:
        """Undo what was not committed; a connection that is gone has done so already."""
        try:
            await transaction.rollback()
        except TRANSIENT as error:
            log.debug("rollback.failed", error=repr(error))

    def put_back(self, transaction: Transaction) -> None:
        """Nothing was done but reading: the next page may have it."""
        self._ahead, self._ahead_since = transaction, self._clock.monotonic()

    async def begin_ahead(self) -> None:
        """After a commit: where one message came, the next one should not have to wait for the word `begin`."""
        if not self._worked or self._ahead is not None or self._own is None or self._own.is_closed():
            return
        self._worked = False
        transaction = self._own.transaction()
        try:
            await transaction.start()
        except TRANSIENT as error:
            log.debug("begin.failed", error=repr(error))
            return
        self._ahead, self._ahead_since = transaction, self._clock.monotonic()

    def seconds_left(self) -> float:
        """Until a transaction begun ahead should end; infinite without one."""
        return float("inf") if self._ahead is None else self._ahead_since + AHEAD_MAX_S - self._clock.monotonic()

    async def rest(self) -> None:
        """End a transaction that was begun ahead and found no work."""
        if self._ahead is not None and self.seconds_left() <= 0:
            transaction, self._ahead = self._ahead, None
            await self.roll_back(transaction)
