"""The migration from end to end: read, prove, compare, report; and only then write."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import localcontext
from pathlib import Path
from typing import Any

from quantmatrix.operations.legacy.books import openings_of
from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.comparing import DIGITS, compare, compare_accounts
from quantmatrix.operations.legacy.crypto import read_crypto, zone_doubts
from quantmatrix.operations.legacy.found import Found
from quantmatrix.operations.legacy.layout import Kind
from quantmatrix.operations.legacy.postgres import read_postgres
from quantmatrix.operations.legacy.proofs import refusals
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.report import Report, orders_of, report_of
from quantmatrix.operations.legacy.source import Address, Snapshot, address_of
from quantmatrix.operations.legacy.sqlite import read_sqlite
from quantmatrix.operations.legacy.statement import STATEMENT, statements_of
from quantmatrix.operations.legacy.stocks import read_stocks
from quantmatrix.operations.legacy.storing import Folder, folder_of

BACKUPS = {False: "backup.sqlite", True: "backup.jsonl"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, the folder, and whether something was written into it now."""

    report: Report
    folder: Path
    wrote: bool
    files: tuple[str, ...]


def migrate_legacy(url: str, home: Path, choices: Choices, *, dry_run: bool) -> Outcome:
    """Take an older system's database over. Nothing is written in a dry run, nor while a trade would be lost or counted twice.

    A second time changes nothing. Raises LegacyError when the database cannot be read, or says something else than the
    last time it was taken over.
    """
    address = address_of(url)
    folder = Folder(folder_of(home, address.shown))
    before = folder.made()
    writes = not dry_run and before is None
    backup = folder.begin() / BACKUPS[address.is_postgres] if writes else None
    try:
        snapshot = _read(address, backup)
        report, files = reported(address.shown, snapshot, choices)
        if report["refused"] or not writes:
            if before is not None and not dry_run and not report["refused"] and not folder.same(before, files):
                raise LegacyError("the database says something else than when it was taken over; undo that migration first, then repeat it")
            return Outcome(report, folder.path, wrote=False, files=tuple(before.files) if before else ())
        made = folder.finish(address.shown, files)
        return Outcome(report, folder.path, wrote=True, files=tuple(made.files))
    finally:
        folder.forget_draft()


def imports_of(url: str, home: Path) -> list[str]:
    """The SHA-256 of the files for `qm import`, as undoing would remove them. Raises LegacyError when it may not."""
    made = Folder(folder_of(home, address_of(url).shown)).takeable()
    return [digest for name, digest in made.files.items() if name.endswith(STATEMENT)]


def undo(url: str, home: Path) -> list[str]:
    """Take back what was made from this database; the database itself is not needed any more."""
    return Folder(folder_of(home, address_of(url).shown)).undo()


def confirm(url: str, home: Path) -> None:
    """Keep what was made from this database for good."""
    Folder(folder_of(home, address_of(url).shown)).confirm()


def reported(source: str, snapshot: Snapshot, choices: Choices) -> tuple[Report, dict[str, bytes]]:
    """The report, and the files that belong to it."""
    with localcontext(prec=DIGITS):
        found, doubts = _found(snapshot, choices)
        openings = openings_of(found)
        comparisons = compare(found, openings)
        statements = statements_of(found)
        refused = refusals(found, snapshot, openings, comparisons, statements) + _unused(choices, found)
        accounts = compare_accounts(found, comparisons)
        report = report_of(source, snapshot, found, choices, openings, comparisons, accounts, refused, doubts)
    files = {
        **statements,
        "orders.jsonl": _lines(orders_of(found)),
        "bots.jsonl": _lines({"id": one.key, "name": one.name, "symbol": one.symbol, "settings": one.settings} for one in found.engines),
        "kept.jsonl": _lines({"row": str(one.row), "reason": one.reason} for one in found.kept),
        "report.json": (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    return report, files


def _read(address: Address, backup: Path | None) -> Snapshot:
    if not address.is_postgres:
        return read_sqlite(Path(address.target), backup)
    if backup is None:
        return asyncio.run(read_postgres(address, None))
    backup.touch(mode=0o600)
    with backup.open("w", encoding="utf-8") as file:
        return asyncio.run(read_postgres(address, file))


def _found(snapshot: Snapshot, choices: Choices) -> tuple[Found, list[tuple[str, int]]]:
    match snapshot.recognised.layout.kind:
        case Kind.CRYPTO_BOTS:
            found = read_crypto(snapshot, choices)
            return found, zone_doubts(found, snapshot, choices)
        case Kind.STOCK_PLATFORM:
            return read_stocks(snapshot, choices), []


def _unused(choices: Choices, found: Found) -> list[str]:
    """Rows that were to be left out and are not there: a slip of the pen must not leave out something else unnoticed."""
    known = {str(one.row) for one in found.kept}
    return [f"{row}: is to be left out, and there is no such row" for row in sorted(choices.left_out - known)]


def _lines(content: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in content).encode()
