"""The tables behind an account's books: executions, positions and cash, and differences from the broker's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.names import AccountId, InstrumentId, Side
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.domain.orders import Execution, Order
from quantmatrix.execution.domain.risk import surely_held

GONE = "gone at the next comparison"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, in words; gap: the broker's figure less ours, None where the two cannot be subtracted."""

    about: str
    ours: str
    theirs: str
    gap: Decimal | None

    def __str__(self) -> str:
        return f"{self.about}: ours {self.ours}, the broker's {self.theirs}"


class Books:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Executions

    async def is_booked(self, account_id: AccountId, execution_id: str) -> bool:
        """Whether an execution is in the books, or another one that says what became of it: it may be reported after its correction."""
        found = """select exists (select from execution where account_id = $1 and execution_id = $2)
                   or exists (select from execution where account_id = $1 and corrects = $2)"""
        return bool(await self._connection.fetchval(found, account_id, execution_id))

    async def undo_corrected(self, order: Order, execution: Execution) -> Quantity | None:
        """Take the execution that this one corrects out of position and cash; returns its quantity, None when it was never booked."""
        row = await self._connection.fetchrow(
            "select * from execution where account_id = $1 and execution_id = $2", order.account_id, execution.corrects
        )
        if row is None:
            return None
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

    async def surely_held(self, account_id: AccountId, instrument: InstrumentId) -> Quantity:
        """What of our position is at the broker too, as far as a person accepted that it holds another one."""
        ours, gap = await self.positions(account_id), await self.accepted_gaps(account_id)
        return surely_held(ours.get(instrument, Quantity(0)), Quantity(gap.get(f"position {instrument}", 0)))

    # Breaks

    async def breaks_over(self, account_id: AccountId, about: str) -> int:
        """How many differences of this kind were found and are over: what is found next is another one, whatever the clock says."""
        look = "select count(*) from break where account_id = $1 and about = $2 and resolved_at is not null"
        return int(await self._connection.fetchval(look, account_id, about))

    async def find_break(self, break_id: UUID, account_id: AccountId, found: Difference, at: datetime) -> bool:
        """Store a difference; False when the same one is open already."""
        new = await self._connection.fetchval(
            """insert into break (break_id, account_id, about, ours, theirs, gap, found_at) values ($1, $2, $3, $4, $5, $6, $7)
               on conflict do nothing returning true""",
            break_id, account_id, found.about, found.ours, found.theirs, found.gap, at,
        )  # fmt: skip
        return bool(new)

    async def heal_breaks(self, account_id: AccountId, still_open: Sequence[str], at: datetime) -> list[tuple[UUID, str]]:
        """Close the differences that are gone; returns which, and what they were about."""
        done = await self._connection.fetch(
            """update break set resolved_at = $3, resolution = $4
               where account_id = $1 and resolved_at is null and not about = any($2) returning break_id, about""",
            account_id,
            list(still_open),
            at,
            GONE,
        )
        return [(row["break_id"], row["about"]) for row in done]

    async def accept_break(self, break_id: UUID, account_id: AccountId, resolution: str, at: datetime) -> str | None:
        """Close an open difference, and take it for agreed from now on; returns what it is about, None when it is not open."""
        about: str | None = await self._connection.fetchval(
            """with closed as (update break set resolved_at = $4, resolution = $3
               where break_id = $1 and account_id = $2 and resolved_at is null and gap is not null returning about, gap)
               insert into accepted_gap as a (account_id, about, instrument_id, gap)
               select $2, about, nullif(split_part(about, ' ', 2), ''), gap from closed
               on conflict (account_id, about) do update set gap = excluded.gap returning about""",
            break_id,
            account_id,
            resolution,
            at,
        )
        return about

    async def accepted_gaps(self, account_id: AccountId) -> dict[str, Decimal]:
        """What a person accepted, by what it is about."""
        rows = await self._connection.fetch("select about, gap from accepted_gap where account_id = $1", account_id)
        return {row["about"]: row["gap"] for row in rows}


def change_of(order: Order, execution: Execution, direction: int) -> tuple[Decimal, Decimal]:
    """What an execution adds to the position, and what it takes out of the cash."""
    sign = execution.side.sign * direction
    value = notional(execution.price, execution.quantity, order.instrument.multiplier, execution.fee.currency)
    return execution.quantity.value * sign, value.amount * sign + execution.fee.amount * direction
