"""Migrations: run once, all or nothing, and never backwards over data of a newer program."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from quantmatrix.common.runtime import migrations, revisions
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.runtime.migrations import SchemaTooNewError, migrate
from quantmatrix.common.runtime.revisions import current_revision, known_revisions, migrations_folder
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase, Servers, services_here

FIRST = """
from quantmatrix.common.runtime.migrations import run_sql
revision, down_revision = "0001", None
def upgrade():
    run_sql("create table first (a int); create table second (b text default 'a;b')")
"""
SECOND = """
from quantmatrix.common.runtime.migrations import run_sql
revision, down_revision = "0002", "0001"
def upgrade():
    run_sql("alter table first add column c int; insert into first values (1, 2)")
"""
BROKEN = """
from quantmatrix.common.runtime.migrations import run_sql
revision, down_revision = "0003", "0002"
def upgrade():
    run_sql("create table third (a int); insert into third values ('no number')")
"""

WAITING = """
from quantmatrix.common.runtime.migrations import run_sql
revision, down_revision = "0003", "0002"
def upgrade():
    run_sql("select pg_advisory_xact_lock(42); update first set a = a + 1")
"""
PROGRAM = """
import asyncio, sys
from pathlib import Path
from quantmatrix.common.runtime import migrations, revisions
migrations.migrations_folder = revisions.migrations_folder = lambda _: Path(sys.argv[1])
asyncio.run(migrations.migrate("gateway", sys.argv[2]))
"""


class Scripts:
    """A service's folder of migrations, in the test's own place, over an empty schema."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._versions = folder / "versions"
        self._versions.mkdir()
        self.url = url

    def add(self, **scripts: str) -> None:
        for name, text in scripts.items():
            (self._versions / f"{name.removeprefix('r')}_step.py").write_text(text, encoding="utf-8")

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()


@pytest.fixture
async def scripts(database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("drop schema gateway cascade; create schema gateway authorization qm_gateway")
    await connection.close()
    monkeypatch.setattr(revisions, "migrations_folder", lambda _: tmp_path)
    monkeypatch.setattr(migrations, "migrations_folder", lambda _: tmp_path)
    return Scripts(tmp_path, database.url("gateway"))


async def test_every_step_is_run_once_in_order(scripts: Scripts) -> None:
    scripts.add(r0001=FIRST)
    assert await current_revision(scripts.url) is None
    assert await migrate("gateway", scripts.url)
    assert not await migrate("gateway", scripts.url)
    scripts.add(r0002=SECOND)
    assert await migrate("gateway", scripts.url)

    assert await current_revision(scripts.url) == "0002"
    assert [tuple(row) for row in await scripts.fetch("select * from first")] == [(1, 2)]


async def test_data_of_a_newer_program_are_refused_and_left_alone(scripts: Scripts) -> None:
    scripts.add(r0001=FIRST)
    await migrate("gateway", scripts.url)
    await scripts.fetch("update alembic_version set version_num = '0099'")

    with pytest.raises(SchemaTooNewError, match="the data of gateway are of revision 0099, which this program does not know"):
        await migrate("gateway", scripts.url)

    assert await current_revision(scripts.url) == "0099"


async def test_a_migration_that_fails_halfway_has_changed_nothing(scripts: Scripts) -> None:
    scripts.add(r0001=FIRST, r0002=SECOND, r0003=BROKEN)

    with pytest.raises(Exception, match="invalid input syntax"):
        await migrate("gateway", scripts.url)

    assert await current_revision(scripts.url) is None
    assert await scripts.fetch("select * from pg_tables where schemaname = 'gateway'") == []


async def test_a_migration_killed_halfway_has_changed_nothing_and_begins_again(scripts: Scripts) -> None:
    scripts.add(r0001=FIRST, r0002=SECOND, r0003=WAITING)
    holder = await asyncpg.connect(scripts.url)
    await holder.execute("select pg_advisory_lock(42)")
    migrator = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(scripts.folder), scripts.url)

    async def halfway() -> bool:
        """Two steps are made, and the third waits for us."""
        return bool((await scripts.fetch("select exists (select from pg_locks where locktype = 'advisory' and not granted)"))[0][0])

    await wait_until(halfway, "it is in the middle", within_s=30)
    migrator.kill()
    await migrator.wait()
    assert await current_revision(scripts.url) is None
    await holder.close()

    assert await migrate("gateway", scripts.url)
    assert await current_revision(scripts.url) == "0003"
    assert [tuple(row) for row in await scripts.fetch("select * from first")] == [(2, 2)]


async def test_two_migrators_at_once_do_the_work_once(scripts: Scripts) -> None:
    scripts.add(r0001=FIRST, r0002=SECOND)

    await asyncio.gather(*(migrate("gateway", scripts.url) for _ in range(3)))

    assert await current_revision(scripts.url) == "0002"
    assert len(await scripts.fetch("select * from first")) == 1


async def test_a_database_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(TryLater):
        await current_revision(f"postgresql://nobody@/nothing?host={tmp_path}")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_migrations_are_one_chain_named_after_their_revisions(service: str) -> None:
    if service not in services_here():
        pytest.skip(f"{service} cannot be run yet")
    before = None
    for revision in known_revisions(service):
        [file] = (migrations_folder(service) / "versions").glob(f"{revision}_*.py")
        text = file.read_text(encoding="utf-8")
        assert f'revision = "{revision}"' in text
        assert f"down_revision = {before!r}".replace("'", '"') in text
        before = revision


async def test_every_schema_was_migrated_to_its_last_revision(database: FreshDatabase, servers: Servers) -> None:
    for service in services_here():
        assert await current_revision(database.url(service)) == known_revisions(service)[-1]
        assert not await migrate(service, database.url(service))
