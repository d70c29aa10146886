"""The table of what became of signals: highest and lowest price since, targets and stop, until the horizon is over."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg

from quantmatrix.common.names import InstrumentId, UserId
from quantmatrix.common.runtime.database import Connection

_FOLLOW_UP = """
with b as (select * from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[]) as b (instrument_id, high, low, close)),
looked as (
    select f.signal_id, f.targets, b.*, coalesce(b.low <= f.stop, false) as stopped,
        greatest(f.targets_hit, (select count(*)::integer from unnest(f.targets) t where t <= b.high)) as hits, f.targets_hit as before
    from follow_up f join b using (instrument_id) where f.ended is null and coalesce(f.followed_to, f.session) < $5
)
update follow_up f set high = greatest(f.high, n.high), low = least(f.low, n.low), followed_to = $5, stop_hit = n.stopped,
    close = case when n.stopped then f.stop else n.close end, targets_hit = case when n.stopped then n.before else n.hits end,
    ended = case when n.stopped then 'stopped' when n.hits > 0 and n.hits = cardinality(f.targets) then 'target'
                 when $5 >= f.until then 'expired' end
from looked n where f.signal_id = n.signal_id
"""


class FollowStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open_since(self) -> dict[InstrumentId, date]:
        """Up to which session the signals of each instrument were followed that are not at their end."""
        rows = await self._connection.fetch(
            "select instrument_id, min(coalesce(followed_to, session)) as session from follow_up where ended is null group by instrument_id"
        )
        return {InstrumentId(row["instrument_id"]): row["session"] for row in rows}

    async def follow_up(self, bars: Sequence[tuple[InstrumentId, float, float, float]], session: date) -> None:
        """Move what is followed by one session's bars (instrument, high, low, close); a session that was looked at already changes nothing."""
        await self._connection.execute(_FOLLOW_UP, *(list(column) for column in zip(*bars, strict=True)), session)

    async def follow_ups(self, user: UserId, signals: Sequence[UUID]) -> Sequence[asyncpg.Record]:
        """What became of these signals of a user."""
        found: Sequence[asyncpg.Record] = await self._connection.fetch(
            "select f.* from follow_up f join signal s using (signal_id) where s.user_id = $1 and f.signal_id = any($2)",
            user,
            list(signals),
        )
        return found
