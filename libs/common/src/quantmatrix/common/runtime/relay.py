"""The relay: takes what the outbox holds to the bus, in order, as often as it takes. One relay works per service."""

import asyncio
from collections import deque
from collections.abc import Sequence

import asyncpg
import structlog
from nats.js import JetStreamContext

from quantmatrix.common.runtime.database import connect
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.outbox import OutboxRow

log = structlog.get_logger(__name__)

BATCH_MAX = 256
ACK_TIMEOUT_S = 5.0
IDLE_LOOK_S = 1.0
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_LOCK = "select pg_try_advisory_lock(hashtext($1), hashtext(current_schema()))"
_UNPUBLISHED = """
select id, key, seq, family, subject, message_id, payload from outbox where published_at is null order by id limit $1
"""
_MARK = "update outbox set published_at = clock_timestamp() where id = any($1)"


class Relay:
    """Publishes outbox rows with their message id, and marks the prefix that the bus acknowledged.

    Rows committed by this process are handed over in memory; everything else (left by a process that died, refused by
    the bus) is found by looking. A lost mark only means a second publication, which readers recognise by its number.
    """

    def __init__(self, *, service: str, database_url: str, js: JetStreamContext, metrics: Metrics) -> None:
        self._service = service
        self._url = database_url
        self._js = js
        self._metrics = metrics
        self._handed: deque[OutboxRow] = deque()
        self._level = False
        self._looked_past = False
        self._wake = asyncio.Event()

    def hand_over(self, rows: Sequence[OutboxRow]) -> None:
        """Take rows that were just committed. While older rows wait in the table these are found there in their turn."""
        if self._level:
            self._handed.extend(rows)
        else:
            self._looked_past = True
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; a lost database or bus is waited for."""
        tries = 0
        while True:
            try:
                async with asyncio.timeout(None):
                    connection = await connect(self._url, service=self._service)
                try:
                    await connection.execute("set synchronous_commit = off")
                    if await connection.fetchval(_LOCK, "relay"):
                        tries = 0
                        await self._publish_for_ever(connection)
                finally:
                    self._level = False
                    self._handed.clear()
                    await _close(connection)
            except TRANSIENT as error:
                log.warning("relay.waiting", error=repr(error))
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1

    async def _publish_for_ever(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            await self._publish_stored(connection)
            while self._level:
                if not self._handed:
                    await self._rest(connection)
                    continue
                rows = [self._handed.popleft() for _ in range(min(len(self._handed), BATCH_MAX))]
                await self._publish(connection, rows)

    async def _rest(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Wait to be woken; now and then look whether another process of this service left something."""
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), IDLE_LOOK_S)
        except TimeoutError:
            if await connection.fetchval("select exists (select from outbox where published_at is null)") and not self._handed:
                self._level = False

    async def _publish_stored(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            self._looked_past = False
            records = await connection.fetch(_UNPUBLISHED, BATCH_MAX)
            if not records and not self._looked_past:
                self._level = True
                return
            rows = [OutboxRow(r["id"], r["key"], r["seq"], r["family"], r["subject"], r["message_id"], r["payload"]) for r in records]
            await self._publish(connection, rows)

    async def _publish(self, connection: "asyncpg.Connection[asyncpg.Record]", rows: Sequence[OutboxRow]) -> None:
        """Publish in order and mark what was acknowledged. Raises what stopped it after marking the prefix."""
        acks = [
            await self._js.publish_async(row.subject, row.payload, wait_stall=ACK_TIMEOUT_S, stream=row.stream, headers=row.headers())
            for row in rows
        ]
        done: list[int] = []
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                for row, ack in zip(rows, acks, strict=True):
                    await ack
                    done.append(row.row_id)
        except Exception as error:
            failure = error
        if done:
            await connection.execute(_MARK, done)
            self._metrics.published.inc(len(done))
        if failure is not None:
            for ack in acks:
                ack.cancel()
            self._metrics.publish_failures.inc()
            raise failure if isinstance(failure, TRANSIENT) else ConnectionError(repr(failure)) from failure


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=1.0)
    except TRANSIENT:
        connection.terminate()
