"""The gateway's tables: people, sessions, the audit trail, the feed, and the answers to repeated requests."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.writing import Write


@dataclass(frozen=True, slots=True)
class User:
    user_id: UserId
    name: str
    role: str
    password_hash: str


class Member(msgspec.Struct, frozen=True):
    """A user as administrators see one."""

    user_id: UserId
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


class OpenSession(msgspec.Struct, frozen=True):
    """A login that is still good. this: the one that asks."""

    created_at: datetime
    expires_at: datetime
    address: str
    agent: str
    this: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A live session with its user."""

    user_id: UserId
    name: str
    role: str
    csrf: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act of a person. about: what it was done to; before and after: the values it changed, as JSON."""

    at: datetime
    user_id: UserId | None
    name: str
    action: str
    about: str
    address: str
    request_id: UUID
    before: object | None = None
    after: object | None = None
    id: int = field(default=0)


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """What pages of a user are told. event: the name that they know it by; payload: the message as JSON."""

    user_id: UserId
    event: str
    payload: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One event for a user's open pages; payload is the message as JSON."""

    id: int
    event: str
    payload: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to a request the first time."""

    request_hash: bytes
    status: int
    answer: bytes


KNOWN_FOR = timedelta(days=30)
"""How long after a login its address is one that the account's owner comes from."""
_ANOTHER_ADMINISTRATOR = """(role <> 'admin' or disabled_at is not null
    or exists (select from users o where o.role = 'admin' and o.disabled_at is null and o.user_id <> $1))"""


_FEED_TURN = "feed_turn as (select pg_advisory_xact_lock(hashtext('feed')))"
_FED = """fed as (insert into feed (user_id, event, payload, occurred_at) select e.user_id, e.event, e.payload, e.occurred_at
    from feed_turn, unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) with ordinality as e (user_id, event, payload, occurred_at, place)
    order by e.place)"""


def fed(events: Sequence[FeedEvent]) -> Write:
    """The feed with these behind its end, in this order. Writers take turns, so that ids become visible in their order."""
    columns = (
        [one.user_id for one in events],
        [one.event for one in events],
        [one.payload for one in events],
        [one.occurred_at for one in events],
    )
    return Write((_FEED_TURN, _FED), columns)


class GatewayStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def any_user(self) -> bool:
        return bool(await self._connection.fetchval("select exists (select from users)"))

    async def add_user(self, user_id: UserId, name: str, password_hash: str, role: str, at: datetime) -> bool:
        """False when this user or this name is there already."""
        new = await self._connection.fetchval(
            """insert into users (user_id, name, password_hash, role, created_at) values ($1, $2, $3, $4, $5)
               on conflict do nothing returning true""",
            user_id, name, password_hash, role, at,
        )  # fmt: skip
        return bool(new)

    async def user_by_name(self, name: str) -> User | None:
        row = await self._connection.fetchrow(
            "select user_id, name, role, password_hash from users where name = $1 and disabled_at is null", name
        )
        return User(UserId(row["user_id"]), row["name"], row["role"], row["password_hash"]) if row else None

    async def members(self) -> list[Member]:
        rows = await self._connection.fetch("select user_id, name, role, created_at, disabled_at from users order by name")
        return [Member(UserId(row["user_id"]), row["name"], row["role"], row["created_at"], row["disabled_at"]) for row in rows]

    async def set_role(self, user_id: UserId, role: str) -> bool:
        """False when no administrator who may log in would be left."""
        changed = await self._connection.fetchval(
            f"update users set role = $2, version = version + 1 where user_id = $1 and ($2 = 'admin' or {_ANOTHER_ADMINISTRATOR}) returning true",
            user_id,
            role,
        )
        return bool(changed)

    async def set_disabled(self, user_id: UserId, at: datetime | None) -> bool:
        """Let a user log in, or not from a moment on; False when no administrator who may log in would be left."""
        changed = await self._connection.fetchval(
            f"""update users set disabled_at = $2, version = version + 1 where user_id = $1 and ($2::timestamptz is null
                or {_ANOTHER_ADMINISTRATOR}) returning true""",
            user_id,
            at,
        )
        if changed and at is not None:
            await self._connection.execute("update session set revoked_at = $2 where user_id = $1 and revoked_at is null", user_id, at)
        return bool(changed)

    async def set_password(self, user_id: UserId, password_hash: str) -> None:
        await self._connection.execute(
            "update users set password_hash = $2, version = version + 1 where user_id = $1", user_id, password_hash
        )

    async def sessions_of(self, user_id: UserId, this: bytes, now: datetime) -> list[OpenSession]:
        rows = await self._connection.fetch(
            """select created_at, expires_at, address, agent, id_hash = $2 as this from session
               where user_id = $1 and revoked_at is null and expires_at > $3 order by created_at desc limit 100""",
            user_id,
            this,
            now,
        )
        return [OpenSession(row["created_at"], row["expires_at"], row["address"], row["agent"], row["this"]) for row in rows]

    async def revoke_others(self, user_id: UserId, this: bytes, at: datetime) -> None:
        await self._connection.execute(
            "update session set revoked_at = $3 where user_id = $1 and id_hash <> $2 and revoked_at is null", user_id, this, at
        )

    async def add_session(
        self, id_hash: bytes, user_id: UserId, csrf: str, created: datetime, expires: datetime, address: str, agent: str
    ) -> None:
        await self._connection.execute(
            "insert into session (id_hash, user_id, csrf, created_at, expires_at, address, agent) values ($1, $2, $3, $4, $5, $6, $7)",
            id_hash, user_id, csrf, created, expires, address, agent,
        )  # fmt: skip

    async def session(self, id_hash: bytes, now: datetime) -> Session | None:
        """The session behind a cookie, while it and its user are good."""
        row = await self._connection.fetchrow(
            """select u.user_id, u.name, u.role, s.csrf from session s join users u using (user_id)
               where s.id_hash = $1 and s.expires_at > $2 and s.revoked_at is null and u.disabled_at is null""",
            id_hash,
            now,
        )
        return Session(UserId(row["user_id"]), row["name"], row["role"], row["csrf"]) if row else None

    async def revoke_session(self, id_hash: bytes, at: datetime) -> None:
        await self._connection.execute("update session set revoked_at = $2 where id_hash = $1 and revoked_at is null", id_hash, at)

    async def add_audit(self, row: AuditRow) -> None:
        await self._connection.execute(
            """insert into audit (at, user_id, name, action, about, address, request_id, before, after)
               values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb)""",
            row.at, row.user_id, row.name, row.action, row.about, row.address, row.request_id, _json(row.before), _json(row.after),
        )  # fmt: skip

    async def failures(self, action: str, name: str, address: str, since: datetime, until: datetime) -> tuple[int, datetime | None]:
        """Failures for an account or from an address between two moments, whichever are more; and the oldest of them.

        until: later ones were written while the clock was wrong. A login that worked clears its account's count, not its address's. Where
        the account has logged in from this address lately, failures from elsewhere do not count: a stranger cannot shut its owner out.
        """
        row = await self._connection.fetchrow(
            """
            with recent as (
                select at, about = $2 and id > coalesce((select max(id) from audit where action = 'login' and about = $2), 0)
                    and not exists (select from audit k where k.action = 'login' and k.about = $2 and k.address = $3 and k.at > $5)
                    as by_name,
                    address = $3 as by_address
                from audit where action = $1 and at > $4 and at < $6 and (about = $2 or address = $3)
            )
            select count(*) filter (where by_name) as names, count(*) filter (where by_address) as addresses, min(at) as oldest from recent
            """,
            action, name, address, since, since - KNOWN_FOR, until,
        )  # fmt: skip
        return (max(row["names"], row["addresses"]), row["oldest"]) if row else (0, None)

    async def trail(self, limit: int, before: int | None = None) -> list[AuditRow]:
        """The audit trail, the latest first."""
        rows = await self._connection.fetch(
            "select * from audit where $1::bigint is null or id < $1 order by id desc limit $2", before, limit
        )
        return [_audit(row) for row in rows]

    async def placed(self, user_id: UserId, order_id: UUID, since: datetime) -> dict[str, Any] | None:
        """What the audit trail tells of an order that a person placed since a moment; None for another one, and for one of a ledger
        that was forgotten since.
        """
        found = await self._connection.fetchval(
            """select after from audit where action = 'order.placed' and at >= $3 and about = $2 and user_id = $1
               and at > coalesce((select max(at) from audit where action = 'replay.restart'), '-infinity')""",
            user_id, str(order_id), since,
        )  # fmt: skip
        told: dict[str, Any] | None = None if found is None else json.loads(found)
        return told

    async def epoch(self, fresh: UUID) -> UUID:
        """The feed's epoch; it changes when the feed starts from nothing, so that positions in an older one are told apart."""
        await self._connection.execute("insert into feed_epoch (epoch) select $1 where not exists (select from feed_epoch)", fresh)
        found: UUID = await self._connection.fetchval("select epoch from feed_epoch")
        return found

    async def events_after(self, user_id: UserId, after: int, limit: int) -> list[FeedRow]:
        rows = await self._connection.fetch(
            "select id, event, payload from feed where user_id = $1 and id > $2 order by id limit $3", user_id, after, limit
        )
        return [FeedRow(row["id"], row["event"], row["payload"]) for row in rows]

    async def feed_span(self) -> tuple[int, int]:
        """The first and the last id that are kept; (0, 0) when there is none."""
        row = await self._connection.fetchrow("select coalesce(min(id), 0) as first, coalesce(max(id), 0) as last from feed")
        return (row["first"], row["last"]) if row else (0, 0)

    async def forget_events(self, kept: int) -> None:
        await self._connection.execute("delete from feed where id <= (select max(id) from feed) - $1", kept)

    async def answered(self, user_id: UserId, key: str, since: datetime) -> Answered | None:
        row = await self._connection.fetchrow(
            "select request_hash, status, answer from idempotency where user_id = $1 and key = $2 and made_at > $3", user_id, key, since
        )
        return Answered(row["request_hash"], row["status"], row["answer"]) if row else None

    async def keep_answer(self, user_id: UserId, key: str, answered: Answered, at: datetime, since: datetime) -> bool:
        """False when another request with this key was first; answers that were made up to `since` do not count any more."""
        new = await self._connection.fetchval(
            """insert into idempotency (user_id, key, request_hash, status, answer, made_at) values ($1, $2, $3, $4, $5, $6)
               on conflict (user_id, key) do update set request_hash = excluded.request_hash, status = excluded.status,
               answer = excluded.answer, made_at = excluded.made_at where idempotency.made_at <= $7 returning true""",
            user_id, key, answered.request_hash, answered.status, answered.answer, at, since,
        )  # fmt: skip
        return bool(new)

    async def forget_answers(self, since: datetime) -> None:
        await self._connection.execute("delete from idempotency where made_at <= $1", since)


def _json(value: object | None) -> str | None:
    return None if value is None else json.dumps(value)


def _read(value: Any) -> object | None:
    return None if value is None else json.loads(value)


def _audit(row: asyncpg.Record) -> AuditRow:
    return AuditRow(
        at=row["at"],
        user_id=UserId(row["user_id"]) if row["user_id"] else None,
        name=row["name"],
        action=row["action"],
        about=row["about"],
        address=row["address"],
        request_id=row["request_id"],
        before=_read(row["before"]),
        after=_read(row["after"]),
        id=row["id"],
    )
