"""qm import: read brokers' statements, hold them against their own figures, say what each one brings, and keep it on request."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.commands.database import tables_of
from quantmatrix.operations.output import Exit, err, fail, tell_table
from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importing import BODY_BYTES_MAX, Checked, File, Status, check_files
from quantmatrix.portfolio.statement_store import StatementStore

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Statements and exports of brokers; the kind is recognised.")]
Into = Annotated[str | None, typer.Option("--account", help="The account they belong to; a statement about another one is refused.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep what they bring. The embedded database is started for it when nothing runs.")]


def import_command(files: Files, account: Into = None, keep: Keep = False, as_json: AsJson = False) -> None:
    """Check brokers' statements: rows, identities, printed basis. With --json one object a line, in the order of the files."""
    given = [_read(path, as_json=as_json) for path in files]
    checked = check_files(given, account)
    said = run(_kept(checked, as_json=as_json), as_json=as_json) if keep else [told(one) for one in checked]
    if as_json:
        for one in said:
            print(json.dumps(one))  # noqa: T201 - the answer of the command
    else:
        _show(said)
    if any(one.status is Status.REJECTED for one in checked):
        raise typer.Exit(Exit.ERROR)


def _read(path: Path, *, as_json: bool) -> File:
    """A file within the limit; one byte more than it is enough to refuse a larger one."""
    try:
        with path.open("rb") as file:
            return File(path.name, file.read(BODY_BYTES_MAX + 1))
    except OSError as error:
        fail(Exit.NOT_FOUND, f"{path} cannot be read: {error.strerror}", as_json=as_json)


async def _kept(checked: Sequence[Checked], *, as_json: bool) -> list[ImportTold]:
    """Keep the files one after the other, each in a transaction of its own; counts are then those of what was new."""
    clock = SystemClock()
    async with kept_statements(as_json=as_json) as store:
        return [(await store.keep(one, FIRST_ADMINISTRATOR, clock.now())).report for one in checked]


@asynccontextmanager
async def kept_statements(*, as_json: bool) -> AsyncIterator[StatementStore]:
    """Portfolio's tables of statements. Raises SetUpError when they cannot be reached, or are not there yet."""
    async with tables_of("portfolio", as_json=as_json) as connection:
        yield StatementStore(connection)


def _show(said: Sequence[ImportTold]) -> None:
    columns = ("file", "kind", "period", "rows", "booked", "ignored", "not understood", "identities", "closings", "status")
    numbers = ("rows", "booked", "ignored", "not understood", "identities", "closings")
    tell_table("Statements", columns, [_row(one) for one in said], right=numbers)
    for one in said:
        if one["why"]:
            err.print(f"{one['file']}: {one['why']}", highlight=False, markup=False)


def _row(one: ImportTold) -> tuple[object, ...]:
    period = one["period"]
    held = sum(identity["equal"] for identity in one["identities"].values())
    looked = sum(identity["checked"] for identity in one["identities"].values())
    return (
        one["file"], one["kind"], f"{period['first']} – {period['last']}" if period else "", one["rows"], one["booked"], one["ignored"],
        one["not_understood"], f"{held}/{looked}", f"{one['closings_equal']}/{one['closings_checked']}", one["status"],
    )  # fmt: skip
