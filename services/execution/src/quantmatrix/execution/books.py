"""The tables behind an account's books: executions, positions and cash, and differences from the broker's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.names import AccountId, InstrumentId, Side
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.domain.orders import Execution, Order


class Books:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Executions

    async def is_booked(self, account_id: AccountId, execution_id: str) -> bool:
        found = "select exists (select from execution where account_id = $1 and execution_id = $2)"
        return bool(await self._connection.fetchval(found, account_id, execution_id))

    async def undo_corrected(self, order: Order, execution: Execution) -> Quantity:
        """Take the execution that this one corrects out of position and cash; returns its quantity, zero when it is not known."""
        row = await self._connection.fetchrow(
            "select * from execution where account_id = $1 and execution_id = $2", order.account_id, execution.corrects
        )
        if row is None:
            return Quantity(0)
        old = replace(
            execution,
            side=Side(row["side"]),
            quantity=Quantity(row["quantity"]),
            price=Price(row["price"]),
            fee=Money(row["fee"], row["currency"]),
        )
        await self._move_books(order, old, -1)
        return old.quantity

    async def _move_books(self, order: Order, execution: Execution, direction: int) -> None:
        await self._connection.execute(
            """with held as (insert into position as p (account_id, instrument_id, quantity) values ($1, $2, $3)
               on conflict (account_id, instrument_id) do update set quantity = p.quantity + excluded.quantity)
               update account set cash = cash - $4 where account_id = $1""",
            order.account_id,
            order.instrument.instrument_id,
            *change_of(order, execution, direction),
        )

    async def last_execution_at(self, account_id: AccountId) -> datetime | None:
        found: datetime | None = await self._connection.fetchval("select max(executed_at) from execution where account_id = $1", account_id)
        return found

    async def positions(self, account_id: AccountId) -> dict[InstrumentId, Quantity]:
        rows = await self._connection.fetch(
            "select instrument_id, quantity from position where account_id = $1 and quantity <> 0", account_id
        )
        return {InstrumentId(row["instrument_id"]): Quantity(row["quantity"]) for row in rows}

    # Breaks

    async def find_break(self, break_id: UUID, account_id: AccountId, about: str, ours: str, theirs: str, at: datetime) -> bool:
        """Store a difference; False when the same one is open already."""
        new = await self._connection.fetchval(
            """insert into break (break_id, account_id, about, ours, theirs, found_at) values ($1, $2, $3, $4, $5, $6)
               on conflict do nothing returning true""",
            break_id,
            account_id,
            about,
            ours,
            theirs,
            at,
        )
        return bool(new)

    async def heal_breaks(self, account_id: AccountId, still_open: Sequence[str], at: datetime) -> int:
        """Close the differences that are gone."""
        done = await self._connection.fetch(
            """update break set resolved_at = $3, resolution = 'gone at the next comparison'
               where account_id = $1 and resolved_at is null and not about = any($2) returning break_id""",
            account_id,
            list(still_open),
            at,
        )
        return len(done)


def change_of(order: Order, execution: Execution, direction: int) -> tuple[Decimal, Decimal]:
    """What an execution adds to the position, and what it takes out of the cash."""
    sign = execution.side.sign * direction
    value = notional(execution.price, execution.quantity, order.instrument.multiplier, execution.fee.currency)
    return execution.quantity.value * sign, value.amount * sign + execution.fee.amount * direction
