"""A lease on work that only one process may do at a time: a lock while we live, and a fence against those who slept."""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from quantmatrix.common.runtime.database import connect
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn
from quantmatrix.common.runtime.register import Fence

log = structlog.get_logger(__name__)

_LOCK = "select pg_try_advisory_lock(hashtext($1), hashtext(current_schema()))"
_RAISE = "insert into lease as l (name, fence) values ($1, 1) on conflict (name) do update set fence = l.fence + 1 returning fence"
_NOW = "select fence from lease where name = $1"
RETRY_S = 0.25
WATCH_S = 1.0


class Lease:
    """Held by one process per service. Pages carry its fence, so a process that lost it unnoticed writes nothing."""

    def __init__(self, *, service: str, database_url: str) -> None:
        self._service = service
        self._url = database_url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._number = 0

    async def acquire(self, standing_by: Callable[[], None] = lambda: None) -> None:
        """Wait until no other process holds the lease, then raise the fence. standing_by: called once it is known that one does.

        Raises NotLetIn when the database refuses the service.
        """
        await self._lock(standing_by, _RAISE)
        log.info("lease.held", fence=self._number)

    async def _lock(self, standing_by: Callable[[], None], fence: str) -> None:
        """Wait for the lock; the fence is what this statement then tells."""
        waiting_said = False
        while True:
            try:
                if await self._locked(fence):
                    return
                if not waiting_said:
                    log.info("lease.waiting", reason="another process owns this work; standing by")
                    waiting_said = True
                    standing_by()
            except NotLetIn:
                raise
            except TRANSIENT as error:
                log.warning("lease.no_database", error=repr(error))
            await asyncio.sleep(RETRY_S)

    async def _locked(self, fence: str) -> bool:
        """One try. A connection that is not kept is ended here: it may have got the lock, and would keep everybody from it, us as well."""
        connection = await connect(self._url, service=self._service)
        try:
            if await connection.fetchval(_LOCK, "lease"):
                self._number = await connection.fetchval(fence, self._service)
                self._connection = connection
            return self._connection is connection
        finally:
            if self._connection is not connection:
                await connection.close(timeout=1.0)

    async def watch(self) -> None:
        """When the connection that holds the lock is gone, take the lock again; meanwhile the fence guards every page.

        Raises LeaseLost when somebody else had it in between: what this process remembers is not how things stand.
        """
        while True:
            await asyncio.sleep(WATCH_S)
            if self._connection is None or self._connection.is_closed():
                await self._take_again()

    async def _take_again(self) -> None:
        """After a database restart nobody holds the lock, and whoever comes first takes it. Where that is us the fence stays: pages are
        under way that carry it.
        """
        self._connection, ours = None, self.fence
        await self._lock(lambda: None, _NOW)
        ours.refuse_other(self._number)
        log.info("lease.held_again", fence=self._number)

    @property
    def fence(self) -> Fence:
        """What every page is checked against."""
        return Fence(self._service, self._number)

    async def release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=1.0)
            except TRANSIENT:
                connection.terminate()
