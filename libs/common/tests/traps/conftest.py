"""A speaker and a reader with nothing but the messaging tables, so that the runtime is looked at and no service."""

import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.process import StartProcess
from quantmatrix.common.testing.tiny import READER, READER_TABLES, SPEAKER, SPEAKER_TABLES
from quantmatrix.operations.bootstrap import make_roles
from quantmatrix.operations.testing import FreshDatabase, Servers

TEMPLATE = "tiny"
_numbers = itertools.count(1)


async def _make_template(servers: Servers) -> None:
    maintenance = await asyncpg.connect(servers.postgres.superuser_url("postgres"))
    try:
        await maintenance.execute(f"create database {TEMPLATE} template template0")
    finally:
        await maintenance.close()
    await make_roles(servers.postgres.superuser_url(TEMPLATE), servers.secrets.database)
    template = FreshDatabase(servers, TEMPLATE)
    for role, tables in ((SPEAKER, SPEAKER_TABLES), (READER, READER_TABLES)):
        connection = await asyncpg.connect(template.url(role))
        try:
            await connection.execute(tables)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def tiny_template(servers: Servers) -> str:
    servers.run(_make_template(servers))
    return TEMPLATE


@pytest.fixture
async def database(servers: Servers, tiny_template: str) -> AsyncIterator[FreshDatabase]:
    await servers.make_well()
    made = await FreshDatabase(servers, f"tiny_{next(_numbers)}").make(tiny_template)
    try:
        yield made
    finally:
        await servers.make_well()
        await made.drop()


@pytest.fixture
async def pair(database: FreshDatabase, ask: Ask, start_here: StartHere, start_process: StartProcess) -> Pair:
    return Pair(database, ask, start_here, start_process)
