"""The database's roles and schemas: one of each per service, and nobody sees another's."""

from collections.abc import Mapping

import asyncpg

from quantmatrix.operations.places import DATABASE_ROLES
from quantmatrix.operations.servers.postgres import DATABASE

STATEMENT_TIMEOUT = "15s"
LOCK_TIMEOUT = "10s"
IDLE_TIMEOUT = "30s"
CONNECTIONS_MAX = 20


def quoted(text: str) -> str:
    """A literal for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


async def make_database(superuser_url: str) -> bool:
    """Create the database if it is not there. `superuser_url` names the maintenance database."""
    connection = await asyncpg.connect(superuser_url, timeout=5)
    try:
        if await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
            return False
        await connection.execute(f"create database {DATABASE}")
        return True
    finally:
        await connection.close()


async def make_roles(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Create roles and schemas that are missing and set their limits, by role; running it again changes nothing."""
    connection = await asyncpg.connect(superuser_url, timeout=5)
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext('bootstrap'))")
            await connection.execute("revoke all on schema public from public")
            for name in DATABASE_ROLES:
                await _make_role(connection, name, passwords[name])
    finally:
        await connection.close()


async def _make_role(connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str) -> None:
    role = f"qm_{name}"
    if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role):
        await connection.execute(f"create role {role} login")
    await connection.execute(f"alter role {role} login connection limit {CONNECTIONS_MAX} password {quoted(password)}")
    await connection.execute(f"create schema if not exists {name} authorization {role}")
    await connection.execute(f"revoke all on schema {name} from public")
    for setting, value in (
        ("search_path", name),
        ("statement_timeout", quoted(STATEMENT_TIMEOUT)),
        ("lock_timeout", quoted(LOCK_TIMEOUT)),
        ("idle_in_transaction_session_timeout", quoted(IDLE_TIMEOUT)),
        ("plan_cache_mode", "force_generic_plan"),  # statements are few and the same: plan each once a connection
    ):
        await connection.execute(f"alter role {role} set {setting} = {value}")
