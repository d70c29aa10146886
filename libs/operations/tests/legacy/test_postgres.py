"""The same systems on PostgreSQL: read in one read-only transaction, dumped as JSON lines, left as they are."""

import asyncio
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
from libs.operations.tests.legacy.making import Database, create, crypto, execution, fill, order, report, stocks

from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.migrating import Outcome, migrate_legacy
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.testing import FreshDatabase

TIMES = ("created_at", "filled_at", "transaction_date")
GOOD = crypto(order(1, size=0.1 + 0.2), order(2, status="pending"), order(3, side="sell"), fills=[fill("F3", 3)])


async def fill_database(database: FreshDatabase, content: Database) -> str:
    """The content as tables of a fresh database; the address of a role that may do anything with it."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        for table, rows in content.items():
            await connection.execute(create(table))
            for row in rows:
                marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
                values = [_typed(table, name, value) for name, value in row.items()]
                await connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", *values)
    finally:
        await connection.close()
    return database.superuser_url


def _typed(table: str, name: str, value: object) -> object:
    stamp = name in TIMES and table != "raw_trades"
    return datetime.fromisoformat(value) if stamp and isinstance(value, str) else value


async def migrate(url: str, tmp_path: Path, *, dry_run: bool = False) -> Outcome:
    return await asyncio.to_thread(migrate_legacy, url, tmp_path / "data", Choices(), dry_run=dry_run)


def files_below(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


async def test_postgresql_gives_the_same_report_as_the_same_rows_elsewhere(database: FreshDatabase, tmp_path: Path) -> None:
    url = await fill_database(database, GOOD)

    outcome = await migrate(url, tmp_path)

    assert outcome.wrote and outcome.report["refused"] == []
    told = report(GOOD)
    assert {name: value for name, value in outcome.report.items() if name not in ("source", "tables")} == {
        name: value for name, value in told.items() if name not in ("source", "tables")
    }


async def test_the_dump_holds_every_row_of_every_known_table_and_no_credentials(database: FreshDatabase, tmp_path: Path) -> None:
    url = await fill_database(database, stocks(execution(1), execution(2), tax_lots=[{"id": 1}], recipes=[{"id": 7}]))

    outcome = await migrate(url, tmp_path)

    body = (outcome.folder / "backup.jsonl").read_bytes()
    rows = [json.loads(line) for line in body.splitlines()]
    assert sorted(row["table"] for row in rows) == ["accounts", "tax_lots", "transactions", "transactions"]
    assert b"a secret" not in body and b"U0000001" in body
    made = json.loads((outcome.folder / "made.json").read_text(encoding="utf-8"))
    assert made["files"]["backup.jsonl"] == sha256(body).hexdigest()
    assert (outcome.folder / "backup.jsonl").stat().st_mode & 0o777 == 0o600


async def test_a_second_time_changes_nothing(database: FreshDatabase, tmp_path: Path) -> None:
    url = await fill_database(database, GOOD)

    first, second = await migrate(url, tmp_path), await migrate(url, tmp_path)

    assert (first.wrote, second.wrote) == (True, False)


async def test_the_source_cannot_be_written_and_its_password_is_not_told(database: FreshDatabase, tmp_path: Path) -> None:
    """The transaction is read-only on the server's side: even a table that writes when it is read is refused, in one sentence."""
    url = await fill_database(database, {**GOOD, "trades": []})
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("drop table trades")
        await connection.execute("create table heard (id integer)")
        await connection.execute(
            "create function writes() returns double precision language plpgsql as $$ begin insert into heard values (1); return 1; end $$"
        )
        await connection.execute(
            "create view trades as select 1 as id, writes() as size, 1 as price, 'BTC-USD' as product_id, 'buy' as side,"
            " 'x' as order_id, 'filled' as status"
        )
        with pytest.raises(LegacyError, match="cannot be read: 25006 ReadOnlySQLTransactionError") as caught:
            await migrate(url, tmp_path)

        assert await connection.fetchval("select count(*) from heard") == 0
        assert "@" not in str(caught.value)
        assert files_below(tmp_path) == []
    finally:
        await connection.close()


async def test_an_unknown_layout_is_refused_with_the_tables_found(database: FreshDatabase, tmp_path: Path) -> None:
    url = await fill_database(database, {"recipes": [{"id": 1}]})

    with pytest.raises(LegacyError, match="no older system is known with these tables: recipes"):
        await migrate(url, tmp_path)


async def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LegacyError, match=r"^postgresql 127\.0\.0\.1:1/trader cannot be reached: ConnectionRefusedError$"):
        await migrate("postgresql://someone:hidden@127.0.0.1:1/trader", tmp_path)
