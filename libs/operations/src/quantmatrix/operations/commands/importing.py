"""qm import: read brokers' statements, hold them against their own figures, and say what each one brings."""

import json
from pathlib import Path
from typing import Annotated

import typer

from quantmatrix.operations.commands.common import AsJson
from quantmatrix.operations.output import Exit, err, fail, tell_table
from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importing import BODY_BYTES_MAX, File, Status, check_files

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Statements and exports of brokers; the kind is recognised.")]
Into = Annotated[str | None, typer.Option("--account", help="The account they belong to; a statement about another one is refused.")]


def import_command(files: Files, account: Into = None, as_json: AsJson = False) -> None:
    """Check brokers' statements: rows, identities, printed basis. With --json one object a line, in the order of the files."""
    given = [_read(path, as_json=as_json) for path in files]
    checked = check_files(given, account)
    said = [told(one) for one in checked]
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


def _show(said: list[ImportTold]) -> None:
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
