"""Market's tables: what was listed, every raw bar, the corporate actions, and where the replay stands."""

import hashlib
from datetime import date, datetime
from uuid import UUID

from quantmatrix.common.names import InstrumentId, SessionPhase
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.writing import Write
from quantmatrix.market.domain.listing import DAILY, CorporateAction, DailyBar, Listing, Quote
from quantmatrix.market.ports import FeedContent
from quantmatrix.market.rows import ReplayRow, action_of, bar_of, listing_of, quote_of, replay_of

BARS_ANSWERED_MAX = 5_000


def digest_of(content: FeedContent, first: date, last: date) -> str:
    """SHA-256 over everything that decides what a replay does."""
    seen = hashlib.sha256(f"{first} {last}\n".encode())
    for listing in content.listings:
        seen.update(f"{listing}\n".encode())
    for bar in content.bars:
        seen.update(f"{bar}\n".encode())
    for action in content.actions:
        seen.update(f"{action}\n".encode())
    for quote in content.quotes:
        seen.update(f"{quote}\n".encode())
    return seen.hexdigest()


_STANDS = """replay_moved as (update replay set settled = $2, published = $3, published_at = $4, bars_published = $5, version = version + 1
    where version = $1 returning 1)"""


def stands(before: ReplayRow, now: ReplayRow) -> Write:
    """The replay one step on. Insists that it stands where it stood before."""
    arguments = (before.version, now.settled, now.published, now.published_at, now.bars_published)
    return Write((_STANDS,), arguments, "(select count(*) from replay_moved) = 1")


class MarketStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def replay(self) -> ReplayRow | None:
        row = await self._connection.fetchrow("select * from replay")
        return replay_of(row) if row else None

    async def entered(self, calendar: str, session: date, phase: SessionPhase) -> bool:
        """Keep the phase that a calendar is in; False when it is the one that was told last."""
        new = await self._connection.fetchval(
            """insert into phase_told (calendar, session, phase) values ($1, $2, $3)
               on conflict (calendar) do update set session = excluded.session, phase = excluded.phase
               where (phase_told.session, phase_told.phase) is distinct from (excluded.session, excluded.phase) returning true""",
            calendar,
            session,
            phase,
        )
        return bool(new)

    async def was_said(self, message_id: UUID) -> bool:
        """Whether the outbox has a message of this id."""
        return bool(await self._connection.fetchval("select exists (select from outbox where message_id = $1)", message_id))

    async def load(self, feed: str, content: FeedContent, *, first: date, last: date, pace_s: float) -> None:
        """Store a feed's content once, and the replay at its beginning."""
        await self._load_listings(content)
        await self._load_bars(content)
        await self._load_actions(content)
        await self._load_quotes(content)
        sessions = len({bar.session for bar in content.bars if first <= bar.session <= last})
        await self._connection.execute(
            """insert into replay (feed, content, first_session, last_session, sessions, state, pace_s)
               values ($1, $2, $3, $4, $5, 'running', $6)""",
            feed, digest_of(content, first, last), first, last, sessions, pace_s,
        )  # fmt: skip

    async def _load_listings(self, content: FeedContent) -> None:
        await self._connection.executemany(
            """insert into instrument (instrument_id, asset_class, name, currency, multiplier, tick_size, lot_size, calendar, underlying)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            [
                (
                    i.instrument_id, i.asset_class, i.name, i.currency, i.multiplier.value, i.tick_size.value, i.lot_size.value, i.calendar,
                    i.underlying,
                )
                for i in content.listings
            ],
        )  # fmt: skip
        first = {one.instrument_id: one.symbol for one in content.listings}
        await self._connection.executemany(
            "insert into symbol_alias (instrument_id, symbol, valid_from) values ($1, $2, $3)",
            [
                *((i.instrument_id, i.symbol, i.listed_on) for i in content.listings),
                *((a.instrument_id, a.becomes, a.effective) for a in content.actions if a.becomes and a.becomes != first[a.instrument_id]),
            ],
        )

    async def _load_bars(self, content: FeedContent) -> None:
        await self._connection.copy_records_to_table(
            "bar",
            records=[
                (DAILY, b.session, b.instrument_id, b.open.value, b.high.value, b.low.value, b.close.value, b.volume.value)
                for b in content.bars
            ],
            columns=["timeframe", "session", "instrument_id", "open", "high", "low", "close", "volume"],
        )

    async def _load_quotes(self, content: FeedContent) -> None:
        names = ["instrument_id", "session", "bid", "ask", "open_interest", "volume", "iv", "delta"]
        rows = [(q.instrument_id, q.session, q.bid.value, q.ask.value, q.open_interest, q.volume, q.iv, q.delta) for q in content.quotes]
        await self._connection.copy_records_to_table("option_quote", records=rows, columns=names)

    async def _load_actions(self, content: FeedContent) -> None:
        await self._connection.executemany(
            """insert into corporate_action (action_id, kind, instrument_id, effective, numerator, denominator, amount, derived, source,
               becomes, deliverable) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
            [
                (
                    a.action_id,
                    a.kind,
                    a.instrument_id,
                    a.effective,
                    a.numerator,
                    a.denominator,
                    a.amount and a.amount.value,
                    a.derived,
                    a.source,
                    a.becomes,
                    a.deliverable and a.deliverable.value,
                )
                for a in content.actions
            ],
        )

    async def bars_ahead(self, after: date | None, sessions: int) -> dict[date | None, list[DailyBar]]:
        """The bars of the next sessions, each list under the session before it; the last session has an empty list after it.

        after: a session, or None for the start of the replay. Bars of a session are ordered by instrument.
        """
        rows = await self._connection.fetch(
            """
            with ahead as (
                select distinct b.session from bar b, replay r
                where b.timeframe = $1 and b.session <= r.last_session and b.session >= r.first_session and ($2::date is null or b.session > $2)
                order by b.session limit $3
            )
            select b.*, q.bid, q.ask from bar b left join option_quote q using (instrument_id, session)
            where b.timeframe = $1 and b.session in (select session from ahead) order by b.session, b.instrument_id
            """,
            DAILY,
            after,
            sessions,
        )
        found: dict[date | None, list[DailyBar]] = {after: []}
        before, current = after, None
        for bar in map(bar_of, rows):
            if bar.session != current:
                before, current = (before if current is None else current), bar.session
                found[before] = []
            found[before].append(bar)
        return found

    async def actions_until(self, until: date) -> list[CorporateAction]:
        """Every action effective up to a session, in order."""
        rows = await self._connection.fetch(
            "select * from corporate_action where effective <= $1 order by effective, instrument_id, kind", until
        )
        return [action_of(row) for row in rows]

    async def published(self, session: date, at: datetime, bars: int) -> None:
        await self._connection.execute(
            "update replay set published = $1, published_at = $2, bars_published = bars_published + $3, version = version + 1",
            session,
            at,
            bars,
        )

    async def set_state(self, state: str) -> None:
        await self._connection.execute("update replay set state = $1, version = version + 1", state)

    async def set_pace(self, pace_s: float) -> None:
        await self._connection.execute("update replay set pace_s = $1, version = version + 1", pace_s)

    async def sessions_between(self, after: date, until: date) -> int:
        """How many sessions there are after a day and up to a session."""
        count = await self._connection.fetchval(
            "select count(distinct session) from bar where timeframe = $1 and session > $2 and session <= $3",
            DAILY,
            after,
            until,
        )
        return int(count)

    async def listings(self, on: date) -> list[Listing]:
        """Every instrument under the symbol that it has on a day, or else under its first."""
        rows = await self._connection.fetch(
            """
            select i.*, a.symbol, a.valid_from from instrument i
            join lateral (select symbol, valid_from from symbol_alias s where s.instrument_id = i.instrument_id
                order by valid_from <= $1 desc, case when valid_from <= $1 then valid_from end desc, valid_from limit 1) a on true
            order by a.symbol, i.instrument_id
            """,
            on,
        )
        return [listing_of(row) for row in rows]

    async def aliases(self, on: date) -> dict[InstrumentId, tuple[str, ...]]:
        """The symbols that every instrument has had until a day, the oldest first, its first one whenever that was."""
        rows = await self._connection.fetch(
            """select instrument_id, array_agg(symbol order by valid_from) as symbols from symbol_alias s where valid_from <= $1
               or not exists (select from symbol_alias e where e.instrument_id = s.instrument_id and e.valid_from < s.valid_from)
               group by 1""",
            on,
        )
        return {InstrumentId(row["instrument_id"]): tuple(row["symbols"]) for row in rows}

    async def history(self, instrument: InstrumentId, timeframe: str, until: date, limit: int) -> list[DailyBar]:
        """The last bars of an instrument up to a session, oldest first."""
        rows = await self._connection.fetch(
            """
            select * from (
                select b.*, null::numeric as bid, null::numeric as ask from bar b
                where instrument_id = $1 and timeframe = $2 and session <= $3 order by session desc limit $4
            ) as latest order by session
            """,
            instrument,
            timeframe,
            until,
            min(limit, BARS_ANSWERED_MAX),
        )
        return [bar_of(row) for row in rows]

    async def chain(self, underlying: InstrumentId, session: date) -> list[tuple[Listing, Quote]]:
        """The options on an instrument that were quoted in a session, each under its symbol of that day."""
        rows = await self._connection.fetch(
            """
            select i.*, a.symbol, a.valid_from, q.* from option_quote q join instrument i using (instrument_id)
            join lateral (select symbol, valid_from from symbol_alias s where s.instrument_id = i.instrument_id and s.valid_from <= $2
                order by valid_from desc limit 1) a on true
            where i.underlying = $1 and q.session = $2
            """,
            underlying,
            session,
        )
        return [(listing_of(row), quote_of(row)) for row in rows]

    async def quoted(
        self, underlying: InstrumentId, since: date, until: date, rows_max: int
    ) -> tuple[list[tuple[Listing, Quote]], date | None]:
        """Quotes of the options on an instrument, of as many whole sessions as have at most so many; of one session at least.

        By session and symbol, each contract under its symbol of that day; and the session after them, if any.
        """
        counted = await self._connection.fetch(
            """
            select q.session, sum(count(*)) over (order by q.session) as rows from option_quote q join instrument i using (instrument_id)
            where i.underlying = $1 and q.session between $2 and $3 group by q.session order by q.session
            """,
            underlying, since, until,
        )  # fmt: skip
        fits = max(1, sum(row["rows"] <= rows_max for row in counted))
        if not counted:
            return [], None
        rows = await self._connection.fetch(
            """
            select i.*, a.symbol, a.valid_from, q.* from option_quote q join instrument i using (instrument_id)
            join lateral (select symbol, valid_from from symbol_alias s where s.instrument_id = i.instrument_id and s.valid_from <= q.session
                order by valid_from desc limit 1) a on true
            where i.underlying = $1 and q.session between $2 and $3 order by q.session, a.symbol
            """,
            underlying, since, counted[fits - 1]["session"],
        )  # fmt: skip
        after = counted[fits]["session"] if fits < len(counted) else None
        return [(listing_of(row), quote_of(row)) for row in rows], after

    async def actions_of(self, instrument: InstrumentId, until: date) -> list[CorporateAction]:
        rows = await self._connection.fetch(
            "select * from corporate_action where instrument_id = $1 and effective <= $2 order by effective",
            instrument,
            until,
        )
        return [action_of(row) for row in rows]
