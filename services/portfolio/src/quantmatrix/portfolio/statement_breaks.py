"""Breaks between statements and fills: found at every import, kept until somebody resolves them or they are gone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.statements_live import cash_apart
from quantmatrix.portfolio.domain.statements_matching import Break, Side, Told, breaks_of, of_fill, of_statement
from quantmatrix.portfolio.facts import execution_of_fact, fill_of_fact
from quantmatrix.portfolio.rows import instrument_of
from quantmatrix.portfolio.statement_entries import entries_of
from quantmatrix.portfolio.statement_ledger import StatementAccount, StatementLedger

GONE = "no longer there: a later import or fill agrees"


class BreakStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hold(self, account: StatementAccount, at: datetime) -> int:
        """Hold everything that was imported for an account against its fills of the same days; how many breaks are open.

        Cash that fills do not bring is booked.
        """
        entries = await entries_of(self._connection, account.user_id, account.number, account.broker)
        cash = await StatementLedger(self._connection).book_cash(account, entries)
        found = [*breaks_of(of_statement(entries), await self._fills(account)), *cash]
        found += await self._cash_apart(account, found)
        rows = [(_id(account, one), one) for one in found]
        await self._connection.executemany(
            """insert into statement_break (break_id, account_id, user_id, kind, symbol, session, statement, ledger, broker_key, fill_id, found_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (break_id) do update
               set resolved_at = null, resolution = null where statement_break.resolution = $12""",
            [
                (break_id, account.account_id, account.user_id, one.kind.value, one.symbol, one.session, one.said(one.statement),
                 one.said(one.ledger), _first(one.statement), UUID(_first(one.ledger)) if one.ledger else None, at, GONE)
                for break_id, one in rows
            ],
        )  # fmt: skip
        await self._connection.execute(
            """update statement_break set resolved_at = $3, resolution = $4
               where account_id = $1 and resolved_at is null and not break_id = any($2::uuid[])""",
            account.account_id, [break_id for break_id, _ in rows], at, GONE,
        )  # fmt: skip
        still = await self._connection.fetchval(
            "select count(*) from statement_break where account_id = $1 and resolved_at is null", account.account_id
        )
        return int(still)

    async def _cash_apart(self, account: StatementAccount, found: Sequence[Break]) -> list[Break]:
        """Files whose cash changed otherwise than here, where no other break of their days says why. The day of opening is not compared."""
        opened = await self._connection.fetchval("select opened_at from account where account_id = $1", account.account_id)
        apart: list[Break] = []
        for chapter in await StatementLedger(self._connection).chapters_of(account):
            if chapter.first <= opened.date() or any(chapter.covers(one.session) for one in found):
                continue
            rows = await self._connection.fetch(
                "select currency, sum(amount) as amount from cash_entry where account_id = $1 and session between $2 and $3 group by currency",
                account.account_id, chapter.first, chapter.last,
            )  # fmt: skip
            apart += cash_apart(chapter, {row["currency"]: Money(row["amount"], row["currency"]) for row in rows}, account.account_id)
        return apart

    async def _fills(self, account: StatementAccount) -> list[Told]:
        """The account's fills of the days that statements cover; files without trades cover none."""
        rows = await self._connection.fetch(
            """select f.fact_id, f.body, p.* from fact f join position p on p.account_id = f.account_id and p.instrument_id = f.instrument_id
               where f.kind = 'fill' and f.account_id = $1 and exists (select from statement_import i where i.user_id = $2 and i.broker = $3
               and $4 = any(i.accounts) and (f.body->>'session')::date between i.first and i.last
               and (i.kind not like 'ibkr_flex%' or exists (select from statement_entry e where e.import_id = i.import_id and e.kind = 'trade')))
               order by f.ordinal""",
            account.account_id, account.user_id, account.broker, account.number,
        )  # fmt: skip
        found = []
        for row in rows:
            fill = fill_of_fact(row["fact_id"], row["body"], account.account_id, account.user_id, instrument_of(row))
            signed = Quantity(fill.quantity.value * fill.side.sign)
            found.append(
                of_fill(
                    FillId(row["fact_id"]),
                    execution_of_fact(row["body"]),
                    fill.instrument.symbol,
                    fill.session,
                    signed,
                    fill.price,
                    fill.fee,
                )
            )
        return found

    async def resolve(self, user_id: UserId, break_id: UUID, reason: str, at: datetime) -> bool:
        """Close a break of this user with a reason; False when there is none that is open."""
        done = await self._connection.fetchval(
            """update statement_break set resolved_at = $3, resolution = $4
               where break_id = $1 and user_id = $2 and resolved_at is null returning true""",
            break_id, user_id, at, reason,
        )  # fmt: skip
        return bool(done)


def _id(account: StatementAccount, one: Break) -> UUID:
    return derived_id("statement break", account.account_id, one.kind, *sorted(told.reference for told in (*one.statement, *one.ledger)),
                      one.said(one.statement), one.said(one.ledger))  # fmt: skip


def _first(side: Sequence[Side]) -> str | None:
    return side[0].reference if side else None
