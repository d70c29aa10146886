"""Portfolio's tables: accounts, and the ledger that is made of the facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, InstrumentId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.currencies import cash_by_currency
from quantmatrix.portfolio.domain.keeping import Change
from quantmatrix.portfolio.domain.lots import Closing, Lot, Split
from quantmatrix.portfolio.rows import Account, Position, account_of, closing_of, instrument_of, lot_of, position_of

_ACCOUNTS = """select *, (select json_agg(json_build_array(since, method) order by ordinal) from lot_method m
               where m.account_id = account.account_id)::text as method_changes,
               exists (select from statement_account s where s.account_id = account.account_id and s.booked) as stated from account"""
_ENTER_CASH = """insert into cash_entry (entry_id, account_id, user_id, kind, about, amount, currency, session, booked_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_ADD_CASH = """insert into cash as c (account_id, currency, amount) values ($1, $2, $3)
               on conflict (account_id, currency) do update set amount = c.amount + excluded.amount"""


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

    async def rename(self, instrument: InstrumentId, symbol: str) -> None:
        """An instrument goes on under another symbol, in the books of it too, but in those that statements make: these print their own."""
        await self._connection.execute("update instrument set symbol = $2 where instrument_id = $1", instrument, symbol)
        for table in ("lot", "closing", "position"):
            await self._connection.execute(
                f"""update {table} set symbol = $2 where instrument_id = $1
                    and account_id not in (select account_id from statement_account where booked)""",
                instrument,
                symbol,
            )

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
            cash = account.opening_cash
            await self._connection.execute(
                _ENTER_CASH, derived_id("cash", opening, "opening"), account.account_id, account.user_id, "opening", opening, cash.amount,
                cash.currency, None, at,
            )  # fmt: skip
            await self._connection.execute(_ADD_CASH, account.account_id, cash.currency, cash.amount)
        return bool(new)

    async def accounts(self) -> list[Account]:
        return [account_of(row) for row in await self._connection.fetch(f"{_ACCOUNTS} order by account_id")]

    async def account(self, account_id: AccountId, *, lock: bool = True) -> Account | None:
        row = await self._connection.fetchrow(f"{_ACCOUNTS} where account_id = $1 {'for update' if lock else ''}", account_id)
        return account_of(row) if row else None

    # Books

    async def books(self) -> list[tuple[Account, Instrument]]:
        """Every account and instrument that has a fill."""
        rows = await self._connection.fetch(
            """select distinct a.account_id, p.instrument_id, p.symbol, p.asset_class, p.currency, p.multiplier from account a
               join position p using (account_id) order by 1, 2"""
        )
        accounts = {account.account_id: account for account in await self.accounts()}
        return [(accounts[row["account_id"]], instrument_of(row)) for row in rows]

    # Lots, closings, cash, positions

    async def open_lots(self, account_id: AccountId, instruments: Sequence[InstrumentId]) -> list[Lot]:
        rows = await self._connection.fetch(
            "select * from lot where account_id = $1 and instrument_id = any($2) and quantity <> 0 order by opened_at, lot_id",
            account_id,
            instruments,
        )
        return [lot_of(row) for row in rows]

    async def all_open(self, account_id: AccountId) -> list[Lot]:
        rows = await self._connection.fetch("select * from lot where account_id = $1 and quantity <> 0 order by lot_id", account_id)
        return [lot_of(row) for row in rows]

    async def holders(self, instrument: InstrumentId) -> set[AccountId]:
        """The accounts that hold something of an instrument, those not that statements make: they print their splits."""
        rows = await self._connection.fetch(
            """select distinct account_id from lot where instrument_id = $1 and quantity <> 0
               and account_id not in (select account_id from statement_account where booked)""",
            instrument,
        )
        return {AccountId(row["account_id"]) for row in rows}

    async def all_lots(self, account_id: AccountId, instruments: Sequence[InstrumentId]) -> list[Lot]:
        rows = await self._connection.fetch(
            "select * from lot where account_id = $1 and instrument_id = any($2) order by opened_at, lot_id", account_id, instruments
        )
        return [lot_of(row) for row in rows]

    async def all_closings(self, account_id: AccountId, instruments: Sequence[InstrumentId]) -> list[Closing]:
        rows = await self._connection.fetch(
            "select * from closing where account_id = $1 and instrument_id = any($2) order by closing_id", account_id, instruments
        )
        return [closing_of(row) for row in rows]

    async def add_lots(self, lots: Iterable[Lot]) -> None:
        await self._connection.executemany(
            """insert into lot (lot_id, account_id, user_id, instrument_id, symbol, asset_class, currency, multiplier, fill_id, opened_quantity,
               quantity, basis, opened_on, opened_at, triggered_by, dated, arrived_on)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)""",
            [
                (
                    lot.lot_id, lot.account_id, lot.user_id, *_instrument(lot.instrument), lot.fill_id, lot.opened_quantity.value,
                    lot.quantity.value, _amount(lot.basis), lot.opened_on, lot.opened_at, lot.triggered_by, lot.dated, lot.arrived_on,
                )
                for lot in lots
            ],
        )  # fmt: skip

    async def change_lots(self, lots: Iterable[Lot]) -> None:
        await self._connection.executemany(
            """update lot set quantity = $2, basis = $3, opened_quantity = $4, instrument_id = $5, symbol = $6, asset_class = $7, currency = $8,
               multiplier = $9, version = version + 1 where lot_id = $1""",
            [
                (lot.lot_id, lot.quantity.value, _amount(lot.basis), lot.opened_quantity.value, *_instrument(lot.instrument))
                for lot in lots
            ],
        )  # fmt: skip

    async def add_closings(self, changes: Iterable[Change]) -> None:
        await self._connection.executemany(
            """insert into closing (closing_id, lot_id, fill_id, account_id, user_id, instrument_id, symbol, currency, quantity, proceeds, basis,
               realised, opened_on, closed_on, closed_at, triggered_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)""",
            [_closing_row(closing, change) for change in changes for closing in change.closings],
        )

    async def enter_cash(self, account: Account, changes: Iterable[Change]) -> None:
        """The movements of these changes; afterwards `cash` has them too."""
        entries = [paid for change in changes for paid in change.paid]
        if not entries:
            return
        rows = [
            (
                derived_id("cash", one.about, one.kind.value), account.account_id, account.user_id, one.kind.value, one.about,
                one.amount.amount, one.amount.currency, one.session, one.at,
            )
            for one in entries
        ]  # fmt: skip
        await self._connection.executemany(_ENTER_CASH, rows)
        for currency, amount in sorted(cash_by_currency(one.amount for one in entries).items()):
            await self._connection.execute(_ADD_CASH, account.account_id, currency, amount.amount)

    async def forget_cash_of(self, account_id: AccountId, events: Sequence[UUID]) -> None:
        """Take out what these events moved."""
        await self._connection.execute(
            """with gone as (delete from cash_entry where account_id = $1 and about = any($2) and kind <> 'opening' returning currency, amount)
               update cash c set amount = c.amount - g.amount from (select currency, sum(amount) as amount from gone group by 1) as g
               where c.account_id = $1 and c.currency = g.currency""",
            account_id,
            events,
        )

    async def move_position(self, account: Account, one: Instrument, realised: Money) -> Position:
        """Set a position to the sum of its lots, and add what was realised."""
        row = await self._connection.fetchrow(
            """
            insert into position as p (account_id, instrument_id, user_id, symbol, asset_class, currency, multiplier, quantity, basis, unknown,
                realised)
            select $1, $3, $2, $4, $5, $6, $7, coalesce(sum(quantity), 0), coalesce(sum(basis), 0),
                coalesce(sum(quantity) filter (where basis is null), 0), $8
            from lot where account_id = $1 and instrument_id = $3 and quantity <> 0
            on conflict (account_id, instrument_id) do update set quantity = excluded.quantity, basis = excluded.basis,
                unknown = excluded.unknown, realised = p.realised + excluded.realised, symbol = excluded.symbol, version = p.version + 1
            returning *
            """,
            account.account_id, account.user_id, *_instrument(one), realised.amount,
        )  # fmt: skip
        if row is None:
            raise RuntimeError("an upsert returned no row")
        return position_of(row)

    async def resum_positions(self, account_id: AccountId, instruments: Sequence[InstrumentId]) -> None:
        """Positions anew from lots and closings, realised gains too; one of which nothing is left stays, with nothing in it."""
        await self._connection.execute(
            "update position set quantity = 0, basis = 0, unknown = 0, realised = 0 where account_id = $1 and instrument_id = any($2)",
            account_id,
            instruments,
        )
        await self._connection.execute(
            """
            insert into position (account_id, instrument_id, user_id, symbol, asset_class, currency, multiplier, quantity, basis, unknown, realised)
            select distinct on (w.instrument_id) $1, w.instrument_id, w.user_id, w.symbol, i.asset_class, w.currency, i.multiplier,
                s.quantity, s.basis, s.unknown, (select coalesce(sum(realised), 0) from closing c
                    where c.account_id = $1 and c.instrument_id = w.instrument_id)
            from (
                select instrument_id, user_id, symbol, currency, lot_id from lot where account_id = $1 and instrument_id = any($2)
                union all
                select instrument_id, user_id, symbol, currency, lot_id from closing where account_id = $1 and instrument_id = any($2)
            ) w
            join lot i on i.lot_id = w.lot_id
            cross join lateral (
                select coalesce(sum(quantity), 0) as quantity, coalesce(sum(basis), 0) as basis,
                    coalesce(sum(quantity) filter (where basis is null), 0) as unknown
                from lot where account_id = $1 and instrument_id = w.instrument_id and quantity <> 0
            ) s
            order by w.instrument_id, i.opened_at desc
            on conflict (account_id, instrument_id) do update set symbol = excluded.symbol, quantity = excluded.quantity,
                basis = excluded.basis, unknown = excluded.unknown, realised = excluded.realised
            """,
            account_id,
            instruments,
        )

    async def positions(self, account_id: AccountId) -> list[Position]:
        rows = await self._connection.fetch("select * from position where account_id = $1 order by symbol, instrument_id", account_id)
        return [position_of(row) for row in rows]

    async def position(self, account_id: AccountId, instrument: InstrumentId) -> Position | None:
        row = await self._connection.fetchrow("select * from position where account_id = $1 and instrument_id = $2", account_id, instrument)
        return position_of(row) if row else None

    async def forget_books(self, account_id: AccountId, instruments: Sequence[InstrumentId]) -> None:
        """Take out the lots and closings that were made of an account's facts; the facts stay."""
        await self._connection.execute("delete from closing where account_id = $1 and instrument_id = any($2)", account_id, instruments)
        await self._connection.execute("delete from lot where account_id = $1 and instrument_id = any($2)", account_id, instruments)

    # Marks

    async def split_mark(self, instrument: InstrumentId, split: Split) -> None:
        await self._connection.execute(
            "update mark set price = price * $3::int / $2::int where instrument_id = $1",
            instrument,
            split.numerator,
            split.denominator,
        )


def _instrument(one: Instrument) -> tuple[str, str, str, str, Decimal]:
    return one.instrument_id, one.symbol, one.asset_class, one.currency, one.multiplier.value


def _amount(amount: Money | None) -> Decimal | None:
    return None if amount is None else amount.amount


def _closing_row(closing: Closing, change: Change) -> tuple[object, ...]:
    lot = change.lot_of(closing)
    one = lot.instrument
    return (
        closing.closing_id, closing.lot_id, closing.fill_id, lot.account_id, lot.user_id, one.instrument_id, one.symbol, one.currency,
        closing.quantity.value, _amount(closing.proceeds), _amount(closing.basis), _amount(closing.realised), closing.opened_on,
        closing.closed_on, closing.closed_at, change.triggered_by,
    )  # fmt: skip
