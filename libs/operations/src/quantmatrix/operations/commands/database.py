"""A service's tables for one command: of what runs here, of outside servers, or of an embedded database started for the call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from quantmatrix.common.runtime.database import Own, connect
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.bootstrap import make_database, make_roles
from quantmatrix.operations.commands.common import places, read_settings
from quantmatrix.operations.output import err
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.schemas import migrate_if_behind
from quantmatrix.operations.servers.postgres import PostgresServer
from quantmatrix.operations.settings import address_of

STOP_SERVER_S = 10.0


@asynccontextmanager
async def tables_of(service: str, *, as_json: bool) -> AsyncIterator[Own]:
    """A connection to a service's schema. Raises SetUpError when it cannot be reached, or its tables are not there yet."""
    outside = bool(read_settings(as_json=as_json).nats_operator_password.get_secret_value())
    async with _database(service, places(as_json=as_json), outside=outside) as address:
        try:
            connection = await connect(address, service=service)
        except (OSError, asyncpg.PostgresError) as error:
            raise SetUpError(f"{service}'s database cannot be reached: {error}") from error
        try:
            yield connection
        except asyncpg.UndefinedTableError as error:
            raise SetUpError(f"{service}'s tables are older than this program; restart the installation, or run 'qm migrate'") from error
        finally:
            await connection.close()


@asynccontextmanager
async def _database(service: str, where: Places, *, outside: bool) -> AsyncIterator[str]:
    """The address of the service's schema."""
    if outside:
        yield address_of(service)
        return
    if where.is_running():
        yield PostgresServer(where, where.secrets()).url(service)
        return
    async with _started(where) as server:
        yield server.url(service)


@asynccontextmanager
async def _started(where: Places) -> AsyncIterator[PostgresServer]:
    """The embedded database by itself, until the block ends: no service runs that would need the bus."""
    secrets = where.open()
    server = PostgresServer(where, secrets)
    try:
        if not server.initialised:
            _say("creating the database")
        await server.initialise()
        _say("starting PostgreSQL")
        await server.start()
        await make_database(server.superuser_url("postgres"))
        await make_roles(server.superuser_url(), secrets.database)
        await migrate_if_behind({service: server.url(service) for service in SERVICES}, _say)
        yield server
    finally:
        await server.child.stop(STOP_SERVER_S)
        where.close()


def _say(text: str) -> None:
    err.print(text, style="dim")
