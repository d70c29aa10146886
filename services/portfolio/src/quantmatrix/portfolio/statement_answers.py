"""Brokers' statements over the bus: parts of files taken in, files booked, what came of them, breaks shown and resolved."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from quantmatrix.common.contracts.asking.statements import (
    BookStatements,
    ResolveStatementBreak,
    StatementAccountTold,
    StatementBreak,
    StatementBreakResolved,
    StatementChoice,
    StatementPartGiven,
    StatementPartTaken,
    Statements,
    StatementsAsked,
    StatementsBooked,
    StatementSummary,
)
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.portfolio.import_report import ImportTold
from quantmatrix.portfolio.importing import BODY_BYTES_MAX, File
from quantmatrix.portfolio.statement_breaks import BreakStore
from quantmatrix.portfolio.statement_imports import Wish, import_files

LIMIT_MAX = 500
KEPT = timedelta(days=1)


async def part_given(asked: StatementPartGiven, page: Page) -> StatementPartTaken:
    """Store a part; a file that grows beyond the limit is refused and forgotten."""
    connection = page.connection
    await connection.execute("delete from statement_upload where given_at < $1", asked.at - KEPT)
    await connection.execute(
        """insert into statement_upload (upload_id, part, user_id, name, body, given_at) values ($1, $2, $3, $4, $5, $6)
           on conflict do nothing""",
        asked.upload_id, asked.part, asked.user_id, asked.name, asked.body, asked.at,
    )  # fmt: skip
    size = await connection.fetchval(
        "select sum(length(body)) from statement_upload where upload_id = $1 and user_id = $2", asked.upload_id, asked.user_id
    )
    if size is None or size > BODY_BYTES_MAX:
        raise Refused("FILE_TOO_LARGE", f"the file has more than {BODY_BYTES_MAX} bytes")
    return StatementPartTaken(int(size))


async def booked(asked: BookStatements, page: Page) -> StatementsBooked:
    """Book uploaded files in this page's transaction, and forget the uploads."""
    files = [await _file(upload, asked, page.connection) for upload in asked.uploads]
    wish = Wish(asked.user_id, asked.account_id, asked.since, asked.treatment)
    found = await import_files(files, wish, page.connection, asked.at)
    await page.connection.execute("delete from statement_upload where upload_id = any($1::uuid[])", list(asked.uploads))
    return StatementsBooked(tuple(_summary(one) for one in found))


async def _file(upload_id: UUID, asked: BookStatements, connection: Connection) -> File:
    rows = await connection.fetch(
        "select name, body, part from statement_upload where upload_id = $1 and user_id = $2 order by part", upload_id, asked.user_id
    )
    if not rows or [row["part"] for row in rows] != list(range(len(rows))):
        raise Refused("UPLOAD_INCOMPLETE", "a file was not handed in, or not all of it: hand it in again")
    said = next((one for one in asked.choices if one.upload_id == upload_id), StatementChoice(upload_id))
    return File(rows[0]["name"], b"".join(row["body"] for row in rows), said.since, said.treatment)


async def statements(asked: StatementsAsked, connection: Connection) -> Statements:
    limit = max(1, min(asked.limit, LIMIT_MAX))
    files = await connection.fetch(
        "select report from statement_import where user_id = $1 order by imported_at desc, last desc, import_id limit $2",
        asked.user_id, limit,
    )  # fmt: skip
    accounts = await connection.fetch("select * from statement_account where user_id = $1 order by account_id", asked.user_id)
    breaks = await connection.fetch(
        """select * from statement_break where user_id = $1 order by resolved_at desc nulls first, session desc, symbol, break_id limit $2""",
        asked.user_id, limit,
    )  # fmt: skip
    return Statements(
        tuple(_summary(json.loads(row["report"])) for row in files),
        tuple(StatementAccountTold(AccountId(row["account_id"]), row["broker"], row["treatment"], row["booked"]) for row in accounts),
        tuple(_break(row) for row in breaks),
    )


async def break_resolved(asked: ResolveStatementBreak, page: Page) -> StatementBreakResolved:
    reason = asked.reason.strip()
    if not reason:
        raise Refused("REASON_MISSING", "say why the break is resolved")
    return StatementBreakResolved(await BreakStore(page.connection).resolve(asked.user_id, asked.break_id, reason, asked.at))


def _summary(told: ImportTold) -> StatementSummary:
    return decode_as(StatementSummary, json.dumps(told).encode())


def _break(row: Any) -> StatementBreak:
    names = ("kind", "symbol", "session", "statement", "ledger", "found_at", "resolved_at", "resolution")
    return StatementBreak(row["break_id"], AccountId(row["account_id"]), *(row[name] for name in names))
