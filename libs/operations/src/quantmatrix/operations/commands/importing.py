"""qm import: read brokers' statements, hold them against their own figures, book what they bring, and say what came of each."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import TOKEN
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.commands.database import tables_of
from quantmatrix.operations.output import Exit, err, fail, tell_table
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.import_report import DifferenceTold, ImportTold, State, told
from quantmatrix.portfolio.importing import BODY_BYTES_MAX, File, Reading, addressed, check_read, read_files
from quantmatrix.portfolio.statement_imports import Wish, import_read
from quantmatrix.portfolio.statement_store import StatementStore

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Statements and exports of brokers; the kind is recognised.")]
Into = Annotated[str | None, typer.Option("--account", help="The account they belong to; a statement about another one is refused.")]
Since = Annotated[
    list[str] | None, typer.Option("--since", metavar="[FILE=]DAY", help="Book nothing before this day, of one file or of all; repeatable.")
]
Taxed = Annotated[
    list[str] | None,
    typer.Option(
        "--treatment", metavar="[FILE=]HOW", help="How gains are taxed, of one file's account or of all: taxable, tax-deferred; repeatable."
    ),
]
Choice = TypeVar("Choice")
OnlyCheck = Annotated[bool, typer.Option("--check", help="Check the files and book nothing; needs no database.")]


def import_command(
    files: Files, account: Into = None, since: Since = None, treatment: Taxed = None, check: OnlyCheck = False, as_json: AsJson = False
) -> None:
    """Book brokers' statements: rows, identities, printed basis, ends. With --json one object a line, in the order of the files."""
    _refuse_name(account, as_json=as_json)
    days = _choices("--since", since, files, _day, as_json=as_json)
    taxed = _choices("--treatment", treatment, files, lambda text: Treatment(text).value, as_json=as_json)
    reading = read_files([_read(path, days.get(path.name), taxed.get(path.name), as_json=as_json) for path in files])
    if check or not reading.statements:
        said = [told(one) for one in check_read(addressed(reading, account, days.get("")))]
    else:
        wish = Wish(FIRST_ADMINISTRATOR, account, days.get(""), taxed.get(""))
        said = run(_booked(reading, wish, as_json=as_json), as_json=as_json)
    if as_json:
        for one in said:
            print(json.dumps(one))  # noqa: T201 - the answer of the command
    else:
        _show(said)
    if any(one["state"] == State.FAILED for one in said):
        raise typer.Exit(Exit.ERROR)


def _refuse_name(account: str | None, *, as_json: bool) -> None:
    if account is not None and not re.match(TOKEN, account):
        fail(Exit.CONFIGURATION, "--account: a name has 1 to 40 letters, digits, '_' or '-'", as_json=as_json)


def _choices(
    option: str, given: Sequence[str] | None, files: Sequence[Path], read: Callable[[str], Choice], *, as_json: bool
) -> dict[str, Choice]:
    """What was chosen by file name, and under no name for all others."""
    names = {path.name for path in files}
    found: dict[str, Choice] = {}
    for text in given or ():
        name, _, value = text.rpartition("=")
        about = Path(name).name
        if about and about not in names:
            fail(Exit.CONFIGURATION, f"{option}: no file {about} is given; write {option} FILE={value}", as_json=as_json)
        try:
            found[about] = read(value)
        except ValueError:
            fail(Exit.CONFIGURATION, f"{option}: {value!r} is not one of its values; see qm import --help", as_json=as_json)
    return found


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone


def _read(path: Path, since: date | None, treatment: str | None, *, as_json: bool) -> File:
    """A file within the limit; one byte more than it is enough to refuse a larger one."""
    try:
        with path.open("rb") as file:
            return File(path.name, file.read(BODY_BYTES_MAX + 1), since, treatment)
    except OSError as error:
        fail(Exit.NOT_FOUND, f"{path} cannot be read: {error.strerror}", as_json=as_json)


async def _booked(reading: Reading, wish: Wish, *, as_json: bool) -> list[ImportTold]:
    """Book the files one after the other, each in a transaction of its own; counts are then those of what was new."""

    def tell(name: str, state: State) -> None:
        if not as_json and len(reading.files) > 1:
            err.print(f"{name}: {state.value}", style="dim", highlight=False, markup=False)

    async with tables_of("portfolio", as_json=as_json) as connection:
        return await import_read(reading, wish, connection, SystemClock().now(), tell)


@asynccontextmanager
async def kept_statements(*, as_json: bool) -> AsyncIterator[StatementStore]:
    """Portfolio's tables of statements. Raises SetUpError when they cannot be reached, or are not there yet."""
    async with tables_of("portfolio", as_json=as_json) as connection:
        yield StatementStore(connection)


def _show(said: Sequence[ImportTold]) -> None:
    numbers = ("rows", "booked", "ignored", "not understood", "identities", "explained", "closings", "positions", "cash")
    tell_table("Statements", ("file", "kind", "period", *numbers, "status"), [_row(one) for one in said], right=numbers)
    for one in said:
        if one["why"]:
            err.print(f"{one['file']}: {one['why']}", highlight=False, markup=False)
        for about, differences in _differences(one):
            for found in differences:
                err.print(f"{one['file']}: {about}: {_said(found)}", style="dim", highlight=False, markup=False)


def _differences(one: ImportTold) -> list[tuple[str, list[DifferenceTold]]]:
    """Everything that differs in a file, by what was compared."""
    identities = [(name, identity["differences"]) for name, identity in one["identities"].items()]
    ends = [(name, one[name]["differences"]) for name in ("positions", "cash", "totals")]
    return [*identities, ("closings", one["closings"]), *ends]


def _said(found: DifferenceTold) -> str:
    line = f"line {found['line']}, " if found["line"] else ""
    why = found["cause"] or found["note"] or "no cause is known"
    return f"{line}{found['about']}: printed {found['printed']}, expected {found['expected']} ({why})"


def _row(one: ImportTold) -> tuple[object, ...]:
    period = one["period"]
    held = sum(identity["equal"] for identity in one["identities"].values())
    looked = sum(identity["checked"] for identity in one["identities"].values())
    explained = sum(found["cause"] is not None for identity in one["identities"].values() for found in identity["differences"])
    return (
        one["file"], one["kind"], f"{period['first']} – {period['last']}" if period else "", one["rows"], one["booked"], one["ignored"],
        one["not_understood"], f"{held}/{looked}", explained, f"{one['closings_equal']}/{one['closings_checked']}",
        f"{one['positions']['equal']}/{one['positions']['checked']}", f"{one['cash']['equal']}/{one['cash']['checked']}", one["status"],
    )  # fmt: skip
