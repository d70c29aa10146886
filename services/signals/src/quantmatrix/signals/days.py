"""What was decided for a person in one session, in short, for whoever tells of the day."""

import textwrap
from collections.abc import Sequence
from uuid import UUID

from quantmatrix.common.contracts.asking.days import Decided, DecidedDay, DecidedDayAsked
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import SignalId, UserId
from quantmatrix.common.runtime.database import Connection

WANTED_MAX = 4_000
WHY_MAX = 200


async def decided_day(asked: DecidedDayAsked, connection: Connection) -> DecidedDay:
    """Counts of the session, and the signals that were asked for by id, as far as they are the person's own."""
    rows = await connection.fetch(
        """select signal_id, body -> 'quantity' is not null and body ->> 'side' is not null as trades from signal
           where user_id = $1 and session = $2 and decided_at between $2::date - 1 and $2::date + 2 order by decided_at, signal_id""",
        asked.user_id,
        asked.session,
    )
    found = await _found(asked.user_id, asked.wanted[:WANTED_MAX], connection)
    return DecidedDay(len(rows), tuple(SignalId(row["signal_id"]) for row in rows if row["trades"]), found)


async def _found(user_id: UserId, wanted: Sequence[UUID], connection: Connection) -> tuple[Decided, ...]:
    if not wanted:
        return ()
    rows = await connection.fetch(
        "select body::text as body from signal where user_id = $1 and signal_id = any($2::uuid[]) order by decided_at, signal_id",
        user_id,
        list(wanted),
    )
    return tuple(_decided(decode_as(SignalRaised, row["body"].encode())) for row in rows)


def _decided(one: SignalRaised) -> Decided:
    return Decided(one.signal_id, str(one.kind), one.price, one.stop, why_of(one))


def why_of(one: SignalRaised) -> str:
    """The reasons that were met, cut after a whole word where they are long."""
    return textwrap.shorten("; ".join(reason.text for reason in one.reasons if reason.met), WHY_MAX, placeholder=" …")
