"""qm report: gains, forms and performance as a file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quantmatrix.common.contracts.asking.performance import ReportAsked, ReportName, ReportPart
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.reports import whole_report
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json
from quantmatrix.operations.places import Places

DEADLINE_S = 30.0


class BasisBy(StrEnum):
    """Whose basis a form takes."""

    OWN = "own"
    BROKER = "broker"


class Law(StrEnum):
    """Whose law the gains follow."""

    US = "us"
    UK = "uk"


def report_command(
    name: Annotated[ReportName, typer.Argument(metavar="NAME", help="form_8949, form_8949_workbook, gains or performance.")],
    year: Annotated[int | None, typer.Option(min=1900, max=9999, help="Of the disposals; all without it.")] = None,
    account: Annotated[str | None, typer.Option(help="One account; all of them without it.")] = None,
    basis: Annotated[BasisBy, typer.Option(help="Of the forms: our own basis, or the one that statements print.")] = BasisBy.OWN,
    law: Annotated[Law, typer.Option(help="Of the gains.")] = Law.US,
    to: Annotated[Path | None, typer.Option(help="The file or folder to write; the folder of the command without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a report of the administrator's accounts as a file: Form 8949 as CSV or XLSX, gains under a law, a printable page."""
    asked = ReportAsked(
        user_id=FIRST_ADMINISTRATOR,
        name=name,
        account_id=AccountId(account) if account else None,
        year=year,
        jurisdiction=law.value,
        basis=basis.value,
    )
    part, body = run(_whole(places(as_json=as_json), asked, as_json=as_json), as_json=as_json)
    path = to / part.file_name if to is not None and to.is_dir() else to or Path(part.file_name)
    try:
        path.write_bytes(body)
    except OSError as error:
        fail(Exit.CONFIGURATION, f"--to: {path} cannot be written: {error.strerror}", as_json=as_json)
    if as_json:
        tell_json({"file": str(path), "bytes": len(body), "basis": basis.value})
    else:
        out.print(f"Written to {path}: {len(body):,} bytes", highlight=False)


async def _whole(where: Places, asked: ReportAsked, *, as_json: bool) -> tuple[ReportPart, bytes]:
    async with asking_services(where, as_json=as_json) as ask:
        return await whole_report(lambda one: ask("portfolio", one, deadline_s=DEADLINE_S), asked)
