"""Portfolio's tables of imported statements: a file is kept whole or not at all, and what was kept before is not kept again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.portfolio.domain.statements import Entry, Statement
from quantmatrix.portfolio.domain.statements_merging import merged
from quantmatrix.portfolio.import_report import DUPLICATE, TOLD_OTHERWISE, ImportTold, refused, told
from quantmatrix.portfolio.importing import Checked, Status
from quantmatrix.portfolio.statement_breaks import BreakStore
from quantmatrix.portfolio.statement_entries import add_entries, entries_of, untold_entries_of
from quantmatrix.portfolio.statement_ledger import NewEntries, StatementLedger
from quantmatrix.portfolio.statement_rows import broker_of, chapters_told


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of keeping a file. import_id is None for a rejected one; known: this very file was kept before."""

    import_id: UUID | None
    known: bool
    report: ImportTold


@dataclass(frozen=True, slots=True)
class Options:
    """What a person says with a file: our name for its account, and how its gains are taxed."""

    account: str | None = None
    treatment: str | None = None


NO_OPTIONS = Options()
_ALIKE = (frozenset({"ibkr_flex_xml", "ibkr_flex_csv"}),)
"""Kinds of files that carry the same ids."""
_COMPARED = (frozenset({"ibkr_activity", "ibkr_flex_xml", "ibkr_flex_csv"}),)
"""Kinds of files that print the same things in the same words: rows of one are found among those of another by what they say."""


class NotBookedError(Exception):
    """The file is whole and cannot be booked into this ledger; says what stands in the way."""


class StatementStore:
    """Reads and writes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, checked: Checked, user_id: UserId, at: datetime, options: Options = NO_OPTIONS) -> Kept:
        """Book what a checked file brought, in one transaction of its own.

        Nothing of a rejected file is booked, and nothing of one that was booked before. Entries whose key is known are left as
        they were: overlapping files add what is new in them. The same rows under two users are two users' rows. The accounts of
        the file are made when they are new, and their books are worked out anew.
        """
        report = told(checked)
        if checked.statement is None or checked.status is Status.REJECTED:
            return Kept(None, known=False, report=report)
        import_id = derived_id("statement", user_id, report["sha256"])
        try:
            async with self._connection.transaction():
                if not await self._open(import_id, checked, user_id, report, at):
                    known = await self._connection.fetchval("select report from statement_import where import_id = $1", import_id)
                    report["account_ids"] = json.loads(known).get("account_ids", [])
                    return Kept(import_id, known=True, report=_counted(report, checked.statement, set()))
                report = await self._book(import_id, checked.statement, user_id, report, at, options)
        except NotBookedError as error:
            return Kept(None, known=False, report=refused(report, str(error)))
        return Kept(import_id, known=False, report=report)

    async def _book(
        self, import_id: UUID, statement: Statement, user_id: UserId, report: ImportTold, at: datetime, options: Options
    ) -> ImportTold:
        """Store the rows, then work out the accounts anew; the report with what came of it."""
        same = await self._told_by_other_kinds(import_id, statement, user_id)
        booked = await add_entries(self._connection, user_id, import_id, broker_of(statement), statement.entries, same)
        fresh = {entry.place.line for entry in booked}
        await self._add_unread(import_id, statement)
        report = _counted(
            report, statement, fresh, len({entry.place.line for entry in statement.entries if entry.broker_key in same} - fresh)
        )
        report["account_ids"], report["open_breaks"] = await self._accounts(
            statement, NewEntries(import_id, tuple(booked)), user_id, at, options
        )  # fmt: skip
        await self._connection.execute(
            "update statement_import set booked = $2, ignored = $3, duplicates = $4, report = $5 where import_id = $1",
            import_id, report["booked"], report["ignored"], report["duplicates"], json.dumps(report),
        )  # fmt: skip
        return report

    async def _told_by_other_kinds(self, import_id: UUID, statement: Statement, user_id: UserId) -> dict[str, str]:
        """Keys of the rows that another kind of file brought already, with theirs. Raises NotBookedError where the two contradict each other."""
        kind = statement.importer
        rows = await self._connection.fetch(
            """select kind, accounts, first, last from statement_import where user_id = $1 and broker = $2 and accounts && $3::text[]
               and not kind = any($4::text[]) and first <= $6 and last >= $5 and import_id <> $7 order by first, last""",
            user_id, broker_of(statement), list(statement.accounts), list(_with(kind, _ALIKE)), statement.first, statement.last, import_id,
        )  # fmt: skip
        for row in rows:
            if row["kind"] not in _with(kind, _COMPARED):
                raise NotBookedError(
                    f"days of this account are booked from another kind of file already ({row['kind']}, {row['first']} to {row['last']}): "
                    "import one kind of file for a period, or give this one a start date"
                )
        same: dict[str, str] = {}
        for number in statement.accounts if rows else ():
            both = [(max(row["first"], statement.first), min(row["last"], statement.last)) for row in rows if number in row["accounts"]]
            same |= await self._same(statement, user_id, number, {row["kind"] for row in rows}, both)
        return same

    async def _same(
        self, statement: Statement, user_id: UserId, number: str, kinds: set[str], both: list[tuple[date, date]]
    ) -> dict[str, str]:
        own = [entry for entry in statement.entries if entry.account == number]
        known = await self._connection.fetch(
            "select broker_key from statement_entry where user_id = $1 and broker = $2 and account = $3 and broker_key = any($4::text[])",
            user_id, broker_of(statement), number, [entry.broker_key for entry in own],
        )  # fmt: skip
        keys = {row["broker_key"] for row in known}
        booked = await untold_entries_of(self._connection, user_id, broker_of(statement), number, sorted(kinds))
        found = merged([entry for entry in own if entry.broker_key not in keys], booked, both)
        if found.contradictions:
            raise NotBookedError(
                "another kind of file says something else of the same days: " + "; ".join(found.contradictions)
                + ". Take the wrong file back, or give this one a start date"
            )  # fmt: skip
        return found.same

    async def _accounts(
        self, statement: Statement, new: NewEntries, user_id: UserId, at: datetime, options: Options
    ) -> tuple[list[str], int]:
        """Book each account of the file, or hold it against its fills; their names, and how many breaks are open."""
        ledger = StatementLedger(self._connection)
        found, open_breaks = [], 0
        for number in statement.accounts:
            wanted = options.account if len(statement.accounts) == 1 else None
            account = await ledger.account_for(user_id, broker_of(statement), number, statement.currency, at, wanted)
            if account is None:
                raise NotBookedError("the account is another person's, or another broker's: import it under another name")
            if options.treatment is not None:
                await ledger.set_treatment(account.account_id, options.treatment)
            if account.booked:
                await ledger.rebook(account, new)
            else:
                open_breaks += await BreakStore(self._connection).hold(account, at)
            found.append(str(account.account_id))
        return found, open_breaks

    async def _open(self, import_id: UUID, checked: Checked, user_id: UserId, report: ImportTold, at: datetime) -> bool:
        """Store the file's own row; False when this user has imported the file before."""
        statement = checked.statement
        assert statement is not None
        new = await self._connection.fetchval(
            """insert into statement_import (import_id, user_id, sha256, kind, accounts, first, last, currency, status, rows, booked, ignored,
               not_understood, duplicates, report, imported_at, broker, chapters)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, '{}', $14, $15, $16)
               on conflict do nothing returning true""",
            import_id, user_id, report["sha256"], statement.importer, list(statement.accounts), statement.first, statement.last,
            statement.currency, checked.status.value, statement.rows, len(statement.booked_lines), len(statement.ignored),
            len(statement.unread), at, broker_of(statement), json.dumps(chapters_told(statement)),
        )  # fmt: skip
        return bool(new)

    async def _add_unread(self, import_id: UUID, statement: Statement) -> None:
        await self._connection.executemany(
            "insert into statement_unread (import_id, line, section, why, raw) values ($1, $2, $3, $4, $5)",
            [(import_id, one.place.line, one.place.section, one.why, json.dumps(one.raw)) for one in statement.unread],
        )

    async def forget(self, user_id: UserId, digests: Sequence[str]) -> int:
        """Take back the files with these SHA-256 and all that they brought, in one transaction; how many there were."""
        async with self._connection.transaction():
            rows = await self._connection.fetch(
                "select import_id, broker, accounts from statement_import where user_id = $1 and sha256 = any($2::text[]) for update",
                user_id, list(digests),
            )  # fmt: skip
            imports = [row["import_id"] for row in rows]
            for table in ("statement_entry", "statement_unread", "statement_import"):
                await self._connection.execute(f"delete from {table} where import_id = any($1::uuid[])", imports)
            await self._connection.execute(
                """update statement_entry e set same_as = null where user_id = $1 and same_as is not null and not exists (select from
                   statement_entry o where o.user_id = $1 and o.broker = e.broker and o.account = e.account and o.broker_key = e.same_as)""",
                user_id,
            )
            ledger = StatementLedger(self._connection)
            for broker, number in sorted({(row["broker"], number) for row in rows for number in row["accounts"]}):
                await ledger.forget(user_id, broker, number)
        return len(imports)

    async def entries(self, user_id: UserId, account: str) -> list[Entry]:
        """Everything that was imported for an account of a user, under the broker's number, by day and line."""
        return await entries_of(self._connection, user_id, account)

    async def reports(self, user_id: UserId) -> list[ImportTold]:
        """What was said of each file that a user imported, the latest first."""
        rows = await self._connection.fetch(
            "select report from statement_import where user_id = $1 order by imported_at desc, import_id", user_id
        )
        return [json.loads(row["report"]) for row in rows]


def _with(kind: str, groups: Iterable[frozenset[str]]) -> frozenset[str]:
    """A kind with all that are in a group with it."""
    return frozenset({kind}).union(*(group for group in groups if kind in group))


def _counted(report: ImportTold, statement: Statement, fresh: set[int], otherwise: int = 0) -> ImportTold:
    """The report with the counts of what was new: known rows are ignored by a rule of that name. otherwise: those of another kind of file."""
    duplicates = len(statement.booked_lines) - len(fresh)
    rules = {rule: count for rule, count in report["ignored_by_rule"].items() if rule != DUPLICATE}
    rules |= {rule: count for rule, count in ((DUPLICATE, duplicates - otherwise), (TOLD_OTHERWISE, otherwise)) if count}
    counted = report.copy()
    counted["booked"], counted["duplicates"] = len(fresh), duplicates
    counted["ignored"], counted["ignored_by_rule"] = sum(rules.values()), rules
    return counted
