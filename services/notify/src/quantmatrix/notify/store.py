"""Notify's tables: notifications and their deliveries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from quantmatrix.common.names import AccountId, NotificationId, Priority, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.notify.domain.telling import Room, Telling, Tone

TAKEN_MAX = 5


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be tried now. `sending` was left by a process that died in the middle: its outcome is not known."""

    telling: Telling
    channel: str
    tries: int
    occurred_at: datetime


class NotifyStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, telling: Telling, at: datetime) -> bool:
        """Store a notification; False when it was stored before."""
        new = await self._connection.fetchval(
            """insert into notification (notification_id, user_id, account_id, topic, priority, title, body, about, occurred_at, room,
                 tone, fields) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing returning true""",
            telling.notification_id, telling.user_id, telling.account_id, telling.topic, telling.priority, telling.title, telling.body,
            telling.about, at, telling.room, telling.tone, json.dumps(telling.fields) if telling.fields else None,
        )  # fmt: skip
        return bool(new)

    async def add_deliveries(self, notification_id: NotificationId, channels: Sequence[tuple[str, bool]]) -> None:
        """One delivery per channel; those of immediate channels are done with this very transaction."""
        await self._connection.executemany(
            """insert into delivery (notification_id, channel, state, tries, settled_at) values ($1, $2, $3, $4,
               case when $3 = 'delivered' then clock_timestamp() end)""",
            [(notification_id, name, "delivered" if immediate else "pending", int(immediate)) for name, immediate in channels],
        )

    async def take_due(self, claim: timedelta) -> list[Due]:
        """Claim deliveries whose time has come, oldest first: for the time of `claim` a second process leaves them alone."""
        rows = await self._connection.fetch(
            """
            with due as (
                select notification_id, channel from delivery where state in ('pending', 'sending') and next_try_at <= clock_timestamp()
                order by next_try_at limit $1 for update skip locked
            )
            update delivery d set state = 'sending', tries = tries + 1, next_try_at = clock_timestamp() + $2
            from due, notification n where d.notification_id = due.notification_id and d.channel = due.channel and n.notification_id = d.notification_id
            returning n.*, d.channel, d.tries
            """,
            TAKEN_MAX,
            claim,
        )
        return [Due(_telling(row), row["channel"], row["tries"], row["occurred_at"]) for row in rows]

    async def settle(self, notification_id: NotificationId, channel: str, state: str, error: str | None = None) -> None:
        await self._connection.execute(
            "update delivery set state = $3, settled_at = clock_timestamp(), error = $4 where notification_id = $1 and channel = $2",
            notification_id,
            channel,
            state,
            error,
        )

    async def put_off(self, notification_id: NotificationId, channel: str, wait: timedelta, error: str, *, counts: bool) -> None:
        """Try again after a while. counts: whether this was one of the tries that end at some time."""
        await self._connection.execute(
            """update delivery set state = 'pending', next_try_at = clock_timestamp() + $3, error = $4, tries = tries - $5
               where notification_id = $1 and channel = $2""",
            notification_id, channel, wait, error, 0 if counts else 1,
        )  # fmt: skip

    async def mark_read(self, user_id: UserId, at: datetime, notification_id: NotificationId | None) -> int:
        rows = await self._connection.fetch(
            """update notification set read_at = $2, version = version + 1
               where user_id = $1 and read_at is null and ($3::uuid is null or notification_id = $3) returning true""",
            user_id,
            at,
            notification_id,
        )
        return len(rows)


def _telling(row: asyncpg.Record) -> Telling:
    return Telling(
        user_id=UserId(row["user_id"]),
        account_id=AccountId(row["account_id"]) if row["account_id"] else None,
        topic=row["topic"],
        priority=Priority(row["priority"]),
        title=row["title"],
        body=row["body"],
        about=row["about"],
        room=Room(row["room"]),
        tone=Tone(row["tone"]) if row["tone"] else None,
        fields=tuple((name, figure) for name, figure in json.loads(row["fields"] or "[]")),
    )
