"""The facts in PostgreSQL: what was heard and told, each once, and the events they are to an account."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.asking.acts import Act, ContractsEnded
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, InstrumentId, OrderId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.acts import kind_of
from quantmatrix.portfolio.domain.events import Event, Ordered, ShareSplit, What, instruments_of, time_of
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.options import Ended
from quantmatrix.portfolio.facts import END, FILL, SPLIT, event_of_fact, fact_of_act, fact_of_fill, fact_of_split
from quantmatrix.portfolio.rows import instrument_of


@dataclass(frozen=True, slots=True)
class Kept:
    """A fact that is new here. late: what is booked after it was heard before it, so that the book has to be made anew.

    valued: a session at or after its day was valued before it was told.
    """

    event: Ordered
    kind: str
    late: bool
    valued: bool = False


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as it lies there. account_id None: it is every account's; day None: it only corrects another one."""

    fact_id: UUID
    kind: str
    account_id: AccountId | None
    instruments: tuple[InstrumentId, ...]
    body: str
    day: date | None


class FactStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep_fill(self, fill: Fill, execution_id: str, order_id: OrderId | None) -> Kept | None:
        """Store a fill as a fact; None when it was heard before. order_id: None for what nobody ordered."""
        return await self._keep(FILL, fill.fill_id, fill.account_id, fill, fact_of_fill(fill, execution_id, order_id))

    async def replace_fill(self, corrected: FillId, fill: Fill, execution_id: str, order_id: OrderId) -> bool:
        """A correction takes the place of the fill it corrects, a quantity of zero takes it out; False when it was done before."""
        if fill.quantity:
            day, phase, at = time_of(fill)
            done = await self._connection.fetchval(
                """update fact set body = $2, fact_id = $3, day = $4, phase = $5, at = $6
                   where kind = 'fill' and fact_id = $1 returning true""",
                corrected, fact_of_fill(fill, execution_id, order_id), fill.fill_id, day, phase, at,
            )  # fmt: skip
        else:
            done = await self._connection.fetchval("delete from fact where kind = 'fill' and fact_id = $1 returning true", corrected)
        return bool(done)

    async def keep_split(self, action_id: UUID, instrument: InstrumentId, split: Split) -> Ordered | None:
        """Store a split that market told, for every account; None when it was heard before."""
        kept = await self._keep(SPLIT, action_id, None, ShareSplit(instrument, split), fact_of_split(split))
        return None if kept is None else kept.event

    async def keep_act(self, act: Act, event_id: UUID, account_id: AccountId, what: What) -> Kept | None:
        """Store an act that changes lots; None when it was told before."""
        return await self._keep(kind_of(act), event_id, account_id, what, fact_of_act(act))

    async def keep_end(self, act: ContractsEnded, end: Ended) -> Kept | None:
        """Store the end of contracts that a broker told; None when it was heard before."""
        return await self._keep(END, end.end_id, end.account_id, end, fact_of_act(act))

    async def keep_note(self, act: Act, event_id: UUID, account_id: AccountId, target: StoredFact) -> bool:
        """Store an act that corrects another fact; False when it was told before."""
        new = await self._connection.fetchval(
            """insert into fact (kind, fact_id, account_id, instrument_id, also, body) values ($1, $2, $3, $4, $5, $6)
               on conflict do nothing returning true""",
            kind_of(act), event_id, account_id, target.instruments[0], list(target.instruments[1:]), fact_of_act(act),
        )  # fmt: skip
        return bool(new)

    async def _keep(self, kind: str, fact_id: UUID, account_id: AccountId | None, what: What, body: str) -> Kept | None:
        (first, *others), (day, phase, at) = instruments_of(what), time_of(what)
        row = await self._connection.fetchrow(
            """insert into fact (kind, fact_id, account_id, instrument_id, also, body, day, phase, at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing
               returning ordinal, exists (
                 select from fact f where f.instrument_id = $4 and (f.account_id = $3 or f.account_id is null)
                 and (f.day, f.phase, f.at) > ($7, $8, $9)
               ) or exists (
                 select from fact f where (f.also && array[$4] or f.instrument_id = any($5::text[]) or f.also && $5::text[])
                 and (f.also <> '{}' or $5 <> '{}') and f.account_id = $3 and (f.day, f.phase, f.at) > ($7, $8, $9)
               ) as late, exists (select from snapshot s where s.account_id = $3 and s.session >= $7) as valued""",
            kind, fact_id, account_id, first, others, body, day, phase, at,
        )  # fmt: skip
        return None if row is None else Kept(Ordered(fact_id, what, row["ordinal"]), kind, row["late"], row["valued"])

    async def day_of(self, kind: str, fact_id: UUID) -> date | None:
        """The day that a fact counts on; None when it is not here."""
        found: date | None = await self._connection.fetchval("select day from fact where kind = $1 and fact_id = $2", kind, fact_id)
        return found

    async def fact(self, fact_id: UUID) -> StoredFact | None:
        row = await self._connection.fetchrow("select * from fact where fact_id = $1", fact_id)
        return None if row is None else _stored(row)

    async def acts(self, account_id: AccountId) -> list[StoredFact]:
        """What a person told about an account, in the order it was told."""
        rows = await self._connection.fetch(
            "select * from fact where account_id = $1 and kind not in ('fill', 'end') order by ordinal", account_id
        )
        return [_stored(row) for row in rows]

    async def filled_of(self, order_id: OrderId, account_id: AccountId, but: Sequence[FillId]) -> Quantity:
        """Units of an order with named lots that were booked, `but` these fills left out."""
        total = await self._connection.fetchval(
            """select coalesce(sum((body ->> 'quantity')::numeric), 0) from fact
               where body ? 'order_id' and body ->> 'order_id' = $1 and account_id = $2 and fact_id <> all($3)""",
            str(order_id), account_id, list(but),
        )  # fmt: skip
        return Quantity(total)

    async def family(self, account_id: AccountId, instruments: Collection[InstrumentId]) -> list[InstrumentId]:
        """The instruments whose books an account's facts join with these, themselves among them."""
        known: set[InstrumentId] = set()
        found = set(instruments)
        while found - known:
            known = set(found)
            rows = await self._connection.fetch(
                """select distinct unnest(also || instrument_id) as one from fact where also <> '{}' and account_id = $1
                   and (instrument_id = any($2) or also && $2)""",
                account_id, list(known),
            )  # fmt: skip
            found |= {InstrumentId(row["one"]) for row in rows}
        return sorted(found)

    async def events(self, account_id: AccountId, user_id: UserId, instruments: Sequence[InstrumentId]) -> list[Event]:
        """Everything that makes an account's books of these instruments, in the order it was heard."""
        rows = await self._connection.fetch(
            """select f.ordinal, f.kind, f.fact_id, f.body, i.* from fact f left join instrument i using (instrument_id)
               where (f.account_id = $1 or f.account_id is null)
               and (f.instrument_id = any($2::text[]) or (f.also <> '{}' and f.also && $2::text[])) order by f.ordinal""",
            account_id, list(instruments),
        )  # fmt: skip
        known: dict[str, Instrument] = {}
        return [_event(row, account_id, user_id, known) for row in rows]

    async def accounts_after(self, instrument: InstrumentId, event: Ordered) -> set[AccountId]:
        """The accounts that booked something of an instrument after this event's time."""
        rows = await self._connection.fetch(
            """select distinct account_id from fact where account_id is not null and (day, phase, at) > ($2, $3, $4)
               and (instrument_id = $1 or (also <> '{}' and also && array[$1]))""",
            instrument, *time_of(event.what),
        )  # fmt: skip
        return {AccountId(row["account_id"]) for row in rows}

    async def instruments_since(self, account_id: AccountId, since: date) -> list[InstrumentId]:
        """What an account traded on a day or later."""
        rows = await self._connection.fetch(
            """select distinct unnest(also || instrument_id) as one from fact where account_id = $1 and day >= $2 and phase = 2 order by 1""",
            account_id, since,
        )  # fmt: skip
        return [InstrumentId(row["one"]) for row in rows]

    async def keep_method(self, account_id: AccountId, since: date, method: str, command_id: UUID, at: datetime) -> bool:
        """Store a change of the lot method; False when it was told before."""
        new = await self._connection.fetchval(
            """insert into lot_method (account_id, since, method, command_id, told_at) values ($1, $2, $3, $4, $5)
               on conflict do nothing returning true""",
            account_id, since, method, command_id, at,
        )  # fmt: skip
        return bool(new)

    async def methods(self, account_id: AccountId) -> list[asyncpg.Record]:
        """An account's changes of method in the order they were told: method, since, told_at."""
        return list(
            await self._connection.fetch("select method, since, told_at from lot_method where account_id = $1 order by ordinal", account_id)
        )


def _stored(row: asyncpg.Record) -> StoredFact:
    instruments = (InstrumentId(row["instrument_id"]), *(InstrumentId(one) for one in row["also"]))
    return StoredFact(row["fact_id"], row["kind"], row["account_id"], instruments, row["body"], row["day"])


def _event(row: asyncpg.Record, account_id: AccountId, user_id: UserId, known: dict[str, Instrument]) -> Event:
    instrument: Instrument | None = None
    if row["symbol"] is not None:
        instrument = known.setdefault(row["instrument_id"], instrument_of(row))
    return event_of_fact(row["fact_id"], row["kind"], row["body"], account_id, user_id, instrument, row["ordinal"])
