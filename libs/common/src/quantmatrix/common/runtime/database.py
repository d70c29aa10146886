"""PostgreSQL as the services use it: a small pool, exact numbers, time limits on everything."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from quantmatrix.common.runtime.errors import SHUT_OUT, NotLetIn

if TYPE_CHECKING:
    Own: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Own = asyncpg.Connection
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 15.0
POOL_CLOSES_S = 3.0


async def open_pool(url: str, *, service: str, size: int) -> Pool:
    """A pool of at most `size` connections. Raises OSError or a PostgreSQL error when the server is not there, NotLetIn when it refuses;
    so does the pool when it needs a new connection later.
    """

    async def let_in(*args: Any, **options: Any) -> Own:
        with _let_in(service):
            return await asyncpg.connect(*args, **options)

    return await asyncpg.create_pool(
        url,
        connect=let_in,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        max_inactive_connection_lifetime=0,
        reset=_nothing,
        server_settings={"application_name": f"quantmatrix-{service}"},
    )


@contextmanager
def _let_in(service: str) -> Iterator[None]:
    try:
        yield
    except SHUT_OUT as error:
        raise NotLetIn(f"the database does not let {service} in: {error}") from error


async def _nothing(_: Connection) -> None:
    """Connections go back as they are: every use is one transaction and leaves no session state behind."""


async def connect(url: str, *, service: str) -> Own:
    """One connection of its own, for locks and notifications. Raises as `open_pool` does."""
    with _let_in(service):
        return await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={"application_name": f"quantmatrix-{service}-own"},
        )


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for questions: one consistent view, and nothing can be written through it."""
    async with (
        pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def close_pool(pool: Pool, *, timeout_s: float = POOL_CLOSES_S) -> None:
    """Close gently, then firmly."""
    try:
        async with asyncio.timeout(timeout_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()
