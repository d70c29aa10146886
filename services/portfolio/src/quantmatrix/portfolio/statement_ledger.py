"""Accounts that imported statements make: their book is worked out anew from everything that was imported, and stored whole."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmatrix.common.ids import short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, InstrumentId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.methods import LotMethods
from quantmatrix.portfolio.domain.statements import Entry
from quantmatrix.portfolio.domain.statements_account import AccountBook, Chapter, account_book, effective
from quantmatrix.portfolio.domain.statements_live import Moved, live_cash
from quantmatrix.portfolio.domain.statements_matching import Break
from quantmatrix.portfolio.domain.statements_securities import Holder, Listed, spelled
from quantmatrix.portfolio.statement_cash import put_cash
from quantmatrix.portfolio.statement_entries import entries_of
from quantmatrix.portfolio.statement_rows import Rows, chapter_of, differs, rows_of
from quantmatrix.portfolio.store import PortfolioStore

_MADE = ("closing", "lot", "position", "cash_entry", "cash")


@dataclass(frozen=True, slots=True)
class StatementAccount:
    """An account as statements know it. booked: they make it; otherwise fills do, and they are held against these."""

    account_id: AccountId
    user_id: UserId
    broker: str
    number: str
    currency: str
    booked: bool


@dataclass(frozen=True, slots=True)
class NewEntries:
    """What an import has just stored and is booked: all that it brought."""

    import_id: UUID | None = None
    entries: tuple[Entry, ...] = ()


NOTHING_NEW = NewEntries()


class StatementLedger:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def account_for(
        self, user_id: UserId, broker: str, number: str, currency: str, at: datetime, wanted: str | None = None
    ) -> StatementAccount | None:
        """The account that a broker's number stands for, made when it is new; None when it is somebody else's.

        wanted: the name that a person gives a new account. Without one it gets a name that tells nothing: the numbers of
        accounts are personal data. The account is locked against other imports.
        """
        row = await self._connection.fetchrow(
            """select s.*, a.currency from statement_account s join account a using (account_id)
               where s.user_id = $1 and s.broker = $2 and s.number = $3 for update of a""",
            user_id, broker, number,
        )  # fmt: skip
        if row is not None:
            return _account(row)
        account_id = AccountId(wanted or number)
        live = await self._connection.fetchrow("select user_id, currency from account where account_id = $1 for update", account_id)
        if live is None:
            account_id = AccountId(wanted or f"{broker}-{short_token(user_id, broker, number, length=8)}")
            await self._connection.execute(
                """insert into account (account_id, user_id, broker, currency, paper, opening_cash, opened_at)
                   values ($1, $2, $3, $4, false, 0, $5)""",
                account_id, user_id, broker, currency, at,
            )  # fmt: skip
        elif live["user_id"] != user_id or await self.account(account_id) is not None:
            return None
        await self._connection.execute(
            "insert into statement_account (account_id, user_id, broker, number, booked) values ($1, $2, $3, $4, $5)",
            account_id, user_id, broker, number, live is None,
        )  # fmt: skip
        return StatementAccount(account_id, user_id, broker, number, live["currency"] if live is not None else currency, live is None)

    async def number_of(self, user_id: UserId, account_id: str) -> str:
        """The broker's number of an account that is known by our name; the name itself where none is."""
        found: str | None = await self._connection.fetchval(
            "select number from statement_account where user_id = $1 and account_id = $2", user_id, account_id
        )
        return account_id if found is None else found

    async def accounts(self) -> list[StatementAccount]:
        """Every account that statements know."""
        rows = await self._connection.fetch(
            "select s.*, a.currency from statement_account s join account a using (account_id) order by s.account_id"
        )
        return [_account(row) for row in rows]

    async def account(self, account_id: AccountId) -> StatementAccount | None:
        row = await self._connection.fetchrow(
            "select s.*, a.currency from statement_account s join account a using (account_id) where account_id = $1", account_id
        )
        return _account(row) if row is not None else None

    async def set_treatment(self, account_id: AccountId, treatment: str) -> None:
        await self._connection.execute("update statement_account set treatment = $2 where account_id = $1", account_id, treatment)

    # The book

    async def book_of(self, account: StatementAccount, new: NewEntries = NOTHING_NEW) -> AccountBook:
        """What everything that was imported for the account makes. new: what is in the tables and at hand, and need not be read again."""
        stored = await entries_of(self._connection, account.user_id, account.number, account.broker, new.import_id)
        entries = [*stored, *(entry for entry in new.entries if entry.account == account.number)]
        chapters = await self.chapters_of(account)
        named = [replace(entry, account=account.account_id) for entry in entries]
        listed = await self._listed({entry.symbol for entry in entries if entry.symbol})
        kept = await PortfolioStore(self._connection).account(account.account_id, lock=False)
        methods = LotMethods() if kept is None else kept.methods
        holder = Holder(account.user_id, listed, await self._supplied(account), methods)
        return account_book(account.account_id, named, chapters, account.currency, holder)

    async def chapters_of(self, account: StatementAccount) -> list[Chapter]:
        """The imported files of the account, by their periods."""
        rows = await self._connection.fetch(
            """select first, last, chapters -> $2::text as chapter from statement_import
               where user_id = $1 and broker = $3 and chapters ? $2::text""",
            account.user_id, account.number, account.broker,
        )  # fmt: skip
        return [chapter_of(row["first"], row["last"], json.loads(row["chapter"]), account.account_id) for row in rows]

    async def book_cash(self, account: StatementAccount, entries: Sequence[Entry]) -> tuple[Break, ...]:
        """Book the cash of an account that execution opened that only statements tell of; what is left to a person as breaks."""
        chapters = await self.chapters_of(account)
        opened = await self._connection.fetchval("select opened_at from account where account_id = $1", account.account_id)
        named = [replace(entry, account=account.account_id) for entry in entries]
        found = live_cash(named, lambda entry: effective(entry, chapters), opened.date(), await self._acted(account))
        await put_cash(found.lines, account.account_id, account.user_id, self._connection)
        return found.breaks

    async def _acted(self, account: StatementAccount) -> list[Moved]:
        """Cash of corporate actions that somebody told of the account."""
        rows = await self._connection.fetch(
            """select e.about, e.kind, e.session, e.amount, e.currency, i.symbol from cash_entry e join fact f on f.fact_id = e.about
               join instrument i using (instrument_id) where e.account_id = $1 and e.kind = 'corporate_action' and not e.stated order by e.session""",
            account.account_id,
        )  # fmt: skip
        return [
            Moved(row["kind"], spelled(row["symbol"]), row["session"], Money(row["amount"], row["currency"]), str(row["about"]))
            for row in rows
        ]

    async def _supplied(self, account: StatementAccount) -> dict[UUID, tuple[Money, date | None]]:
        rows = await self._connection.fetch("select * from statement_basis where account_id = $1", account.account_id)
        return {row["arrival"]: (Money(row["basis"], row["currency"]), row["acquired_on"]) for row in rows}

    async def supply(self, account: StatementAccount, arrival: UUID, basis: Money, acquired_on: date | None) -> bool:
        """Keep the basis of a lot that no trade opened, and book the account anew; False when it was supplied just so before.

        Raises Refused when the account has no such lot, or its basis is printed.
        """
        row = await self._connection.fetchrow(
            """select l.currency, l.basis, s.basis as supplied, s.acquired_on as since from lot l
               left join statement_basis s on s.account_id = l.account_id and s.arrival = l.fill_id
               where l.account_id = $1 and l.fill_id = $2 and l.lot_id = l.fill_id""",
            account.account_id, arrival,
        )  # fmt: skip
        if row is None or (row["basis"] is not None and row["supplied"] is None):
            raise Refused("ACT_UNKNOWN", "the account has no lot with this id whose basis its statements leave open")
        if row["currency"] != basis.currency:
            raise Refused("ACT_INVALID", f"the basis of this lot is in {row['currency']}, not in {basis.currency}")
        if row["supplied"] == basis.amount and row["since"] == acquired_on:
            return False
        await self._connection.execute(
            """insert into statement_basis (account_id, arrival, basis, currency, acquired_on) values ($1, $2, $3, $4, $5)
               on conflict (account_id, arrival) do update set basis = excluded.basis, acquired_on = excluded.acquired_on""",
            account.account_id, arrival, basis.amount, basis.currency, acquired_on,
        )  # fmt: skip
        await self.rebook(account)
        return True

    async def _listed(self, symbols: set[str]) -> Listed:
        rows = await self._connection.fetch("select * from instrument where symbol = any($1::text[])", list(symbols))
        known = {
            (row["symbol"], row["currency"]): Instrument(
                InstrumentId(row["instrument_id"]), row["symbol"], AssetClass(row["asset_class"]), row["currency"], Quantity(row["multiplier"])
            )
            for row in rows
        }  # fmt: skip

        def listed(symbol: str, asset_class: AssetClass, currency: str) -> Instrument | None:
            found = known.get((symbol, currency))
            return found if found is not None and _alike(found.asset_class) == _alike(asset_class) else None

        return listed

    async def rebook(self, account: StatementAccount, new: NewEntries = NOTHING_NEW) -> AccountBook:
        """Put what was imported in the place of what was booked before."""
        book = await self.book_of(account, new)
        for name in _MADE:
            await self._connection.execute(f"delete from {name} where account_id = $1", account.account_id)
        for table in rows_of(book):
            await self._insert(table, account)
        await self._connection.execute(
            """insert into cash (account_id, currency, amount)
               select $1, currency, sum(amount) from (select currency, amount from cash_entry where account_id = $1
               union all select $2, 0) as moved group by currency""",
            account.account_id, account.currency,
        )  # fmt: skip
        return book

    async def _insert(self, table: Rows, account: StatementAccount) -> None:
        if table.rows:
            await self._connection.copy_records_to_table(
                table.name,
                records=[(account.account_id, account.user_id, *row.values()) for row in table.rows],
                columns=["account_id", "user_id", *table.rows[0]],
            )

    async def forget(self, user_id: UserId, broker: str, number: str) -> None:
        """Book an account anew after files of it were taken back; one without any file is taken out."""
        row = await self._connection.fetchrow(
            """select s.*, a.currency, exists (select from statement_import i where i.user_id = s.user_id and i.broker = s.broker
               and s.number = any(i.accounts)) as told from statement_account s join account a using (account_id)
               where s.user_id = $1 and s.broker = $2 and s.number = $3 for update of a""",
            user_id, broker, number,
        )  # fmt: skip
        if row is None:
            return
        account = _account(row)
        if account.booked:
            await self.rebook(account)
        else:
            await self.book_cash(account, await entries_of(self._connection, user_id, number, broker))
        if row["told"]:
            return
        await self._connection.execute("delete from statement_account where account_id = $1", account.account_id)
        if account.booked:
            for name in ("cash", "lot_method", "snapshot"):
                await self._connection.execute(f"delete from {name} where account_id = $1", account.account_id)
            await self._connection.execute("delete from account where account_id = $1", account.account_id)

    async def differences(self, account: StatementAccount) -> list[str]:
        """What booking everything anew would change, in words; nothing is written."""
        book = await self.book_of(account)
        found = []
        for table in rows_of(book):
            rows = await self._connection.fetch(f"select * from {table.name} where account_id = $1", account.account_id)
            stored = {str(row[table.key]): row for row in rows}
            wanted = {str(row[table.key]): row for row in table.rows}
            found += [
                f"{table.name} {one}: {_said('statements make', wanted.get(one))}, {_said('the ledger has', stored.get(one))}"
                for one in sorted(stored.keys() | wanted.keys())
                if one not in stored or one not in wanted or differs(wanted[one], stored[one])
            ]
        return found

    async def end_differences(self, account: StatementAccount) -> list[str]:
        """Units and cash that the latest file prints at its end, where the ledger of that day has something else."""
        chapters = sorted(await self.chapters_of(account), key=lambda one: (one.last, one.first))
        if not chapters:
            return []
        last = chapters[-1]
        book = await self.book_of(account)
        found = []
        if last.held:
            held: dict[str, Quantity] = defaultdict(lambda: Quantity(0))
            for one in last.held:
                held[one.symbol] += one.quantity
            own = {key[1]: book.replay.held(key) for key in book.replay.lots}
            found += [
                f"{symbol}: the statement ends with {held.get(symbol, Quantity(0))}, the ledger has {own.get(symbol, Quantity(0))}"
                for symbol in sorted(held.keys() | {symbol for symbol, units in own.items() if units})
                if held.get(symbol, Quantity(0)) != own.get(symbol, Quantity(0))
            ]
        for end in last.ending_cash:
            lies = sum((line.amount for line in book.cash if line.amount.currency == end.currency), Money.zero(end.currency))
            if abs(lies - end).amount > Decimal("0.01"):
                found.append(f"cash: the statement ends with {end}, the ledger has {lies}")
        return found


def _account(row: Any) -> StatementAccount:
    return StatementAccount(
        AccountId(row["account_id"]), UserId(row["user_id"]), row["broker"], row["number"], row["currency"], row["booked"]
    )


def _alike(asset_class: AssetClass) -> AssetClass:
    """Funds trade as stocks do; brokers' words do not tell them apart."""
    return AssetClass.STOCK if asset_class is AssetClass.FUND else asset_class


def _said(who: str, row: Any) -> str:
    if row is None:
        return f"{who} nothing"
    return f"{who} " + ", ".join(f"{name} {row[name]}" for name in ("quantity", "amount", "basis", "realised") if name in row.keys())  # noqa: SIM118
