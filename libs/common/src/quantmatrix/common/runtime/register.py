"""The register: what this service has heard and said, by key. One statement settles a transaction's share of both.

A copy in memory saves a question per message; every write states the number it starts from, so a copy that is not
true any more is noticed by the database, never believed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.asking.messaging import InboxHeads, InboxHeadsAsked
from quantmatrix.common.contracts.message import Message, Watermark
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import LeaseLost, TryLater
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.outbox import Counter, Draft, Numbered, OutboxRow, number
from quantmatrix.common.runtime.writing import Joined

_HEARD = """
with heard as (
    select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::timestamptz[], $6::date[], $7::bigint[])
        as n (key, expected, seq, message_id, moment, session, stopped_by)
), heard_moved as (
    update inbox i set seq = n.seq, message_id = n.message_id, moment = n.moment, session = n.session, stopped_by = n.stopped_by
    from heard n where i.key = n.key and i.seq = n.expected returning 1
)"""
_HEARD_FIRST = """, heard_first as (
    insert into inbox (key, seq, message_id, moment, session, stopped_by)
    select key, seq, message_id, moment, session, stopped_by from heard where expected = 0 on conflict do nothing returning 1
)"""
_SAID = """, said as (
    select * from unnest($8::text[], $9::bigint[], $10::bigint[], $11::bigint[]) as n (key, expected, seq, covered)
), said_moved as (
    update outbox_key k set seq = n.seq, covered = n.covered from said n where k.key = n.key and k.seq = n.expected returning 1
)"""
_SAID_FIRST = """, said_first as (
    insert into outbox_key (key, seq, covered) select key, seq, covered from said where expected = 0 on conflict do nothing returning 1
)"""
_STORED = """, stored as (
    insert into outbox (key, seq, family, subject, type, message_id, caused_by, trace, occurred_at, payload)
    select * from unnest($12::text[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::uuid[], $18::uuid[], $19::uuid[],
                         $20::timestamptz[], $21::bytea[]) returning id
), waiting as (
    insert into outbox_waiting (id) select id from stored
), outcome as materialized (
    select (select count(*) from heard_moved){heard_first} as heard, (select count(*) from said_moved){said_first} as said,
           (select array_agg(id) from stored) as ids, (select fence from lease where name = $22 for share) as fence
)"""
_ANSWER = """
select *, 1 / case when not $23::boolean or (heard = $24::bigint and said = $25::bigint and fence is not distinct from $26::bigint
                                             {insists}) then 1 else 0 end as sure from outcome
"""
"""Without a transaction around it the statement itself refuses to be made: what it divides by is zero when anything is not as expected."""
PLACES = 26
"""How many arguments come before those of writes."""


@cache
def _settling(first: bool, pieces: str = "", insists: str = "") -> str:
    """first: whether any key is heard or said for the first time; what is not in the statement need not be prepared each time it runs."""
    counted = {one: f" + (select count(*) from {one})" if first else "" for one in ("heard_first", "said_first")}
    parts = (_HEARD, _HEARD_FIRST if first else "", _SAID, _SAID_FIRST if first else "", _STORED.format(**counted), pieces)
    return "".join(parts) + _ANSWER.format(insists=insists)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a key was heard. moment, session: of its last watermark. stopped_by: the parked message it stands still for."""

    seq: int = 0
    message_id: UUID | None = None
    moment: datetime | None = None
    session: date | None = None
    stopped_by: int | None = None

    @property
    def stopped(self) -> bool:
        return self.stopped_by is not None


@dataclass(slots=True)
class View:
    """The inbox as one transaction sees and moves it."""

    known: Mapping[str, Standing]
    heard: KeysHeard
    moved: dict[str, Standing] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    worked: bool = False

    def of(self, key: str) -> Standing:
        return self.moved.get(key) or self.known.get(key) or Standing()

    def advance(self, key: str, seq: int, message: Message) -> None:
        standing = replace(self.of(key), seq=seq, message_id=message.head.message_id)
        if isinstance(message, Watermark):
            standing = replace(standing, moment=message.moment, session=message.session)
        self.moved[key] = standing

    def stop(self, key: str, seq: int, parked_id: int) -> None:
        self.moved[key] = replace(self.of(key), seq=seq, stopped_by=parked_id)

    def release(self, parked_id: int) -> list[str]:
        """Let go on what stood still for this parked message; returns the keys."""
        keys = [key for key in {**self.known, **self.moved} if self.of(key).stopped_by == parked_id]
        for key in keys:
            self.moved[key] = replace(self.of(key), stopped_by=None)
        return keys

    def covered(self, covers: Mapping[str, int]) -> bool:
        """Whether everything that a watermark covers and that this service listens to was heard, or stands still."""
        for key, seq in covers.items():
            standing = self.of(key)
            if standing.seq < seq and not standing.stopped and self.heard.includes(key):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Fence:
    """The name of a lease and the number under which this process holds it."""

    name: str
    number: int

    def refuse_other(self, now: int | None) -> None:
        """Raises LeaseLost when the table has another fence than ours."""
        if now != self.number:
            raise LeaseLost(f"{self.name} was taken over: fence {now}, ours is {self.number}")


class Register:
    """Heard and said, by key."""

    def __init__(self, heard: KeysHeard) -> None:
        self._heard = heard
        self._known: dict[str, Standing] = {}
        self._stored: dict[str, int] = {}
        self._said: dict[str, Counter] = {}
        self.doubtful = True

    async def load(self, connection: Connection) -> None:
        """Read the tables. What is remembered beyond what they held before asked for nothing but to be counted, and was acknowledged: it
        stays, unless the tables have gone back behind that. Then they have lost what was done as well (the server that followed a
        broken one had not heard of it yet), and all that comes after is to be heard again.
        """
        rows = await connection.fetch("select * from inbox")
        stored = {row["key"]: Standing(row["seq"], row["message_id"], row["moment"], row["session"], row["stopped_by"]) for row in rows}
        known = dict(stored)
        for key, one in self._known.items():
            seq = stored[key].seq if key in stored else 0
            if one.seq > seq >= self._stored.get(key, 0):
                known[key] = one
        self._known = known
        self._stored = {key: standing.seq for key, standing in stored.items()}
        self._said = {row["key"]: Counter(row["seq"], row["covered"]) for row in await connection.fetch("select * from outbox_key")}
        self.doubtful = False

    def standing(self, key: str) -> Standing:
        return self._known.get(key) or Standing()

    async def heads(self, _: InboxHeadsAsked, __: Connection) -> InboxHeads:
        """How far this process has heard, what it only remembers included."""
        return InboxHeads(
            heads={key: standing.seq for key, standing in self._known.items()},
            stopped=tuple(sorted(key for key, standing in self._known.items() if standing.stopped)),
        )

    def view(self) -> View:
        return View(self._known, self._heard)

    def keep_in_memory(self, view: View) -> None:
        """Messages that asked for nothing were heard; the table learns of it with the next transaction that has work."""
        self._known.update(view.moved)

    async def settle(
        self, connection: Connection, view: View, said: Sequence[Message], fence: Fence | None, writes: Joined | None = None
    ) -> tuple[list[OutboxRow], Numbered]:
        """Store what was heard and said, within the caller's transaction; with writes, in a transaction of this statement's own.

        Raises TryLater when another process of this service was faster or a write insists in vain, LeaseLost when the fence has risen.
        """
        standings = {**self._known, **view.moved}
        heard = {key: one for key, one in standings.items() if one.seq != self._stored.get(key, 0) or key in view.moved}
        numbered = number(said, self._said)
        drafts = numbered.drafts
        heard_at = [self._stored.get(key, 0) for key in heard]
        said_at = [(self._said.get(key) or Counter()).seq for key in numbered.counters]
        arguments = (
            list(heard),
            heard_at,
            [one.seq for one in heard.values()],
            [one.message_id for one in heard.values()],
            [one.moment for one in heard.values()],
            [one.session for one in heard.values()],
            [one.stopped_by for one in heard.values()],
            list(numbered.counters),
            said_at,
            [counter.seq for counter in numbered.counters.values()],
            [counter.covered for counter in numbered.counters.values()],
            *_columns(drafts),
            fence.name if fence else "",
            writes is not None,
            len(heard),
            len(numbered.counters),
            fence.number if fence else None,
        )
        row = await self._settled(connection, 0 in heard_at or 0 in said_at, arguments, fence, writes)
        self._check(row, len(heard), len(numbered.counters), fence)
        ids = sorted((row["ids"] if row else None) or ())
        rows = [
            OutboxRow(row_id, d.key, d.seq, d.message.FAMILY, d.message.subject(), d.message.head.message_id, d.payload)
            for row_id, d in zip(ids, drafts, strict=True)
        ]
        view.moved = heard
        return rows, numbered

    async def _settled(
        self, connection: Connection, first: bool, arguments: tuple[Any, ...], fence: Fence | None, writes: Joined | None
    ) -> asyncpg.Record | None:
        if writes is None:
            return await connection.fetchrow(_settling(first), *arguments)
        try:
            return await connection.fetchrow(_settling(first, writes.pieces, writes.insists), *arguments, *writes.arguments)
        except asyncpg.DivisionByZeroError:
            self.doubtful = True
        if fence is not None:
            fence.refuse_other(await connection.fetchval("select fence from lease where name = $1", fence.name))
        raise TryLater("what this page builds on has changed meanwhile; reading it again")

    def _check(self, row: asyncpg.Record | None, heard: int, said: int, fence: Fence | None) -> None:
        if row is None or row["heard"] != heard or row["said"] != said:
            self.doubtful = True
            raise TryLater("another process of this service was faster; reading the register again")
        if fence is not None:
            fence.refuse_other(row["fence"])

    def keep(self, view: View, numbered: Numbered) -> None:
        """The transaction is committed: this is where we stand now."""
        self._known.update(view.moved)
        self._stored.update({key: standing.seq for key, standing in view.moved.items()})
        self._said.update(numbered.counters)

    def doubt(self) -> None:
        """The copy may be wrong (a commit without an answer, a roll-back): read the tables before trusting it."""
        self.doubtful = True


def _columns(drafts: Sequence[Draft]) -> tuple[list[Any], ...]:
    """What is said, as columns of the outbox."""
    messages = [draft.message for draft in drafts]
    return (
        [draft.key for draft in drafts],
        [draft.seq for draft in drafts],
        [message.FAMILY for message in messages],
        [message.subject() for message in messages],
        [type(message).__name__ for message in messages],
        [message.head.message_id for message in messages],
        [message.head.caused_by for message in messages],
        [message.head.trace for message in messages],
        [message.head.occurred_at for message in messages],
        [draft.payload for draft in drafts],
    )
