"""Work on the services' schemas from outside: migrating them, and forgetting a paper replay."""

import asyncio
import json
import sys
from collections.abc import Callable

import asyncpg

from quantmatrix.common.runtime.revisions import current_revision, known_revisions
from quantmatrix.operations.places import SetUpError

MIGRATE_TIMEOUT_S = 120.0
_LEDGER_SCHEMAS = ("market", "signals", "execution", "paper", "portfolio", "notify", "gateway")
_ALWAYS_KEPT = ("alembic_version", "lease", "runs_version")
_PEOPLE = ("users", "session", "audit")
"""The gateway's tables that have nothing to do with the paper ledger."""
_STATEMENTS = ("statement_import", "statement_entry", "statement_unread")
"""Portfolio's tables of imported statements, which no replay makes again."""
_CHOICES = ("tax_choice", "sector_choice")
"""What people said of their accounts and instruments in portfolio."""
_BACKTESTS = ("backtest", "backtest_table", "backtest_part", "backtest_data")
"""Signals' tables of stored backtests: they belong to no ledger."""


async def migrate_if_behind(urls: dict[str, str], say: Callable[[str], None]) -> list[str]:
    """Bring the schemas that are behind to this program's revision, in a process of its own. Returns their services.

    Raises SetUpError when data were written by a newer program, or a migration fails; then nothing was changed.
    """
    behind = {service: url for service, url in urls.items() if await current_revision(url) != known_revisions(service)[-1]}
    if not behind:
        return []
    say(f"preparing the tables of {', '.join(behind)}")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quantmatrix.operations.migrating",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(MIGRATE_TIMEOUT_S):
        _, errors = await process.communicate(json.dumps(behind).encode())
    if process.returncode:
        raise SetUpError(errors.decode(errors="replace").strip().splitlines()[-1])
    return list(behind)


async def forget_replay(superuser_url: str) -> None:
    """Empty every table of the paper ledger, in one transaction. Raises SetUpError when an account is not a paper one."""
    connection = await asyncpg.connect(superuser_url, timeout=5)
    try:
        async with connection.transaction():
            await _refuse_unless_paper(connection)
            rows = await connection.fetch(
                "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1) and not tablename = any($2)",
                list(_LEDGER_SCHEMAS),
                [*_ALWAYS_KEPT, *_PEOPLE, *_STATEMENTS, *_CHOICES, *_BACKTESTS],
            )
            if rows:
                await connection.execute(f"truncate {', '.join(row['name'] for row in rows)} restart identity cascade")
    finally:
        await connection.close()


async def refuse_unless_paper(superuser_url: str) -> None:
    """Raises SetUpError when there is an account that is not a paper account."""
    connection = await asyncpg.connect(superuser_url, timeout=5)
    try:
        await _refuse_unless_paper(connection)
    finally:
        await connection.close()


async def _refuse_unless_paper(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    if await connection.fetchval("select exists (select from execution.account where not paper)"):
        raise SetUpError("there is an account that is not a paper account here; its ledger is never forgotten")
