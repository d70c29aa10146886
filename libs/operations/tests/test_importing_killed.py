"""qm import killed in its middle with SIGKILL: nothing is booked, and the same call books everything afterwards."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
from services.portfolio.tests.importers.whole_samples import WHOLE

from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor
from quantmatrix.operations.testing import Prepared

MADE = ("statement_import", "statement_entry", "account", "lot", "closing", "cash_entry", "cash", "position")
WAITING = """create function wait() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(42); return new; end';
             create trigger wait before insert on cash for each row execute function wait()"""
"""Whoever fills the last table of an import waits for whoever holds the lock."""


async def importing(folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quantmatrix.operations", "import", "whole.csv", "--json", cwd=folder,
        env=dict(os.environ) | {"QM_HOME": str(folder / "home")}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_nothing_is_booked_of_an_import_that_was_killed_and_all_of_it_by_the_next(tmp_path: Path, prepared: Prepared) -> None:
    (tmp_path / "whole.csv").write_text(WHOLE, encoding="utf-8")
    supervisor = Supervisor(Places(prepared.copy_to(tmp_path / "home")), Plan(services=()))
    await supervisor.start()
    try:
        holder = await asyncpg.connect(supervisor.postgres.url("portfolio"))
        looker = await asyncpg.connect(supervisor.postgres.url("portfolio"))

        async def is_waiting() -> bool:
            return bool(await looker.fetchval("select count(*) from pg_locks where not granted and locktype = 'advisory'"))

        async def is_gone() -> bool:
            return await looker.fetchval("select count(*) from pg_stat_activity where usename = current_user and pid <> all($1)", own) == 0

        await looker.execute(WAITING)
        own = [holder.get_server_pid(), looker.get_server_pid()]
        async with holder.transaction():
            await holder.execute("select pg_advisory_xact_lock(42)")
            process = await importing(tmp_path)
            await wait_until(is_waiting, "the import waits in its last table")
            process.kill()
            await process.wait()
        await wait_until(is_gone, "the server has noticed that the import is dead")
        left = {name: await looker.fetchval(f"select count(*) from {name}") for name in MADE}
        again = await importing(tmp_path)
        said, errors = await again.communicate()
        booked = {name: await looker.fetchval(f"select count(*) from {name}") for name in MADE}
        await holder.close()
        await looker.close()
    finally:
        await supervisor.stop()

    assert process.returncode == -9
    assert left == dict.fromkeys(MADE, 0)
    assert again.returncode == 0, errors
    assert b'"status": "reconciled"' in said
    assert all(booked.values())
