"""Portfolio's tables: the facts that were heard, and the ledger that is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.prices import Bar, InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.book import cash_moved
from quantmatrix.portfolio.domain.lots import Closing, Fill, Lot, Split
from quantmatrix.portfolio.facts import fact_of_fill, fact_of_split, fill_of_fact, split_of_fact


@dataclass(frozen=True, slots=True)
class Account:
    account_id: AccountId
    user_id: UserId
    broker: str
    currency: str
    paper: bool
    opening_cash: Money


@dataclass(frozen=True, slots=True)
class Position:
    """The one position of an account in an instrument."""

    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    quantity: Quantity
    basis: Money
    realised: Money


@dataclass(frozen=True, slots=True)
class Snapshot:
    account_id: AccountId
    user_id: UserId
    session: date
    taken_at: datetime
    cash: Money
    market_value: Money
    equity: Money
    realised: Money
    unrealised: Money
    positions: int


class PortfolioStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep_instrument(self, listed: InstrumentListed) -> None:
        one = listed.instrument
        await self._connection.execute(
            """insert into instrument (instrument_id, symbol, asset_class, currency, multiplier, calendar) values ($1, $2, $3, $4, $5, $6)
               on conflict (instrument_id) do update set symbol = excluded.symbol""",
            one.instrument_id, one.symbol, one.asset_class, one.currency, one.multiplier.value, listed.calendar,
        )  # fmt: skip

    async def calendar_of(self, instrument: InstrumentId) -> str | None:
        found: str | None = await self._connection.fetchval("select calendar from instrument where instrument_id = $1", instrument)
        return found

    async def open_account(self, account: Account, at: datetime) -> bool:
        """Store an account with its opening cash; False when it is here already."""
        new = await self._connection.fetchval(
            """insert into account (account_id, user_id, broker, currency, paper, opening_cash, opened_at) values ($1, $2, $3, $4, $5, $6, $7)
               on conflict do nothing returning true""",
            account.account_id, account.user_id, account.broker, account.currency, account.paper, account.opening_cash.amount, at,
        )  # fmt: skip
        if new:
            opening = derived_id("opening", account.account_id)
            await self._enter_cash(account.account_id, account.user_id, "opening", opening, account.opening_cash, None, at)
        return bool(new)

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in await self._connection.fetch("select * from account order by account_id")]

    async def account(self, account_id: AccountId) -> Account | None:
        row = await self._connection.fetchrow("select * from account where account_id = $1 for update", account_id)
        return _account(row) if row else None

    # Facts

    async def keep_fill(self, fill: Fill, execution_id: str) -> bool:
        """Store a fill as a fact; False when it was heard before."""
        return await self._keep("fill", fill.fill_id, fill.account_id, fill.instrument.instrument_id, fact_of_fill(fill, execution_id))

    async def replace_fill(self, corrected: FillId, fill: Fill, execution_id: str) -> bool:
        """A correction takes the place of the fill it corrects, a quantity of zero takes it out; False when it was done before."""
        if fill.quantity:
            done = await self._connection.fetchval(
                "update fact set body = $2, fact_id = $3 where kind = 'fill' and fact_id = $1 returning true",
                corrected,
                fact_of_fill(fill, execution_id),
                fill.fill_id,
            )
        else:
            done = await self._connection.fetchval("delete from fact where kind = 'fill' and fact_id = $1 returning true", corrected)
        return bool(done)

    async def keep_split(self, action_id: UUID, instrument: InstrumentId, split: Split) -> bool:
        return await self._keep("split", action_id, None, instrument, fact_of_split(split))

    async def _keep(self, kind: str, fact_id: UUID, account_id: AccountId | None, instrument: InstrumentId, body: str) -> bool:
        new = await self._connection.fetchval(
            """insert into fact (kind, fact_id, account_id, instrument_id, body) values ($1, $2, $3, $4, $5)
               on conflict do nothing returning true""",
            kind, fact_id, account_id, instrument, body,
        )  # fmt: skip
        return bool(new)

    async def facts(self, account: Account, instrument: Instrument) -> list[Fill | Split]:
        """Everything that made this account's book of an instrument, in the order it was booked."""
        rows = await self._connection.fetch(
            "select kind, fact_id, body from fact where instrument_id = $1 and (account_id = $2 or account_id is null) order by ordinal",
            instrument.instrument_id,
            account.account_id,
        )
        return [
            split_of_fact(row["body"])
            if row["kind"] == "split"
            else fill_of_fact(row["fact_id"], row["body"], account.account_id, account.user_id, instrument)
            for row in rows
        ]

    async def books(self) -> list[tuple[Account, Instrument]]:
        """Every account and instrument that has a fill."""
        rows = await self._connection.fetch(
            """select distinct a.account_id, p.instrument_id, p.symbol, p.asset_class, p.currency, p.multiplier from account a
               join position p using (account_id) order by 1, 2"""
        )
        accounts = {account.account_id: account for account in await self.accounts()}
        return [(accounts[row["account_id"]], instrument_of(row)) for row in rows]

    # Lots, closings, cash, positions

    async def open_lots(self, account_id: AccountId, instrument: InstrumentId) -> list[Lot]:
        rows = await self._connection.fetch(
            "select * from lot where account_id = $1 and instrument_id = $2 and quantity <> 0 order by opened_at, lot_id",
            account_id,
            instrument,
        )
        return [lot_of(row) for row in rows]

    async def lots_of_instrument(self, instrument: InstrumentId) -> list[Lot]:
        rows = await self._connection.fetch(
            "select * from lot where instrument_id = $1 and quantity <> 0 order by account_id, opened_at, lot_id",
            instrument,
        )
        return [lot_of(row) for row in rows]

    async def all_lots(self, account_id: AccountId, instrument: InstrumentId) -> list[Lot]:
        rows = await self._connection.fetch(
            "select * from lot where account_id = $1 and instrument_id = $2 order by opened_at, lot_id",
            account_id,
            instrument,
        )
        return [lot_of(row) for row in rows]

    async def add_lot(self, lot: Lot) -> None:
        one = lot.instrument
        await self._connection.execute(
            """insert into lot (lot_id, account_id, user_id, instrument_id, symbol, asset_class, currency, multiplier, fill_id, opened_quantity,
               quantity, basis, opened_on, opened_at, triggered_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
            lot.lot_id, lot.account_id, lot.user_id, one.instrument_id, one.symbol, one.asset_class, one.currency, one.multiplier.value,
            lot.fill_id, lot.opened_quantity.value, lot.quantity.value, lot.known_basis.amount, lot.opened_on, lot.opened_at, lot.triggered_by,
        )  # fmt: skip

    async def change_lot(self, lot: Lot) -> None:
        await self._connection.execute(
            "update lot set quantity = $2, basis = $3, opened_quantity = $4, version = version + 1 where lot_id = $1",
            lot.lot_id,
            lot.quantity.value,
            lot.known_basis.amount,
            lot.opened_quantity.value,
        )

    async def add_closing(self, closing: Closing, fill: Fill) -> None:
        await self._connection.execute(
            """insert into closing (closing_id, lot_id, fill_id, account_id, user_id, instrument_id, symbol, currency, quantity, proceeds, basis,
               realised, opened_on, closed_on, closed_at, triggered_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)""",
            closing.closing_id, closing.lot_id, closing.fill_id, fill.account_id, fill.user_id, fill.instrument.instrument_id,
            fill.instrument.symbol, fill.instrument.currency, closing.quantity.value, closing.known_proceeds.amount, closing.known_basis.amount,
            closing.known_realised.amount, closing.opened_on, closing.closed_on, closing.closed_at, fill.triggered_by,
        )  # fmt: skip

    async def enter_cash_of(self, fill: Fill) -> None:
        """The trade's value and its fee, as two entries."""
        value = cash_moved(fill) + fill.fee
        await self._enter_cash(fill.account_id, fill.user_id, "trade", fill.fill_id, value, fill.session, fill.executed_at)
        if fill.fee:
            await self._enter_cash(fill.account_id, fill.user_id, "fee", fill.fill_id, -fill.fee, fill.session, fill.executed_at)

    async def _enter_cash(
        self,
        account_id: AccountId,
        user_id: UserId,
        kind: str,
        about: UUID,
        amount: Money,
        session: date | None,
        at: datetime,
    ) -> None:
        await self._connection.execute(
            """insert into cash_entry (entry_id, account_id, user_id, kind, about, amount, currency, session, booked_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            derived_id("cash", about, kind), account_id, user_id, kind, about, amount.amount, amount.currency, session, at,
        )  # fmt: skip
        await self._connection.execute(
            """insert into cash as c (account_id, currency, amount) values ($1, $2, $3)
               on conflict (account_id, currency) do update set amount = c.amount + excluded.amount""",
            account_id,
            amount.currency,
            amount.amount,
        )

    async def move_position(self, fill: Fill, realised: Money) -> Position:
        """Set a position to the sum of its lots, and add what was realised."""
        one = fill.instrument
        row = await self._connection.fetchrow(
            """
            insert into position as p (account_id, instrument_id, user_id, symbol, asset_class, currency, multiplier, quantity, basis, realised)
            select $1, $2, $3, $4, $5, $6, $7, coalesce(sum(quantity), 0), coalesce(sum(basis), 0), $8
            from lot where account_id = $1 and instrument_id = $2 and quantity <> 0
            on conflict (account_id, instrument_id) do update set quantity = excluded.quantity, basis = excluded.basis,
                realised = p.realised + excluded.realised, symbol = excluded.symbol, version = p.version + 1
            returning *
            """,
            fill.account_id, one.instrument_id, fill.user_id, one.symbol, one.asset_class, one.currency, one.multiplier.value, realised.amount,
        )  # fmt: skip
        if row is None:
            raise RuntimeError("an upsert returned no row")
        return _position(row)

    async def resum_position(self, account_id: AccountId, instrument: InstrumentId) -> Position | None:
        row = await self._connection.fetchrow(
            """update position set quantity = s.quantity, basis = s.basis, version = version + 1
               from (select coalesce(sum(quantity), 0) as quantity, coalesce(sum(basis), 0) as basis from lot
                     where account_id = $1 and instrument_id = $2 and quantity <> 0) as s
               where account_id = $1 and instrument_id = $2 returning position.*""",
            account_id,
            instrument,
        )
        return _position(row) if row else None

    async def positions(self, account_id: AccountId) -> list[Position]:
        rows = await self._connection.fetch("select * from position where account_id = $1 order by symbol, instrument_id", account_id)
        return [_position(row) for row in rows]

    async def forget_book(self, account: Account, instrument: InstrumentId) -> None:
        """Take out what was made of an account's facts about an instrument; the facts stay."""
        for statement in (
            "delete from closing where account_id = $1 and instrument_id = $2",
            "delete from lot where account_id = $1 and instrument_id = $2",
            "delete from position where account_id = $1 and instrument_id = $2",
        ):
            await self._connection.execute(statement, account.account_id, instrument)

    async def forget_cash_of(self, fill_id: FillId) -> None:
        await self._connection.execute(
            """with gone as (delete from cash_entry where about = $1 returning account_id, currency, amount)
               update cash c set amount = c.amount - g.amount from (select account_id, currency, sum(amount) as amount from gone group by 1, 2) as g
               where c.account_id = g.account_id and c.currency = g.currency""",
            fill_id,
        )

    # Marks and snapshots

    async def keep_marks(self, bars: Sequence[Bar], session: date, at: datetime) -> None:
        await self._connection.execute(
            """insert into mark (instrument_id, price, session, marked_at)
               select i, p, $3, $4 from unnest($1::text[], $2::numeric[]) as n (i, p) on conflict (instrument_id)
               do update set price = excluded.price, session = excluded.session, marked_at = excluded.marked_at""",
            [bar.instrument_id for bar in bars],
            [bar.close.value for bar in bars],
            session,
            at,
        )

    async def split_mark(self, instrument: InstrumentId, split: Split) -> None:
        await self._connection.execute(
            "update mark set price = price * $3::int / $2::int where instrument_id = $1",
            instrument,
            split.numerator,
            split.denominator,
        )

    async def take_snapshots(self, session: date, at: datetime) -> list[Snapshot]:
        """Every account marked at the latest raw prices, stored as of a session; taken again it stays the same."""
        rows = await self._connection.fetch(
            """
            insert into snapshot (account_id, session, taken_at, currency, cash, market_value, equity, realised, unrealised, positions)
            select a.account_id, $1, $2, a.currency, c.amount, v.value, c.amount + v.value, v.realised, v.value - v.basis, v.held
            from account a join cash c on c.account_id = a.account_id and c.currency = a.currency
            cross join lateral (
                select coalesce(sum(round(p.quantity * m.price * p.multiplier, 12)), 0) as value, coalesce(sum(p.basis), 0) as basis,
                       coalesce(sum(p.realised), 0) as realised, count(*) filter (where p.quantity <> 0) as held
                from position p left join mark m using (instrument_id) where p.account_id = a.account_id and p.currency = a.currency
            ) v
            on conflict (account_id, session) do update set taken_at = excluded.taken_at, cash = excluded.cash,
                market_value = excluded.market_value, equity = excluded.equity, realised = excluded.realised,
                unrealised = excluded.unrealised, positions = excluded.positions
            returning *, (select user_id from account x where x.account_id = snapshot.account_id) as user_id
            """,
            session,
            at,
        )
        return [_snapshot(row) for row in rows]


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        broker=row["broker"],
        currency=row["currency"],
        paper=row["paper"],
        opening_cash=Money(row["opening_cash"], row["currency"]),
    )


def instrument_of(row: asyncpg.Record) -> Instrument:
    """The instrument of a row that carries its columns."""
    return Instrument(
        InstrumentId(row["instrument_id"]),
        row["symbol"],
        AssetClass(row["asset_class"]),
        row["currency"],
        Quantity(row["multiplier"]),
    )


def lot_of(row: asyncpg.Record) -> Lot:
    """A row of the lots."""
    return Lot(
        lot_id=LotId(row["lot_id"]),
        fill_id=FillId(row["fill_id"]),
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        instrument=instrument_of(row),
        opened_quantity=Quantity(row["opened_quantity"]),
        quantity=Quantity(row["quantity"]),
        basis=None if row["basis"] is None else Money(row["basis"], row["currency"]),
        opened_on=row["opened_on"],
        opened_at=row["opened_at"],
        triggered_by=row["triggered_by"],
    )


def _position(row: asyncpg.Record) -> Position:
    return Position(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        instrument=instrument_of(row),
        quantity=Quantity(row["quantity"]),
        basis=Money(row["basis"], row["currency"]),
        realised=Money(row["realised"], row["currency"]),
    )


def _snapshot(row: asyncpg.Record) -> Snapshot:
    currency = row["currency"]
    return Snapshot(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        session=row["session"],
        taken_at=row["taken_at"],
        cash=Money(row["cash"], currency),
        market_value=Money(row["market_value"], currency),
        equity=Money(row["equity"], currency),
        realised=Money(row["realised"], currency),
        unrealised=Money(row["unrealised"], currency),
        positions=row["positions"],
    )
