"""The database refuses what a service has no business with; tried under every role against a real server."""

import asyncpg
import pytest

from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.places import DATABASE_ROLES
from quantmatrix.operations.testing import FreshDatabase, Servers

REFUSED = asyncpg.InsufficientPrivilegeError
every_role = pytest.mark.parametrize("role", DATABASE_ROLES)


async def _tables(database: FreshDatabase, schema: str) -> list[str]:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = $1 order by 1", schema)
    finally:
        await connection.close()
    return [row["tablename"] for row in rows]


async def test_signals_cannot_read_executions_orders(database: FreshDatabase) -> None:
    with pytest.raises(REFUSED, match="permission denied for schema execution"):
        await database.fetch("signals", "select * from execution.orders")


@every_role
async def test_a_role_reads_and_changes_no_table_of_another_schema(database: FreshDatabase, role: str) -> None:
    connection = await database.connect(role)
    tried = 0
    for schema in DATABASE_ROLES:
        for table in await _tables(database, schema) if schema != role else ():
            for statement in ("select * from {}", "delete from {}", "truncate {}", "drop table {}", "insert into {} default values"):
                with pytest.raises(REFUSED):
                    await connection.execute(statement.format(f"{schema}.{table}"))
                tried += 1

    assert tried > 100


@every_role
async def test_a_role_makes_nothing_outside_its_own_schema(database: FreshDatabase, role: str) -> None:
    connection = await database.connect(role)
    elsewhere = [schema for schema in (*DATABASE_ROLES, "public") if schema != role]
    for statement in [f"create table {schema}.planted (a int)" for schema in elsewhere] + [
        "create schema planted", "create role planted", "create database planted", "alter system set work_mem = '1GB'",
        "select pg_read_file('/etc/hostname')", "copy (select 1) to program 'true'",
        "select rolpassword from pg_authid", "set role qm_market" if role != "market" else "set role qm_signals",
    ]:  # fmt: skip
        with pytest.raises(asyncpg.PostgresError) as caught:
            await connection.execute(statement)
        assert isinstance(caught.value, REFUSED), statement


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_works_in_its_own_schema_within_its_limits(database: FreshDatabase, service: str) -> None:
    """The refusals above would prove little if nothing was allowed."""
    connection = await database.connect(service)

    assert await connection.fetchval("select current_schema()") == service
    assert await connection.fetchval("show statement_timeout") == "15s"
    assert await connection.fetchval("show lock_timeout") == "10s"
    assert await connection.fetchval("show idle_in_transaction_session_timeout") == "30s"
    await connection.execute("create table mine (a int); insert into mine values (1); drop table mine")


async def test_a_role_without_its_password_is_not_let_in(database: FreshDatabase, servers: Servers) -> None:
    address = database.url("signals").replace(servers.secrets.database["signals"], servers.secrets.database["market"])

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(address, timeout=60)


async def test_two_databases_of_two_tests_share_nothing(database: FreshDatabase) -> None:
    assert await database.fetch("signals", "select * from outbox") == []
    assert database.name.startswith("test_")
