"""A service's tables for one command: of what runs here, of outside servers, or of an embedded database started for the call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from quantmatrix.common.runtime.database import Own, connect
from quantmatrix.operations.commands.common import places, read_settings
from quantmatrix.operations.output import err
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.servers.postgres import PostgresServer
from quantmatrix.operations.settings import address_of
from quantmatrix.operations.supervisor import Plan, Supervisor


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
    supervisor = Supervisor(where, Plan(services=()), lambda text: err.print(text, style="dim"))
    await supervisor.start()
    try:
        yield supervisor.postgres.url(service)
    finally:
        await supervisor.stop()
