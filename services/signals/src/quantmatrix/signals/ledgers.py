"""Tables of runs' capital: accounts, the ledger of each run, and the facts that moved its holdings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.fills import FillCorrected, OptionEnded, OrderFilled
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, FillId, InstrumentId, RunId, RunState, Side, TradingState, UserId
from quantmatrix.common.options import cash_bound_by
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.book import Carried, Fact, Filled, LevelDone, RunFill, SplitDone
from quantmatrix.signals.domain.decisions import FLAT, Holding
from quantmatrix.signals.domain.ledger import Entry, EntryKind
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.store import WorkingOrder, holding_of, run_of, working_of

_BOOKED = """
with entry as (
    insert into run_entry (run_id, number, kind, cause, at, cash, invested, base, reserve, realised, cycle)
    select run_id, entries + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from run where run_id = $1
)
update run set cash = cash + $5, invested = invested + $6, base = base + $7, reserve = reserve + $8, realised = realised + $9,
    cycle = coalesce($10, cycle), entries = entries + 1, version = version + 1
where run_id = $1
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A broker account as far as runs need it. free: its cash less what runs at work have of it, put aside included."""

    account_id: AccountId
    user_id: UserId
    broker: str
    paper: bool
    cash: Money
    free: Money


@dataclass(frozen=True, slots=True)
class FillLook:
    """What is on record when a fill is heard: the run that asked for it, what it held, its order, and whether the fill is known."""

    run: Run | None
    holding: Holding
    order: WorkingOrder | None
    known: bool


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a run's ledger with its number and its event time (UTC)."""

    number: int
    at: datetime
    entry: Entry


class LedgerStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Accounts

    async def keep_account(self, opened: AccountOpened) -> bool:
        """False when the account is known already: its cash has moved since, and stays."""
        new = await self._connection.fetchval(
            """insert into account (account_id, user_id, broker, currency, paper, cash) values ($1, $2, $3, $4, $5, $6)
               on conflict do nothing returning true""",
            opened.account_id, opened.user_id, opened.broker, opened.cash.currency, opened.paper, opened.cash.amount,
        )  # fmt: skip
        return bool(new)

    async def accounts(self, user: UserId, *, lock: bool = False) -> list[Account]:
        """The accounts of a user, each with what is free of it. lock: until the transaction's end."""
        rows = await self._connection.fetch(
            f"""select a.*, a.cash - coalesce((select sum(r.cash + r.reserve) from run r
                   where r.account_id = a.account_id and r.state <> 'stopped'), 0) as free
                from account a where a.user_id = $1 order by a.account_id {"for update of a" if lock else ""}""",
            user,
        )
        return [_account(row) for row in rows]

    async def move_account(self, account: AccountId, amount: Money) -> None:
        await self._connection.execute("update account set cash = cash + $2 where account_id = $1", account, amount.amount)

    async def keep_trading_state(self, account: AccountId, state: TradingState) -> None:
        await self._connection.execute("update account set trading_state = $2 where account_id = $1", account, state)

    async def keep_account_fill(self, fill: OrderFilled, paid: Money) -> None:
        """Remember what a fill moved that no run asked for; nothing where the account is not known here."""
        await self._connection.execute(
            "insert into account_fill (fill_id, account_id, paid) select $1, account_id, $3 from account where account_id = $2",
            fill.fill_id,
            fill.account_id,
            paid.amount,
        )

    async def replace_account_fill(self, right: FillCorrected, paid: Money) -> Money | None:
        """Put a correction where the wrong fill stood. Returns what the wrong one had paid; None when it is on nobody's record."""
        wrong = await self._connection.fetchval(
            """with wrong as (select * from account_fill where fill_id = $1 for update)
               update account_fill f set fill_id = $2, paid = $3 from wrong w where f.fill_id = w.fill_id returning w.paid""",
            right.corrects,
            right.fill_id,
            paid.amount,
        )
        return None if wrong is None else Money(wrong, paid.currency)

    # Runs

    async def run(self, run_id: RunId, *, lock: bool = False) -> Run | None:
        row = await self._connection.fetchrow(
            f"select * from run where run_id = $1 {'for update' if lock else ''}",
            run_id,
        )
        return run_of(row) if row else None

    async def set_state(self, run_id: RunId, state: RunState, reason: str, at: datetime) -> None:
        await self._connection.execute(
            "update run set state = $2, reason = $3, changed_at = $4, version = version + 1 where run_id = $1", run_id, state, reason, at
        )

    async def book(self, run_id: RunId, entry: Entry, cause: UUID, at: datetime) -> None:
        """Add one row to a run's ledger, and move its capital by it."""
        await self._connection.execute(_BOOKED, run_id, entry.kind, cause, at, *_amounts(entry), entry.cycle)

    async def is_booked(self, run_id: RunId, cause: UUID) -> bool:
        """Whether a row of a run's ledger comes from this cause."""
        return bool(
            await self._connection.fetchval("select exists (select from run_entry where run_id = $1 and cause = $2)", run_id, cause)
        )

    async def bound(self, run: Run) -> Money:
        """The cash that a run's sold puts bind, with those that are being sold."""
        rows = await self._connection.fetch(
            """select i.symbol, sum(m.quantity) as quantity from (
                 select instrument_id, quantity from holding where run_id = $1
                 union all select instrument_id, filled - quantity from working where run_id = $1 and side = $2
               ) m join instrument i using (instrument_id) group by i.symbol""",
            run.run_id,
            Side.SELL,
        )
        return cash_bound_by([(row["symbol"], Quantity(row["quantity"])) for row in rows], run.cash.currency)

    async def ordered(self, run: Run) -> Money:
        """What a run's purchases under way will take of its cash, at the price or the limit that they were decided at."""
        amount = await self._connection.fetchval(
            """select coalesce(sum((w.quantity - w.filled) * i.multiplier * coalesce(s.body ->> 'limit', s.body ->> 'price')::numeric), 0)
               from working w join signal s using (signal_id) join instrument i on i.instrument_id = w.instrument_id
               where w.run_id = $1 and w.side = $2""",
            run.run_id,
            Side.BUY,
        )
        return Money.rounding(amount, run.cash.currency)

    async def started(self, run_ids: Sequence[RunId]) -> dict[RunId, datetime]:
        """When these runs were started, in event time."""
        rows = await self._connection.fetch("select run_id, started_at from run where run_id = any($1)", list(run_ids))
        return {RunId(row["run_id"]): row["started_at"] for row in rows}

    async def entries(self, run_id: RunId, limit: int = 10_000) -> list[Row]:
        """The latest rows of a run's ledger, oldest first."""
        rows = await self._connection.fetch(
            """select e.*, r.currency from (select * from run_entry where run_id = $1 order by number desc limit $2) e
               join run r using (run_id) order by e.number""",
            run_id,
            limit,
        )
        return [Row(row["number"], row["at"], _entry(row)) for row in rows]

    # Fills

    async def look(self, fill: OrderFilled | FillCorrected) -> FillLook:
        """Everything that is asked about a fill, at once."""
        row = await self._connection.fetchrow(
            """select exists (select from run_fact where fill_id = $4) or exists (select from account_fill where fill_id = $4) as known,
                  r.*, h.quantity as held, h.initial, h.stop_level, h.levels_done,
                  h.cost, w.order_id, w.signal_id, w.instrument_id, w.kind, w.side, w.quantity, w.filled, w.stop_level as order_stop_level
               from (select) one left join run r on r.triggered_by = $1 left join holding h on h.run_id = r.run_id and h.instrument_id = $2
               left join working w on w.order_id = $3 and w.run_id = r.run_id""",
            fill.triggered_by,
            fill.instrument.instrument_id,
            fill.order_id,
            fill.fill_id,
        )
        if row is None or row["run_id"] is None:
            return FillLook(None, FLAT, None, known=row is not None and row["known"])
        held = holding_of(row, quantity="held") if row["held"] is not None else FLAT
        return FillLook(run_of(row), held, working_of(row, stop="order_stop_level") if row["order_id"] else None, known=row["known"])

    async def keep_fill(self, run_id: RunId, instrument: InstrumentId, fill: OrderFilled, stop_level: float | None) -> None:
        await self._connection.execute(
            """insert into run_fact (run_id, instrument_id, kind, fill_id, order_id, side, quantity, price, fee, multiplier, stop_level)
               values ($1, $2, 'fill', $3, $4, $5, $6, $7, $8, $9, $10)""",
            run_id, instrument, fill.fill_id, fill.order_id, fill.side, fill.quantity.value, fill.price.value, fill.fee.amount,
            fill.instrument.multiplier.value, stop_level,
        )  # fmt: skip

    async def replace_fill(self, wrong: FillId, right: FillCorrected) -> tuple[RunId, RunFill] | None:
        """Put a correction where the wrong fill stood. Returns the run and the wrong fill; None when it is on nobody's record."""
        row = await self._connection.fetchrow(
            """with wrong as (select * from run_fact where fill_id = $1 for update)
               update run_fact f set fill_id = $2, side = $3, quantity = $4, price = $5, fee = $6 from wrong w
               where f.number = w.number returning w.run_id, w.side, w.quantity, w.price, w.fee, w.multiplier, w.carried""",
            wrong, right.fill_id, right.side, right.quantity.value, right.price.value, right.fee.amount,
        )  # fmt: skip
        return (RunId(row["run_id"]), _run_fill(row, right.fee.currency)) if row else None

    async def keep_end(self, ended: OptionEnded, paid: Money) -> bool:
        """Remember what contracts that ended moved on an account; False when it is on record already."""
        new = await self._connection.fetchval(
            "insert into account_fill (fill_id, account_id, paid) select $1, account_id, $3 from account where account_id = $2 "
            "on conflict do nothing returning true",
            ended.end_id,
            ended.account_id,
            paid.amount,
        )
        return bool(new)

    async def holders(self, account: AccountId, instrument: InstrumentId) -> list[tuple[Run, Holding]]:
        """The runs at work on an account that hold an instrument, with what they hold, in a fixed order."""
        rows = await self._connection.fetch(
            """select r.*, h.quantity, h.initial, h.stop_level, h.levels_done, h.cost from run r join holding h using (run_id)
               where r.account_id = $1 and h.instrument_id = $2 and r.state <> 'stopped' order by r.run_id""",
            account,
            instrument,
        )
        return [(run_of(row), holding_of(row)) for row in rows]

    async def keep_own_end(self, run_id: RunId, instrument: InstrumentId, own: RunFill, end_id: FillId) -> None:
        """Keep one side of contracts that ended as a fact of a run."""
        await self._connection.execute(
            """insert into run_fact (run_id, instrument_id, kind, fill_id, side, quantity, price, fee, multiplier, carried)
               values ($1, $2, 'fill', $3, $4, $5, $6, $7, $8, $9)""",
            run_id, instrument, derived_id("end of a run", end_id, run_id, instrument), own.side, own.quantity.value, own.price.value,
            own.fee.amount, own.multiplier.value, own.carried.amount if own.carried is not None else None,
        )  # fmt: skip

    async def keep_split(self, run_id: RunId, instrument: InstrumentId, numerator: int, denominator: int) -> None:
        await self._connection.execute(
            "insert into run_fact (run_id, instrument_id, kind, numerator, denominator) values ($1, $2, 'split', $3, $4)",
            run_id, instrument, numerator, denominator,
        )  # fmt: skip

    async def keep_levels(self, run_id: RunId, instrument: InstrumentId, levels: Sequence[int]) -> None:
        await self._connection.execute(
            "insert into run_fact (run_id, instrument_id, kind, level) select $1, $2, 'level', unnest($3::integer[])",
            run_id, instrument, levels,
        )  # fmt: skip

    async def facts(self, run_id: RunId, instrument: InstrumentId, currency: str) -> list[Fact]:
        """What moved a holding, in the order it was heard."""
        rows = await self._connection.fetch(
            "select * from run_fact where run_id = $1 and instrument_id = $2 order by number", run_id, instrument
        )
        return [_fact(row, currency) for row in rows]


def _amounts(entry: Entry) -> tuple[object, ...]:
    return tuple(one.amount for one in (entry.cash, entry.invested, entry.base, entry.reserve, entry.realised))


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        broker=row["broker"],
        paper=row["paper"],
        cash=Money(row["cash"], row["currency"]),
        free=Money(row["free"], row["currency"]),
    )


def _entry(row: asyncpg.Record) -> Entry:
    money = {name: Money(row[name], row["currency"]) for name in ("cash", "invested", "base", "reserve", "realised")}
    return Entry(EntryKind(row["kind"]), **money, cycle=row["cycle"])


def _run_fill(row: asyncpg.Record, currency: str) -> RunFill:
    return RunFill(
        Side(row["side"]), Quantity(row["quantity"]), Price(row["price"]), Money(row["fee"], currency), Quantity(row["multiplier"]),
        Money(row["carried"], currency) if row["carried"] is not None else None,
    )  # fmt: skip


def _fact(row: asyncpg.Record, currency: str) -> Fact:
    if row["kind"] == "fill":
        return Filled(_run_fill(row, currency), row["stop_level"])
    if row["kind"] == "split":
        return SplitDone(row["numerator"], row["denominator"])
    if row["kind"] == "level":
        return LevelDone(row["level"])
    told = json.loads(row["body"])
    cost = Money.parse(told["cost"], currency) if told["cost"] is not None else None
    return Carried(
        Holding(Quantity.parse(told["quantity"]), Quantity.parse(told["initial"]), told["stop_level"], frozenset(told["levels_done"]), cost)
    )
