"""The keeper of the outbox answers readers who missed something, and anyone who traces a chain."""

from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.messaging import (
    OutboxHeads,
    OutboxHeadsAsked,
    OutboxPage,
    OutboxReadAsked,
    StoredMessage,
    TraceAsked,
    Traced,
    TracedMessage,
)
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.streams import matches

PAGE_MESSAGES_MAX = 200
PAGE_BYTES_MAX = 500_000
TRACED_MAX = 400


class OutboxKeeper:
    """Reads this service's outbox for others."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def heads(self, question: OutboxHeadsAsked, connection: Connection) -> OutboxHeads:
        rows = await connection.fetch("select key, seq from outbox_key")
        return OutboxHeads(
            {row["key"]: row["seq"] for row in rows if any(matches(pattern, row["key"].partition("/")[2]) for pattern in question.patterns)}
        )

    async def read(self, question: OutboxReadAsked, connection: Connection) -> OutboxPage:
        """The next messages under the asked keys, in the order they were said, as many as one answer holds.

        One more than that is looked for, of each key too: whether there are more has to be told even where all of them are of one.
        """
        rows = await connection.fetch(
            """
            select o.key, o.seq, o.subject, o.payload from unnest($1::text[], $2::bigint[]) as a (key, seq)
            join outbox o on o.key = a.key and o.seq > a.seq and o.seq <= a.seq + $3::bigint + 1 order by o.id limit $3::bigint + 1
            """,
            list(question.after),
            list(question.after.values()),
            PAGE_MESSAGES_MAX,
        )
        messages: list[StoredMessage] = []
        size = 0
        for row in rows[:PAGE_MESSAGES_MAX]:
            size += len(row["payload"]) * 4 // 3 + 200
            if size > PAGE_BYTES_MAX and messages:
                break
            messages.append(StoredMessage(row["key"], row["seq"], row["subject"], row["payload"]))
        return OutboxPage(tuple(messages), more=len(messages) < len(rows))

    async def trace(self, question: TraceAsked, connection: Connection) -> Traced:
        """Messages by id or trace, and those that name the thing asked about in a field of their own."""
        rows = await connection.fetch(
            """
            select * from outbox where message_id = any($1::uuid[]) or trace = any($2::uuid[])
               or ($3::text is not null and position(convert_to($3, 'UTF8') in payload) > 0 and type not like '%Watermark')
            order by id limit $4
            """,
            [UUID(text) for text in question.message_ids],
            [UUID(text) for text in question.traces],
            f'"{question.about}"' if question.about else None,
            TRACED_MAX,
        )
        return Traced(
            tuple(
                TracedMessage(
                    message_id=str(row["message_id"]),
                    caused_by=str(row["caused_by"]) if row["caused_by"] else None,
                    trace=str(row["trace"]),
                    service=self._service,
                    type=row["type"],
                    subject=row["subject"],
                    occurred_at=row["occurred_at"],
                    said_at=row["said_at"],
                    body=msgspec.Raw(row["payload"]),
                )
                for row in rows
            )
        )
