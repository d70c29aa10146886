"""Portfolio's tables of imported statements: a file is kept whole or not at all, and what was kept before is not kept again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, optional, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed, Statement
from quantmatrix.portfolio.import_report import DUPLICATE, ImportTold, told
from quantmatrix.portfolio.importing import Checked, Status

_FIELDS = """broker_key text, account text, line integer, section text, kind text, session date, at timestamptz, symbol text, asset text,
quantity numeric, price numeric, multiplier numeric, amount numeric, currency text, fee numeric, fee_currency text, basis numeric, realised numeric,
basis_currency text, acquired_on date, cancels text, text text, printed jsonb"""
_NAMES = ", ".join(field.split()[0] for field in _FIELDS.split(","))


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of keeping a file. import_id is None for a rejected one; known: this very file was kept before."""

    import_id: UUID | None
    known: bool
    report: ImportTold


class StatementStore:
    """Reads and writes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, checked: Checked, user_id: UserId, at: datetime) -> Kept:
        """Keep what a checked file brought, in one transaction of its own.

        Nothing of a rejected file is kept, and nothing of one that was kept before. Entries whose key is known are left as
        they were: overlapping files add what is new in them. The same rows under two users are two users' rows.
        """
        report = told(checked)
        if checked.statement is None or checked.status is Status.REJECTED:
            return Kept(None, known=False, report=report)
        import_id = derived_id("statement", user_id, report["sha256"])
        async with self._connection.transaction():
            if not await self._open(import_id, checked, user_id, report, at):
                return Kept(import_id, known=True, report=_counted(report, checked.statement, set()))
            fresh = await self._add(import_id, user_id, checked.statement)
            report = _counted(report, checked.statement, fresh)
            await self._add_unread(import_id, checked.statement)
            await self._connection.execute(
                "update statement_import set booked = $2, ignored = $3, duplicates = $4, report = $5 where import_id = $1",
                import_id, report["booked"], report["ignored"], report["duplicates"], json.dumps(report),
            )  # fmt: skip
        return Kept(import_id, known=False, report=report)

    async def _open(self, import_id: UUID, checked: Checked, user_id: UserId, report: ImportTold, at: datetime) -> bool:
        """Store the file's own row; False when this user has imported the file before."""
        statement = checked.statement
        assert statement is not None
        new = await self._connection.fetchval(
            """insert into statement_import (import_id, user_id, sha256, kind, accounts, first, last, currency, status, rows, booked, ignored,
               not_understood, duplicates, report, imported_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, '{}', $14)
               on conflict do nothing returning true""",
            import_id, user_id, report["sha256"], statement.importer, list(statement.accounts), statement.first, statement.last,
            statement.currency, checked.status.value, statement.rows, len(statement.booked_lines), len(statement.ignored),
            len(statement.unread), at,
        )  # fmt: skip
        return bool(new)

    async def _add(self, import_id: UUID, user_id: UserId, statement: Statement) -> set[int]:
        """Store the entries whose keys are new; the lines that brought one."""
        rows = await self._connection.fetch(
            f"""insert into statement_entry (user_id, import_id, {_NAMES})
                select $1, $2, {_NAMES} from jsonb_to_recordset($3::jsonb) as said ({_FIELDS})
                on conflict do nothing returning line""",
            user_id, import_id, json.dumps([_row(entry) for entry in statement.entries]),
        )  # fmt: skip
        return {row["line"] for row in rows}

    async def _add_unread(self, import_id: UUID, statement: Statement) -> None:
        await self._connection.executemany(
            "insert into statement_unread (import_id, line, section, why, raw) values ($1, $2, $3, $4, $5)",
            [(import_id, one.place.line, one.place.section, one.why, json.dumps(one.raw)) for one in statement.unread],
        )

    async def forget(self, user_id: UserId, digests: Sequence[str]) -> int:
        """Take back the files with these SHA-256 and all that they brought, in one transaction; how many there were."""
        async with self._connection.transaction():
            rows = await self._connection.fetch(
                "select import_id from statement_import where user_id = $1 and sha256 = any($2::text[]) for update", user_id, list(digests)
            )
            imports = [row["import_id"] for row in rows]
            for table in ("statement_entry", "statement_unread", "statement_import"):
                await self._connection.execute(f"delete from {table} where import_id = any($1::uuid[])", imports)
        return len(imports)

    async def entries(self, user_id: UserId, account: str) -> list[Entry]:
        """Everything that was imported for an account of a user, by day and line."""
        rows = await self._connection.fetch(
            "select * from statement_entry where user_id = $1 and account = $2 order by session, import_id, line, broker_key",
            user_id,
            account,
        )
        return [_entry(row) for row in rows]

    async def reports(self, user_id: UserId) -> list[ImportTold]:
        """What was said of each file that a user imported, the latest first."""
        rows = await self._connection.fetch(
            "select report from statement_import where user_id = $1 order by imported_at desc, import_id", user_id
        )
        return [json.loads(row["report"]) for row in rows]


def _counted(report: ImportTold, statement: Statement, fresh: set[int]) -> ImportTold:
    """The report with the counts of what was new: known rows are ignored by a rule of that name."""
    duplicates = len(statement.booked_lines) - len(fresh)
    rules = {rule: count for rule, count in report["ignored_by_rule"].items() if rule != DUPLICATE}
    if duplicates:
        rules[DUPLICATE] = duplicates
    counted = report.copy()
    counted["booked"], counted["duplicates"] = len(fresh), duplicates
    counted["ignored"], counted["ignored_by_rule"] = sum(rules.values()), rules
    return counted


def _row(entry: Entry) -> dict[str, object]:
    """An entry as JSON, numbers as text."""
    basis = entry.basis or entry.realised
    printed = entry.printed
    return {
        "broker_key": entry.broker_key,
        "account": entry.account,
        "line": entry.place.line,
        "section": entry.place.section,
        "kind": entry.kind.value,
        "session": entry.session.isoformat(),
        "at": entry.at.isoformat() if entry.at else None,
        "symbol": entry.symbol,
        "asset": entry.asset,
        "quantity": _text(entry.quantity),
        "price": _text(entry.price),
        "multiplier": _text(entry.multiplier),
        "amount": _amount(entry.amount),
        "currency": entry.amount.currency if entry.amount is not None else None,
        "fee": _amount(entry.fee),
        "fee_currency": entry.fee.currency if entry.fee is not None else None,
        "basis": _amount(entry.basis),
        "realised": _amount(entry.realised),
        "basis_currency": basis.currency if basis is not None else None,
        "acquired_on": entry.acquired_on.isoformat() if entry.acquired_on else None,
        "cancels": entry.cancels,
        "text": entry.text,
        "printed": None if printed is None else _printed(printed),
    }


def _text(value: Quantity | Price | None) -> str | None:
    return None if value is None else str(value)


def _amount(value: Money | None) -> str | None:
    return None if value is None else plain(value.amount)


def _printed(printed: Printed) -> dict[str, object]:
    return {
        "close_price": _text(printed.close_price),
        "marked": _amount(printed.marked),
        "marked_currency": printed.marked.currency if printed.marked is not None else None,
        "codes": list(printed.codes),
        "price_step": _text(printed.price_step),
    }


def _entry(row: asyncpg.Record) -> Entry:
    printed = json.loads(row["printed"]) if row["printed"] else None
    return Entry(
        EntryKind(row["kind"]), row["broker_key"], Place(row["line"], row["section"]), row["account"], row["session"], row["at"],
        _money(row["amount"], row["currency"]), _money(row["fee"], row["fee_currency"]), row["symbol"],
        None if row["quantity"] is None else Quantity(row["quantity"]), None if row["price"] is None else Price(row["price"]),
        _money(row["basis"], row["basis_currency"]), _money(row["realised"], row["basis_currency"]), row["acquired_on"], row["cancels"],
        row["text"], row["asset"], None if row["multiplier"] is None else Quantity(row["multiplier"]),
        None if printed is None else _read_printed(printed),
    )  # fmt: skip


def _money(amount: Any, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount, currency)


def _read_printed(told: dict[str, Any]) -> Printed:
    marked = None if told["marked"] is None else Money.parse(told["marked"], told["marked_currency"])
    return Printed(optional(Price.parse, told["close_price"]), marked, tuple(told["codes"]), optional(Price.parse, told["price_step"]))
