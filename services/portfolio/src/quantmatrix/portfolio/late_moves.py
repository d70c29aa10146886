"""What is told or corrected of a session that was valued already: measured as it is booked, and counted by the next valuation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quantmatrix.common.names import AccountId, InstrumentId
from quantmatrix.common.runtime.database import Connection

TRADES = ("fill", "trade")
CROSSINGS = ("arrival", "departure")
"""Kinds of facts that move units: by a trade, and over the border of the account. Others change what units are."""
_NOTHING = Decimal(0)
_STANDS = """
select p.instrument_id, p.quantity, coalesce(c.paid, 0) as paid, coalesce(c.spent, 0) as spent from position p
left join (
    select f.instrument_id, sum(e.amount) as paid, sum(e.amount) filter (where f.kind = any($3)) as spent
    from fact f join cash_entry e on e.about = f.fact_id and e.account_id = f.account_id and e.kind in ('trade', 'corporate_action')
    where f.account_id = $1 and f.day <= $2 group by 1
) c using (instrument_id) where p.account_id = $1
"""


@dataclass(frozen=True, slots=True)
class _Stand:
    """A position in units, and the cash that facts up to a day moved for it."""

    quantity: Decimal = _NOTHING
    paid: Decimal = _NOTHING
    spent: Decimal = _NOTHING


async def valued_until(connection: Connection, account_id: AccountId) -> date | None:
    """The last session whose positions were valued; None before the first."""
    found: date | None = await connection.fetchval("select max(session) from snapshot where account_id = $1", account_id)
    return found


@asynccontextmanager
async def told_late(connection: Connection, account_id: AccountId, day: date | None, kind: str) -> AsyncIterator[None]:
    """Whatever is booked inside of a day that was valued already is kept for the next valuation.

    day, kind: of the fact that is told, corrected or taken back. Of a later day nothing is kept: its own session counts it.
    """
    valued = await valued_until(connection, account_id)
    if day is None or valued is None or day > valued:
        yield
        return
    before = await _stands(connection, account_id, valued)
    yield
    after = await _stands(connection, account_id, valued)
    moves = {one: _between(before.get(one, _Stand()), after.get(one, _Stand()), kind) for one in before.keys() | after.keys()}
    await connection.executemany(
        "insert into late_move (account_id, day, instrument_id, traded, came, paid, spent) values ($1, $2, $3, $4, $5, $6, $7)",
        [(account_id, day, one, *move) for one, move in sorted(moves.items()) if any(move)],
    )


async def counted_late(connection: Connection, account_id: AccountId, instrument_id: InstrumentId, session: date) -> bool:
    """Whether the day marks of a session count something of an instrument that was told of sessions before it."""
    return bool(
        await connection.fetchval(
            "select exists (select from late_move where account_id = $1 and instrument_id = $2 and session = $3)",
            account_id,
            instrument_id,
            session,
        )
    )


async def _stands(connection: Connection, account_id: AccountId, valued: date) -> dict[InstrumentId, _Stand]:
    rows = await connection.fetch(_STANDS, account_id, valued, list(TRADES))
    return {InstrumentId(row["instrument_id"]): _Stand(row["quantity"], row["paid"], row["spent"]) for row in rows}


def _between(before: _Stand, after: _Stand, kind: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """traded, came, paid, spent."""
    units = after.quantity - before.quantity
    return (
        units if kind in TRADES else _NOTHING,
        units if kind in CROSSINGS else _NOTHING,
        after.paid - before.paid,
        after.spent - before.spent,
    )
