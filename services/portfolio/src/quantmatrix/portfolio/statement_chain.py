"""Statements that were booked before, put together again as far as the next one to them is held against them."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.portfolio.domain.statements import Entry, Figures, OpenPosition, Statement, Summary
from quantmatrix.portfolio.domain.statements_account import Chapter, effective
from quantmatrix.portfolio.statement_entries import entries_of
from quantmatrix.portfolio.statement_rows import broker_of, chapter_of, summary_of

_DAY = timedelta(days=1)


async def stored_beside(statements: Iterable[Statement], user_id: UserId, connection: Connection) -> list[Statement]:
    """The stored files that begin or end next to these, with all that lead up to them without a gap; of files of one account each.

    A stored file of days that are read again is left out: the new one takes its place.
    """
    groups: dict[tuple[str, str], list[Statement]] = {}
    for one in statements:
        if len(one.accounts) == 1:
            groups.setdefault((one.importer, one.accounts[0]), []).append(one)
    found = []
    for (kind, number), read in groups.items():
        rows = await connection.fetch(
            """select kind, first, last, currency, chapters -> $3::text as chapter from statement_import
               where user_id = $1 and kind = $2 and accounts = array[$3::text] order by first, last""",
            user_id, kind, number,
        )  # fmt: skip
        apart = [row for row in rows if not any(row["first"] <= one.last and row["last"] >= one.first for one in read)]
        needed = _leading_to(read, apart)
        if needed:
            entries = await entries_of(connection, user_id, number, broker_of(read[0]))
            found += _statements(needed, entries, number)
    return found


def _leading_to(read: Sequence[Statement], stored: Sequence[Any]) -> list[Any]:
    """The rows that chain to what was read: the one after each, and all before it."""
    wanted = {one.first - _DAY for one in read}
    needed = []
    for row in reversed(stored):
        follows = any(row["first"] == one.last + _DAY for one in read)
        if row["last"] in wanted or follows:
            needed.append(row)
            wanted.add(row["first"] - _DAY)
    return needed


def _statements(rows: Sequence[Any], entries: Sequence[Entry], number: str) -> list[Statement]:
    told = [(row, json.loads(row["chapter"])) for row in rows]
    chapters = [chapter_of(row["first"], row["last"], chapter, number) for row, chapter in told]
    return [
        _statement(row, chapter, said, [entry for entry in entries if said.covers(effective(entry, chapters))], number)
        for (row, chapter), said in zip(told, chapters, strict=True)
    ]


def _statement(row: Any, told: dict[str, Any], chapter: Chapter, entries: Sequence[Entry], number: str) -> Statement:
    cash = zip(chapter.cash, chapter.ending_cash, strict=True)
    figures = Figures(
        value=summary_of("value", told.get("value")),
        cash=tuple(Summary(f"cash {start.currency}", start, end - start, end) for start, end in cash),
        accruals=summary_of("dividend accruals", told.get("accruals")),
        prior=chapter.prior,
    )
    positions = tuple(OpenPosition(number, one.symbol, one.quantity, None) for one in chapter.held)
    return Statement(
        row["kind"], (number,), row["first"], row["last"], row["currency"], tuple(entries), positions=positions, figures=figures
    )
