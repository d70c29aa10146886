"""Runs a service's own Alembic history: its own schema, its own role, one transaction."""

from typing import cast

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from quantmatrix.common.runtime.revisions import current_revision, known_revisions, migrations_folder


class SchemaTooNewError(RuntimeError):
    """The data were written by a newer QuantMatrix; going on would damage them."""


async def migrate(service: str, url: str) -> bool:
    """Bring a schema to this program's revision; returns whether anything was done.

    Raises SchemaTooNewError when the schema has a revision that this program does not know, TryLater when the database
    is away.
    """
    current, known = await current_revision(url), known_revisions(service)
    if current is not None and current not in known:
        raise SchemaTooNewError(f"the data of {service} are of revision {current}, which this program does not know; use the newer program")
    if current == known[-1]:
        return False
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: _upgrade(service, sync))
    finally:
        await engine.dispose()
    return True


def _upgrade(service: str, connection: Connection) -> None:
    """All scripts in one transaction, one migrator at a time: killed halfway, nothing has happened."""
    connection.execute(text("select pg_advisory_xact_lock(hashtext('migrate'), hashtext(current_schema()))"))
    config = Config()
    config.set_main_option("script_location", str(migrations_folder(service)).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script, fn=lambda revision, _: script._upgrade_revs("head", revision)) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def run_sql(script: str) -> None:
    """For migrations: run several statements as they stand."""
    driver = cast("asyncpg.Connection[asyncpg.Record]", op.get_bind().connection.driver_connection)
    await_only(driver.execute(script))
