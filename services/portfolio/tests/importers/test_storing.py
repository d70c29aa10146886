"""Imported statements in a real database: whole or not at all, once, overlapping ones merged, equal rows kept."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from services.portfolio.tests.importers import samples
from services.portfolio.tests.importers.activity_samples import STATEMENT, TWO_ACCOUNTS
from services.portfolio.tests.importers.test_contracts import EVERY

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.portfolio.domain.statements import EntryKind
from quantmatrix.portfolio.importing import Checked, File, check_files
from quantmatrix.portfolio.statement_store import StatementStore

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)
SOMEBODY = UserId(derived_id("user", "somebody"))
TABLES = ("statement_import", "statement_entry", "statement_unread")


def check(text: str, name: str = "file") -> Checked:
    (result,) = check_files([File(name, text.encode())])
    return result


async def counts(connection: Any) -> dict[str, int]:
    return {table: await connection.fetchval(f"select count(*) from {table}") for table in TABLES}


async def is_waiting(connection: Any, pid: int) -> bool:
    waits = await connection.fetchval("select wait_event_type = 'Lock' from pg_stat_activity where pid = $1", pid)
    return bool(waits)


@pytest.fixture
async def connection(database: Any) -> Any:
    return await database.connect("portfolio")


@pytest.mark.parametrize("name", sorted(EVERY))
async def test_what_was_read_comes_back_as_it_was(name: str, connection: Any) -> None:
    checked = check(EVERY[name])
    assert checked.statement is not None

    kept = await StatementStore(connection).keep(checked, FIRST_ADMINISTRATOR, AT)

    stored = [
        entry for account in checked.statement.accounts for entry in await StatementStore(connection).entries(FIRST_ADMINISTRATOR, account)
    ]
    assert kept.report["booked"] == len(checked.statement.booked_lines)
    assert sorted(stored, key=lambda entry: entry.broker_key) == sorted(checked.statement.entries, key=lambda entry: entry.broker_key)


async def test_the_same_file_again_books_nothing(connection: Any) -> None:
    store = StatementStore(connection)
    first = await store.keep(check(STATEMENT), FIRST_ADMINISTRATOR, AT)
    before = await counts(connection)

    again = await store.keep(check(STATEMENT, "another name"), FIRST_ADMINISTRATOR, AT)

    assert (first.known, again.known, again.report["booked"], again.report["duplicates"]) == (False, True, 0, first.report["booked"])
    assert again.report["booked"] + again.report["ignored"] + again.report["not_understood"] == again.report["rows"]
    assert await counts(connection) == before == {"statement_import": 1, "statement_entry": 45, "statement_unread": 1}


async def test_overlapping_files_merge_in_any_order_and_equal_rows_stay(connection: Any) -> None:
    """A second statement with one interest row more than the first: of three equal rows, all three are kept in the end."""
    row = "Interest,Data,USD,2025-03-05,USD Debit Interest for Mar-2025,-12.5\n"
    longer = STATEMENT.replace(row, row * 2, 1)
    store = StatementStore(connection)

    first = await store.keep(check(STATEMENT), FIRST_ADMINISTRATOR, AT)
    second = await store.keep(check(longer), FIRST_ADMINISTRATOR, AT)
    other_way = [await store.keep(check(text), SOMEBODY, AT) for text in (longer, STATEMENT)]

    assert second.report["booked"] == 1
    assert first.report["booked"] + 1 == other_way[0].report["booked"]
    assert other_way[1].report["booked"] == 0
    for user in (FIRST_ADMINISTRATOR, SOMEBODY):
        kept = [entry for entry in await store.entries(user, "U0000001") if entry.kind is EntryKind.INTEREST]
        assert len(kept) == 3


async def test_one_users_statements_are_not_anothers(connection: Any) -> None:
    store = StatementStore(connection)
    await store.keep(check(STATEMENT), FIRST_ADMINISTRATOR, AT)

    assert await store.entries(SOMEBODY, "U0000001") == []
    assert await store.reports(SOMEBODY) == []
    assert len(await store.reports(FIRST_ADMINISTRATOR)) == 1


async def test_nothing_of_a_rejected_file_is_kept(connection: Any) -> None:
    rejected = check(STATEMENT.replace("Ending Value,203799", "Ending Value,203798"))

    kept = await StatementStore(connection).keep(rejected, FIRST_ADMINISTRATOR, AT)

    assert (kept.import_id, kept.report["status"]) == (None, "rejected")
    assert await counts(connection) == dict.fromkeys(TABLES, 0)


async def test_an_import_that_is_cut_short_leaves_nothing(connection: Any, database: Any) -> None:
    """Another connection holds one of the keys, so that the import waits in its middle; there its server process is ended."""
    holder = await database.connect("portfolio")
    checked = check(samples.COINBASE_FILLS)
    worker = await database.connect("portfolio")
    pid = worker.get_server_pid()
    async with holder.transaction():
        await StatementStore(holder).keep(check(samples.COINBASE_FILLS + "\n"), FIRST_ADMINISTRATOR, AT)
        waiting = asyncio.create_task(StatementStore(worker).keep(checked, FIRST_ADMINISTRATOR, AT))
        await wait_until(lambda: is_waiting(connection, pid), "the import waits for the key")
        await holder.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await waiting

    assert (await counts(connection))["statement_import"] == 1
    assert await connection.fetchval("select sha256 from statement_import") == sha256((samples.COINBASE_FILLS + "\n").encode()).hexdigest()


async def test_two_accounts_of_one_file_lie_apart(connection: Any) -> None:
    store = StatementStore(connection)

    await store.keep(check(TWO_ACCOUNTS), FIRST_ADMINISTRATOR, AT)

    assert [str(entry.quantity) for entry in await store.entries(FIRST_ADMINISTRATOR, "U0000001")] == ["257"]
    assert {entry.kind for entry in await store.entries(FIRST_ADMINISTRATOR, "U0000002")} == {EntryKind.TRADE, EntryKind.DIVIDEND}


async def test_a_file_that_is_forgotten_takes_along_what_it_brought_and_nothing_else(connection: Any) -> None:
    store = StatementStore(connection)
    first, second = check(STATEMENT), check(EVERY["generic"])
    await store.keep(first, FIRST_ADMINISTRATOR, AT)
    before = await counts(connection)
    kept = await store.keep(second, FIRST_ADMINISTRATOR, AT)
    await store.keep(second, SOMEBODY, AT)

    forgotten = await store.forget(FIRST_ADMINISTRATOR, [kept.report["sha256"], "unknown"])
    again = await store.forget(FIRST_ADMINISTRATOR, [kept.report["sha256"]])
    of_somebody = await store.forget(SOMEBODY, [kept.report["sha256"]])

    assert (forgotten, again, of_somebody) == (1, 0, 1)
    assert await counts(connection) == before
