"""The relay: takes what the outbox holds to the bus, in order, as often as it takes. One relay works per service."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import structlog
from nats.aio.client import Client

from quantmatrix.common.runtime.database import Own, connect
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.outbox import OutboxRow
from quantmatrix.common.runtime.publishing import Publisher
from quantmatrix.common.runtime.waiting import woken

log = structlog.get_logger(__name__)

BATCH_MAX = 256
MARK_LATE_S = 0.25
CONFIRM_AT = 64
"""So many rows under way are looked at before anybody has time for it."""
ACK_TIMEOUT_S = 5.0
IDLE_LOOK_S = 1.0
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_LOCK = "select pg_try_advisory_lock(hashtext($1), hashtext(current_schema()))"
_UNPUBLISHED = """
select id, key, seq, family, subject, message_id, payload from outbox_waiting join outbox using (id) order by id limit $1
"""
_MARK = "delete from outbox_waiting where id = any($1)"


class Relay:
    """Publishes outbox rows with their message id, and marks the prefix that the bus acknowledged.

    Rows committed by this process are handed over in memory and go out at once, by the task that committed them; this one
    waits for what the bus says to them. Everything else (left by a process that died, refused by the bus) is found by
    looking. A lost mark only means a second publication, which readers recognise by its number.
    """

    def __init__(self, *, service: str, database_url: str, client: Client, metrics: Metrics) -> None:
        self._service = service
        self._url = database_url
        self._publisher = Publisher(client, self._refused)
        self._metrics = metrics
        self._handed: deque[OutboxRow] = deque()
        self._sent: deque[tuple[OutboxRow, asyncio.Future[None]]] = deque()
        self._sending = False
        self._level = False
        self._looked_past = False
        self._wake = asyncio.Event()
        self._idle = False
        self._got_through = False
        self._acknowledged: list[int] = []
        self._marked_at = 0.0

    async def hand_over(self, rows: Sequence[OutboxRow]) -> None:
        """Take rows that were just committed; those before them go first. While older rows wait in the table these are found there
        in their turn. Never raises because of the bus: what it does not take is published again from the table.
        """
        if not rows:
            return
        if not self._level:
            self._looked_past = True
        elif self._handed or self._sending or len(self._sent) + len(rows) > BATCH_MAX:
            self._handed.extend(rows)
        else:
            await self._send(rows)
            await asyncio.sleep(0)  # the client's own task writes them to the socket now, and not after all that is still to be tidied up
        if self._idle or self._is_pressing():
            self._wake.set()

    def _refused(self) -> None:
        """The bus did not take something: `_confirm` raises why."""
        self._level = False
        self._wake.set()

    def _is_pressing(self) -> bool:
        """Whether there is more to do than to look, in a while, at what the bus said."""
        return not self._level or bool(self._handed) or len(self._sent) >= CONFIRM_AT

    async def run(self) -> None:
        """Work until cancelled; a lost database or bus is waited for. Raises NotLetIn when the database refuses the service."""
        tries = 0
        while True:
            try:
                connection = await connect(self._url, service=self._service)
                try:
                    await connection.execute("set synchronous_commit = off")
                    self._got_through = False
                    if await connection.fetchval(_LOCK, "relay"):
                        await self._publish_for_ever(connection)
                finally:
                    self._level = False
                    self._handed.clear()
                    self._forget_sent()
                    self._acknowledged.clear()
                    await _close(connection)
            except NotLetIn:
                raise
            except TRANSIENT as error:
                log.warning("relay.waiting", error=repr(error))
            tries = 0 if self._got_through else tries + 1
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])

    async def _publish_for_ever(self, connection: Own) -> None:
        while True:
            await self._publish_stored(connection)
            while self._level or self._sent:
                if self._sent and self._is_pressing():
                    await self._confirm(connection)
                elif self._handed:
                    await self._send([self._handed.popleft() for _ in range(min(len(self._handed), BATCH_MAX))])
                else:
                    await self._rest(connection)

    async def _rest(self, connection: Own) -> None:
        """Wait to be woken. With time on hand, mark what was acknowledged, and look for what other processes left."""
        self._wake.clear()
        self._idle = not (self._sent or self._acknowledged)
        if not await woken(self._wake, IDLE_LOOK_S if self._idle else MARK_LATE_S):
            if self._sent:
                await self._confirm(connection)
            elif self._acknowledged:
                await self._mark(connection)
            elif await connection.fetchval("select exists (select from outbox_waiting)") and not (self._handed or self._sent):
                self._level = False

    async def _publish_stored(self, connection: Own) -> None:
        while True:
            await self._mark(connection)
            self._looked_past = False
            records = await connection.fetch(_UNPUBLISHED, BATCH_MAX)
            if not records and not self._looked_past:
                self._level = True
                return
            rows = [OutboxRow(r["id"], r["key"], r["seq"], r["family"], r["subject"], r["message_id"], r["payload"]) for r in records]
            await self._send(rows)
            await self._confirm(connection)

    async def _send(self, rows: Sequence[OutboxRow]) -> None:
        """Give rows to the bus in order, without waiting for its word. The first that it does not take ends that, and `_confirm`
        raises why. It takes many more at a time than are ever under way here.
        """
        self._sending = True
        try:
            for row in rows:
                self._sent.append((row, await self._publisher.give(row)))
        except Exception as error:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            self._sent.append((row, refused))
            self._level = False
        finally:
            self._sending = False

    async def _confirm(self, connection: Own) -> None:
        """Wait until the bus has acknowledged what was sent so far; raises what stopped it, after marking what came before that."""
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                for _ in range(len(self._sent)):
                    row, ack = self._sent[0]
                    await ack
                    self._got_through = True
                    self._sent.popleft()
                    self._acknowledged.append(row.row_id)
        except Exception as error:
            self._level = False
            self._forget_sent()
            self._metrics.publish_failures.inc()
            await self._mark(connection)
            raise error if isinstance(error, TRANSIENT) else ConnectionError(repr(error)) from error
        if len(self._acknowledged) >= BATCH_MAX or time.monotonic() - self._marked_at > MARK_LATE_S:
            await self._mark(connection)

    def _forget_sent(self) -> None:
        """Nobody waits for these any more: they are still in the table."""
        for _, ack in self._sent:
            if not ack.cancel() and not ack.cancelled():
                ack.exception()  # looked at, or the loop complains that nobody did
        self._sent.clear()
        self._publisher.forget()

    async def _mark(self, connection: Own) -> None:
        """Note what was published, several at a time: a lost note only means a second publication."""
        done, self._acknowledged = self._acknowledged, []
        self._marked_at = time.monotonic()
        if done:
            await connection.execute(_MARK, done)
            self._metrics.published.inc(len(done))


async def _close(connection: Own) -> None:
    try:
        await connection.close(timeout=1.0)
    except TRANSIENT:
        connection.terminate()
