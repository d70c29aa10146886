"""Files into the ledger: checked together, each against the one before it, also where that was booked earlier, then booked one by one."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.portfolio.import_report import ImportTold, State
from quantmatrix.portfolio.importing import File, Reading, addressed, check_read, read_files
from quantmatrix.portfolio.statement_chain import stored_beside
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.statement_store import Options, StatementStore

Progress = Callable[[str, State], None]
"""Told of each file by name when its state changes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says with files: whose they are, and, of those that say nothing themselves, from which day on and how gains are taxed."""

    user_id: UserId
    account: str | None = None
    since: date | None = None
    treatment: str | None = None


def _silently(name: str, state: State) -> None:
    """Nobody watches."""


async def import_files(
    files: Sequence[File], wish: Wish, connection: Connection, at: datetime, progress: Progress = _silently
) -> list[ImportTold]:
    """Check and book files; what came of each, in the order given. Every file is a transaction of its own."""
    for file in files:
        progress(file.name, State.PENDING)
    return await import_read(await asyncio.to_thread(read_files, files), wish, connection, at, progress)


async def import_read(
    reading: Reading, wish: Wish, connection: Connection, at: datetime, progress: Progress = _silently
) -> list[ImportTold]:
    """The same for files that were read already."""
    number = wish.account
    if number is not None:
        number = await StatementLedger(connection).number_of(wish.user_id, number)
    named = await asyncio.to_thread(addressed, reading, number, wish.since)
    stored = await stored_beside(named.statements.values(), wish.user_id, connection)
    checked = await asyncio.to_thread(check_read, named, stored)
    store, found = StatementStore(connection), []
    for one in checked:
        progress(one.file.name, State.PROCESSING)
        kept = await store.keep(one, wish.user_id, at, Options(wish.account, one.file.treatment or wish.treatment))
        progress(one.file.name, State(kept.report["state"]))
        found.append(kept.report)
    return found
