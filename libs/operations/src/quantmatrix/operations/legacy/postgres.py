"""Reading an older PostgreSQL database: one read-only transaction, and a dump of the known tables taken in it as JSON lines."""

from collections.abc import Mapping
from typing import IO

import asyncpg

from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.layout import Recognised, recognise
from quantmatrix.operations.legacy.source import ROWS_MAX, Address, Snapshot, json_line, rows_of, too_many

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 300.0
ROWS_AT_ONCE = 2_000


async def read_postgres(address: Address, dump: IO[str] | None) -> Snapshot:
    """Everything that is taken over, and a dump of all known tables where one is wanted.

    Raises LegacyError when the database cannot be reached or is of no known system; the dump is then not made.
    """
    settings = {"default_transaction_read_only": "on", "application_name": "qm migrate-legacy"}
    try:
        connection = await asyncpg.connect(
            address.target, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S, server_settings=settings
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LegacyError(f"{address.shown} cannot be reached: {type(error).__name__}") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _read(connection, dump)
    except asyncpg.PostgresError as error:
        raise LegacyError(f"{address.shown} cannot be read: {error.sqlstate} {type(error).__name__}") from error
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def _read(connection: asyncpg.Connection, dump: IO[str] | None) -> Snapshot:
    recognised = recognise(await _tables(connection))
    counts: dict[str, int] = {}
    for name in (*recognised.read, *recognised.kept):
        counts[name] = await connection.fetchval(f"select count(*) from {_quoted(name)}")
        if name in recognised.read and counts[name] > ROWS_MAX:
            raise too_many(name, counts[name])
    rows = {}
    for name in recognised.read:
        found = await connection.fetch(f"select * from {_quoted(name)} order by 1")
        rows[name] = rows_of(name, [dict(row) for row in found])
    if dump is not None:
        await _dump(connection, recognised, dump)
    return Snapshot(recognised, rows, counts)


async def _tables(connection: asyncpg.Connection) -> Mapping[str, frozenset[str]]:
    found = await connection.fetch(
        "select table_name, array_agg(column_name::text) as columns from information_schema.columns"
        " where table_schema = current_schema() group by table_name"
    )
    return {row["table_name"]: frozenset(row["columns"]) for row in found}


async def _dump(connection: asyncpg.Connection, recognised: Recognised, dump: IO[str]) -> None:
    for name in (*recognised.read, *recognised.kept):
        async for row in connection.cursor(f"select * from {_quoted(name)} order by 1", prefetch=ROWS_AT_ONCE):
            dump.write(json_line(name, dict(row)) + "\n")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
