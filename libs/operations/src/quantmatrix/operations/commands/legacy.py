"""qm migrate-legacy: take over the trades of an older system's database, with the proof that none is lost."""

from datetime import tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from quantmatrix.operations.commands.common import AsJson, places
from quantmatrix.operations.legacy import migrating
from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.reading import Choices, Unit
from quantmatrix.operations.output import Exit, err, fail, out, tell_json, tell_table

Url = Annotated[str, typer.Argument(metavar="URL", help="A SQLite file, or postgresql://user@host/database; it is only read.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the same report and write nothing.")]
Undo = Annotated[bool, typer.Option("--undo", help="Remove exactly what was made from this database.")]
Confirm = Annotated[bool, typer.Option("--confirm", help="Keep what was made: it cannot be undone any more.")]
Zone = Annotated[str, typer.Option("--zone", help="The zone of times that were stored without one, such as America/New_York.")]
UnsaidSize = Annotated[Unit | None, typer.Option("--unsaid-size", help="What a size counts where the database does not say.")]
LeaveOut = Annotated[list[str] | None, typer.Option("--leave-out", metavar="TABLE:ID", help="A row not to take over; may be repeated.")]


def migrate_legacy(
    url: Url,
    dry_run: DryRun = False,
    undo: Undo = False,
    confirm: Confirm = False,
    zone: Zone = "UTC",
    unsaid_size: UnsaidSize = None,
    leave_out: LeaveOut = None,
    as_json: AsJson = False,
) -> None:
    """Take over an older system's trades: back up, read, prove that none is lost, compare the figures, write what qm import reads."""
    if dry_run + undo + confirm > 1:
        fail(Exit.CONFIGURATION, "--dry-run, --undo and --confirm exclude one another", as_json=as_json)
    home = places(as_json=as_json).home
    choices = Choices(_zone(zone, as_json=as_json), unsaid_size, frozenset(leave_out or ()))
    try:
        if undo:
            _tell_undone(migrating.undo(url, home), as_json=as_json)
        elif confirm:
            migrating.confirm(url, home)
            _tell_confirmed(as_json=as_json)
        else:
            _tell(migrating.migrate_legacy(url, home, choices, dry_run=dry_run), dry_run=dry_run, as_json=as_json)
    except LegacyError as error:
        fail(Exit.ERROR, str(error), as_json=as_json)


def _zone(name: str, *, as_json: bool) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fail(Exit.CONFIGURATION, f"--zone: there is no time zone called {name}", as_json=as_json)


def _tell_undone(removed: list[str], *, as_json: bool) -> None:
    if as_json:
        tell_json({"removed": removed})
    else:
        out.print(f"Removed: {', '.join(removed)}", highlight=False)


def _tell_confirmed(*, as_json: bool) -> None:
    if as_json:
        tell_json({"confirmed": True})
    else:
        out.print("Confirmed: it is kept for good.", highlight=False)


def _tell(outcome: migrating.Outcome, *, dry_run: bool, as_json: bool) -> None:
    report = outcome.report
    if as_json:
        tell_json({"dry_run": dry_run, "wrote": outcome.wrote, "folder": str(outcome.folder), "files": outcome.files, "report": report})
    else:
        _show(report)
        _say(outcome, dry_run=dry_run)
    if report["refused"]:
        raise typer.Exit(Exit.ERROR)


def _say(outcome: migrating.Outcome, *, dry_run: bool) -> None:
    refused = outcome.report["refused"]
    if refused:
        for sentence in refused[:20]:
            err.print(sentence, highlight=False, markup=False)
        err.print(f"Not finished: {len(refused)} rows or figures stand in the way, nothing was written.", highlight=False)
    elif outcome.wrote:
        out.print(f"Written to {outcome.folder}: {', '.join(outcome.files)}", highlight=False)
        out.print("Book it with qm import; take it back with --undo, keep it with --confirm.", highlight=False)
    elif dry_run:
        out.print("A dry run: nothing was written.", highlight=False)
    else:
        out.print(f"Taken over before, unchanged since: {outcome.folder}", highlight=False)


def _show(report: dict[str, Any]) -> None:
    columns = ("table", "rows", "migrated", "kept", "blocked", "why")
    rows = [tuple(one.get(name, "") for name in columns) for one in report["tables"]]
    tell_table(f"{report['kind']}: {report['source']}", columns, rows, right=columns[1:5])
    figures = ("quantity", "realised", "open_cost")
    lines: list[tuple[object, ...]] = []
    for one in report["instruments"]:
        name = (one["account"], one["symbol"])
        lines.append((*name, "before", *(one["before"][figure] for figure in figures)))
        lines += [("", "", step["cause"], *(step[figure] for figure in figures)) for step in one["differences"]]
        lines.append(("", "", "after", *(one["after"][figure] for figure in figures)))
        if one["pending"]["quantity"] != "0":
            lines.append(
                ("", "", f"pending: {one['pending']['quantity']} sold at unknown cost, for {one['pending']['proceeds']}", "", "", "")
            )
    tell_table("Figures, first in first out after", ("account", "symbol", "", *figures), lines, right=figures)
    for one in report["accounts"]:
        out.print(
            f"{one['account']}: stored gain {one['stored']}, from its own rows {one['own_rows']}, after {one['after']}", highlight=False
        )
    for one in report["notes"]:
        out.print(f"· {one['what']}: {one['count']} ({', '.join(one['rows'][:3])}{', …' if one['count'] > 3 else ''})", highlight=False)
    _show_times(report["times"])


def _show_times(times: dict[str, Any]) -> None:
    if times["without_zone"]:
        out.print(f"· {times['without_zone']} times were stored without a zone and taken as {times['taken_as']}", highlight=False)
    for one in times["away_from_the_exchange"]:
        out.print(f"· {one['orders']} orders are {one['by']} away from the exchange's own times: try another --zone", highlight=False)
