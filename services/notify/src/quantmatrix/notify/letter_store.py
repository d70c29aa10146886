"""The table of letters: one per person, kind and session, planned once and told once."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection


class LetterKind(StrEnum):
    """morning: before a session opens; summary: after it closed."""

    MORNING = "morning"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter whose time has come. late: whether it is too late for it by now; give_up_at: by the wall clock, from when on it is."""

    user_id: UserId
    kind: LetterKind
    session: date
    due_at: datetime
    give_up_at: datetime
    late: bool


class LetterStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep_reader(self, user_id: UserId) -> None:
        await self._connection.execute("insert into reader (user_id) values ($1) on conflict do nothing", user_id)

    async def plan(self, kind: LetterKind, session: date, due_at: datetime, give_up_at: datetime) -> None:
        """A letter for everybody who is written to; planned again it stays as it is."""
        await self._connection.execute(
            """insert into letter (user_id, kind, session, due_at, give_up_at) select user_id, $1, $2, $3, $4 from reader
               on conflict do nothing""",
            kind,
            session,
            due_at,
            give_up_at,
        )

    async def due(self, now: datetime, limit: int) -> list[Letter]:
        """Letters to be written now, the oldest first."""
        rows = await self._connection.fetch(
            """select *, give_up_at < $1 as late from letter where state = 'due' and due_at <= $1 and next_try_at <= clock_timestamp()
               order by due_at, kind, user_id limit $2""",
            now,
            limit,
        )
        return [
            Letter(UserId(row["user_id"]), LetterKind(row["kind"]), row["session"], row["due_at"], row["give_up_at"], row["late"])
            for row in rows
        ]

    async def next_due_at(self) -> datetime | None:
        """When the next letter is due; None without one."""
        found: datetime | None = await self._connection.fetchval("select min(due_at) from letter where state = 'due'")
        return found

    async def end(self, letter: Letter, state: str, reason: str | None = None) -> bool:
        """Told or skipped, for good; False when that was done before."""
        done = await self._connection.fetchval(
            """update letter set state = $4, reason = $5 where user_id = $1 and kind = $2 and session = $3 and state = 'due'
               returning true""",
            letter.user_id,
            letter.kind,
            letter.session,
            state,
            reason,
        )
        return bool(done)

    async def put_off(self, letter: Letter, wait: timedelta, reason: str) -> None:
        await self._connection.execute(
            """update letter set next_try_at = clock_timestamp() + $4, reason = $5
               where user_id = $1 and kind = $2 and session = $3 and state = 'due'""",
            letter.user_id,
            letter.kind,
            letter.session,
            wait,
            reason,
        )
