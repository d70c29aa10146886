"""The feed of events for open pages: written with what is heard, read by streams, resumed from where a page left off."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import structlog

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Pool
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.gateway.store import FeedRow, GatewayStore

log = structlog.get_logger(__name__)
ROWS_AT_ONCE = 200
LOOK_AGAIN_S = 1.0
"""Another process of the gateway may have written; a page is told within this time."""
QUIET_MAX_S = 15.0
FORGET_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the feed: the last event seen, and the epoch it belongs to."""

    epoch: UUID
    id: int

    def __str__(self) -> str:
        return f"{self.epoch.hex}-{self.id}"


def parse_place(text: str) -> Place | None:
    """Read a position as it was handed out; None for anything else."""
    epoch, _, number = text.partition("-")
    try:
        return Place(UUID(hex=epoch), int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
    except ValueError:
        return None


class Feed:
    """Wakes streams when something was written, and reads for them."""

    def __init__(self, pool: Pool, *, rows_kept: int) -> None:
        self._pool = pool
        self._rows_kept = rows_kept
        self._epoch = UUID(int=0)
        self._sleepers: set[asyncio.Event] = set()
        self.streams: Counter[UserId] = Counter()
        self._closing = False

    async def open(self) -> None:
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            self._epoch = await GatewayStore(connection).epoch(fresh_id())

    def wake(self) -> None:
        for sleeper in self._sleepers:
            sleeper.set()

    def close(self) -> None:
        """End every stream; pages come back by themselves."""
        self._closing = True
        self.wake()

    async def end(self) -> Place:
        """The position behind the last event."""
        async with self._pool.acquire(timeout=5) as connection:
            _, last = await GatewayStore(connection).feed_span()
        return Place(self._epoch, last)

    async def follow(self, user_id: UserId, seen: Place | None) -> AsyncIterator[tuple[Place, FeedRow | None]]:
        """Events after a position, for ever; None for the row means that nothing new came for a while.

        Without a position, from now on. A position that is no longer kept yields one `reset` event: the page then reads
        its state anew instead of missing something silently.
        """
        sleeper = asyncio.Event()
        self._sleepers.add(sleeper)
        self.streams[user_id] += 1
        try:
            place, lost = await self._start(seen)
            yield place, FeedRow(place.id, "reset", "{}") if lost else None
            while not self._closing:
                sleeper.clear()
                rows = await self._read(user_id, place.id)
                for row in rows:
                    place = Place(self._epoch, row.id)
                    yield place, row
                if not rows and not await self._something_new(sleeper, user_id, place.id):
                    yield place, None
        finally:
            self._sleepers.discard(sleeper)
            self.streams[user_id] -= 1

    async def _start(self, seen: Place | None) -> tuple[Place, bool]:
        async with self._pool.acquire(timeout=5) as connection:
            first, last = await GatewayStore(connection).feed_span()
        end = Place(self._epoch, last)
        if seen is None:
            return end, False
        kept = seen.epoch == self._epoch and seen.id <= last and (seen.id >= first - 1 or not first)
        return (seen, False) if kept else (end, True)

    async def _something_new(self, sleeper: asyncio.Event, user_id: UserId, after: int) -> bool:
        for _ in range(int(QUIET_MAX_S / LOOK_AGAIN_S)):
            if await woken(sleeper, LOOK_AGAIN_S) or await self._read(user_id, after, 1):
                return True
        return False

    async def _read(self, user_id: UserId, after: int, limit: int = ROWS_AT_ONCE) -> list[FeedRow]:
        async with self._pool.acquire(timeout=5) as connection:
            return await GatewayStore(connection).events_after(user_id, after, limit)

    async def forget(self) -> None:
        """Keep the feed short, for ever."""
        while True:
            try:
                async with self._pool.acquire(timeout=5) as connection:
                    await GatewayStore(connection).forget_events(self._rows_kept)
            except TRANSIENT as error:
                log.debug("feed.waiting", error=repr(error))
            await asyncio.sleep(FORGET_EVERY_S)
