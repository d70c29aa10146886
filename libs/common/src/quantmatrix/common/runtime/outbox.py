"""The outbox: what a transaction says is stored with it, numbered without gaps under each key."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Message, Watermark
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.streams import BY_NAME

# A key's row is locked by the first statement until the commit, so numbers follow the order of commits.
_RESERVE = """
insert into outbox_key as k (key, seq) select * from unnest($1::text[], $2::bigint[])
on conflict (key) do update set seq = k.seq + excluded.seq returning key, seq
"""
_UNCOVERED = "select key, covered, seq from outbox_key where covered < seq"
_COVER = "update outbox_key set covered = c.seq from unnest($1::text[], $2::bigint[]) as c (key, seq) where outbox_key.key = c.key"
_APPEND = """
insert into outbox (key, seq, family, subject, type, message_id, caused_by, trace, occurred_at, payload)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[],
                     $9::timestamptz[], $10::bytea[])
returning id
"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One stored message, ready for the bus."""

    row_id: int
    key: str
    seq: int
    family: str
    subject: str
    message_id: UUID
    payload: bytes

    @property
    def stream(self) -> str:
        return BY_NAME[self.family].stream

    def headers(self) -> dict[str, str]:
        return {"Nats-Msg-Id": str(self.message_id), KEY_HEADER: self.key, SEQ_HEADER: str(self.seq)}


KEY_HEADER = "Qm-Key"
SEQ_HEADER = "Qm-Seq"


async def append(connection: Connection, said: Sequence[Message]) -> list[OutboxRow]:
    """Store messages in the order they were said, within the caller's transaction; returns them numbered."""
    if not said:
        return []
    keys = [message.key() for message in said]
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    # Keys are locked in one order everywhere, so two transactions never wait for each other.
    ordered = sorted(counts)
    reserved = await connection.fetch(_RESERVE, ordered, [counts[key] for key in ordered])
    last = {row["key"]: row["seq"] - counts[row["key"]] for row in reserved}
    numbered: list[tuple[str, int, Message]] = []
    for key, message in zip(keys, said, strict=True):
        last[key] += 1
        numbered.append((key, last[key], message))
    if any(isinstance(message, Watermark) for message in said):
        numbered = await _with_covers(connection, numbered, counts)
    return await _insert(connection, numbered)


async def _with_covers(
    connection: Connection, numbered: Sequence[tuple[str, int, Message]], counts: dict[str, int]
) -> list[tuple[str, int, Message]]:
    """Let each watermark name the last number said under every key since the watermark before it."""
    since: dict[str, int] = {}
    for row in await connection.fetch(_UNCOVERED):
        before = row["seq"] - counts.get(row["key"], 0)
        if before > row["covered"]:
            since[row["key"]] = before
    covered: dict[str, int] = {}
    result: list[tuple[str, int, Message]] = []
    for key, seq, message in numbered:
        if isinstance(message, Watermark):
            covers = {other: said for other, said in since.items() if other != key}
            covered |= since | {key: seq}
            since.clear()
            result.append((key, seq, msgspec.structs.replace(message, covers=covers)))
        else:
            since[key] = seq
            result.append((key, seq, message))
    await connection.execute(_COVER, list(covered), list(covered.values()))
    return result


async def _insert(connection: Connection, numbered: Sequence[tuple[str, int, Message]]) -> list[OutboxRow]:
    payloads = [encode(message) for _, _, message in numbered]
    messages = [message for _, _, message in numbered]
    ids = await connection.fetch(
        _APPEND,
        [key for key, _, _ in numbered],
        [seq for _, seq, _ in numbered],
        [message.FAMILY for message in messages],
        [message.subject() for message in messages],
        [type(message).__name__ for message in messages],
        [message.head.message_id for message in messages],
        [message.head.caused_by for message in messages],
        [message.head.trace for message in messages],
        [message.head.occurred_at for message in messages],
        payloads,
    )
    return [
        OutboxRow(row["id"], key, seq, message.FAMILY, message.subject(), message.head.message_id, payload)
        for row, (key, seq, message), payload in zip(ids, numbered, payloads, strict=True)
    ]
