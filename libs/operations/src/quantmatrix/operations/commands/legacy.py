"""qm migrate-legacy: take over the trades of an older system's database, with the proof that none is lost."""

from datetime import tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.commands.common import AsJson, places, read_settings, run
from quantmatrix.operations.commands.importing import kept_statements
from quantmatrix.operations.legacy import migrating
from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.reading import Choices, Unit
from quantmatrix.operations.legacy.statement import STATEMENT
from quantmatrix.operations.output import Exit, err, fail, out, tell_json, tell_table
from quantmatrix.portfolio.importing import File, check_files

Url = Annotated[str, typer.Argument(metavar="URL", help="A SQLite file, or postgresql://user@host/database; it is only read.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the same report and write nothing.")]
Keep = Annotated[bool, typer.Option("--keep", help="Book it at once, as qm import does with the files.")]
Undo = Annotated[bool, typer.Option("--undo", help="Remove exactly what was made from this database.")]
Confirm = Annotated[bool, typer.Option("--confirm", help="Keep what was made: it cannot be undone any more.")]
Zone = Annotated[str, typer.Option("--zone", help="The zone of times that were stored without one, such as America/New_York.")]
UnsaidSize = Annotated[Unit | None, typer.Option("--unsaid-size", help="What a size counts where the database does not say.")]
LeaveOut = Annotated[list[str] | None, typer.Option("--leave-out", metavar="TABLE:ID", help="A row not to take over; may be repeated.")]


def migrate_legacy(
    url: Url,
    dry_run: DryRun = False,
    keep: Keep = False,
    undo: Undo = False,
    confirm: Confirm = False,
    zone: Zone = "UTC",
    unsaid_size: UnsaidSize = None,
    leave_out: LeaveOut = None,
    as_json: AsJson = False,
) -> None:
    """Take over an older system's trades: back up, read, prove that none is lost, compare the figures, write what qm import reads."""
    if dry_run + keep + undo + confirm > 1:
        fail(Exit.CONFIGURATION, "--dry-run, --keep, --undo and --confirm exclude one another", as_json=as_json)
    home = places(as_json=as_json).home
    choices = Choices(_zone(zone, as_json=as_json), unsaid_size, frozenset(leave_out or ()))
    try:
        if undo:
            forgotten = _forget(migrating.imports_of(url, home), as_json=as_json)
            _tell_undone(migrating.undo(url, home), forgotten, as_json=as_json)
        elif confirm:
            migrating.confirm(url, home)
            _tell_confirmed(as_json=as_json)
        else:
            outcome = migrating.migrate_legacy(url, home, choices, dry_run=dry_run)
            booked = _book(outcome, as_json=as_json) if keep and not outcome.report["refused"] else None
            _tell(outcome, booked, dry_run=dry_run, as_json=as_json)
    except LegacyError as error:
        fail(Exit.ERROR, str(error), as_json=as_json)


def _zone(name: str, *, as_json: bool) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fail(Exit.CONFIGURATION, f"--zone: there is no time zone called {name}", as_json=as_json)


def _book(outcome: migrating.Outcome, *, as_json: bool) -> int:
    """Keep the written files in portfolio's tables; how many rows were new."""
    paths = [outcome.folder / name for name in outcome.files if name.endswith(STATEMENT)]
    given = check_files([File(path.name, path.read_bytes()) for path in paths])

    async def keep() -> int:
        clock = SystemClock()
        async with kept_statements(as_json=as_json) as store:
            return sum([(await store.keep(one, FIRST_ADMINISTRATOR, clock.now())).report["booked"] for one in given])

    return run(keep(), as_json=as_json)


def _forget(digests: list[str], *, as_json: bool) -> int:
    """Take back what portfolio's tables kept of these files; how many it were. Where there are no tables there is nothing."""
    outside = bool(read_settings(as_json=as_json).nats_operator_password.get_secret_value())
    if not outside and not places(as_json=as_json).postgres.exists():
        return 0

    async def forget() -> int:
        async with kept_statements(as_json=as_json) as store:
            return await store.forget(FIRST_ADMINISTRATOR, digests)

    return run(forget(), as_json=as_json)


def _tell_undone(removed: list[str], forgotten: int, *, as_json: bool) -> None:
    if as_json:
        tell_json({"removed": removed, "imports_forgotten": forgotten})
    else:
        out.print(f"Removed: {', '.join(removed)}; {forgotten} of the files had been booked and are not any more", highlight=False)


def _tell_confirmed(*, as_json: bool) -> None:
    if as_json:
        tell_json({"confirmed": True})
    else:
        out.print("Confirmed: it is kept for good.", highlight=False)


def _tell(outcome: migrating.Outcome, booked: int | None, *, dry_run: bool, as_json: bool) -> None:
    report = outcome.report
    if as_json:
        done = {"dry_run": dry_run, "wrote": outcome.wrote, "booked": booked, "folder": str(outcome.folder), "files": outcome.files}
        tell_json({**done, "report": report})
    else:
        _show(report)
        _say(outcome, dry_run=dry_run)
    if booked is not None and not as_json:
        out.print(f"Booked: {booked} rows that were not booked before", highlight=False)
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
        out.print("Book it with --keep; take it back with --undo, make it final with --confirm.", highlight=False)
    elif dry_run:
        out.print("A dry run: nothing was written.", highlight=False)
    else:
        out.print(f"Taken over before, unchanged since: {outcome.folder}", highlight=False)


def _show(report: dict[str, Any]) -> None:
    columns = ("table", "rows", "migrated", "kept", "blocked", "why")
    rows = [tuple(one.get(name, "") for name in columns) for one in report["tables"]]
    tell_table(f"{report['kind']}: {report['source']}", columns, rows, right=columns[1:5])
    for one in report["instruments"]:
        _show_instrument(one)
    for one in report["accounts"]:
        out.print(
            f"{one['account']}: stored gain {one['stored']}, from its own rows {one['own_rows']}, after {one['after']}", highlight=False
        )
    for one in report["held_otherwise"]:
        out.print(f"· {one['symbol']} in {one['account']}: held there {one['there']}, the trades give {one['here']}", highlight=False)
    for one in report["notes"]:
        out.print(f"· {one['what']}: {one['count']} ({', '.join(one['rows'][:3])}{', …' if one['count'] > 3 else ''})", highlight=False)
    _show_times(report["times"])


def _show_instrument(one: dict[str, Any]) -> None:
    """Before, what lies between, after: three figures, column by column a sum."""
    figures = ("quantity", "realised", "open_cost")
    lines = [("before", *(one["before"][figure] for figure in figures))]
    lines += [(step["cause"], *(step[figure] for figure in figures)) for step in one["differences"]]
    lines.append(("after", *(one["after"][figure] for figure in figures)))
    tell_table(f"{one['symbol']} in {one['account']}, {one['currency']}", ("", *figures), lines, right=figures)
    if one["pending"]["quantity"] != "0":
        out.print(f"pending: {one['pending']['quantity']} sold at unknown cost, for {one['pending']['proceeds']}", highlight=False)


def _show_times(times: dict[str, Any]) -> None:
    if times["without_zone"]:
        out.print(f"· {times['without_zone']} times were stored without a zone and taken as {times['taken_as']}", highlight=False)
    for one in times["away_from_the_exchange"]:
        out.print(f"· {one['orders']} orders are {one['by']} away from the exchange's own times: try another --zone", highlight=False)
