"""Files of statements checked without a ledger: recognised, read, counted, reconciled; and what is said of each."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from hashlib import sha256

from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.portfolio import importers
from quantmatrix.portfolio.domain.statements import Statement
from quantmatrix.portfolio.domain.statements_closings import Closings, Ends, cash_of, closings_of, cut_off, positions_of, totals_of
from quantmatrix.portfolio.domain.statements_ends import contradictions, without_sections
from quantmatrix.portfolio.domain.statements_identities import Identity, identities_of
from quantmatrix.portfolio.domain.statements_replay import Replay, replayed
from quantmatrix.portfolio.domain.statements_since import begun_later
from quantmatrix.portfolio.ports import Importer, StatementError

HEAD_BYTES = 4096
UNREADABLE = "a figure in it cannot be reckoned with"
STORED = -1
"""In the place of a file's number: a statement that was booked before."""
BODY_BYTES_MAX = 64 * 1024 * 1024


class Status(StrEnum):
    """What came of a file. Of a rejected one nothing is booked."""

    RECONCILED = "reconciled"
    EXPLAINED = "reconciled with explained differences"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was given, and what a person says of it alone: nothing before `since` is booked; treatment: how its gains are taxed."""

    name: str
    body: bytes
    since: date | None = None
    treatment: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """One file: what it is, what its rows are, and how it agrees with itself and with the file before it.

    new: broker keys that no file before it in the same call brought. why: the reason of a rejection, with the line.
    """

    file: File
    status: Status
    why: str = ""
    statement: Statement | None = None
    duplicates: int = 0
    identities: tuple[Identity, ...] = ()
    closings: Closings | None = None
    positions: Ends | None = None
    cash: Ends | None = None
    totals: Ends | None = None

    @property
    def explained(self) -> int:
        """Differences of identities and of end figures that have a named cause."""
        compared: list[Identity | Ends] = [*self.identities, *(one for one in (self.positions, self.cash) if one is not None)]
        return sum(len(one.differences) - one.unexplained for one in compared)

    @property
    def status_text(self) -> str:
        return f"reconciled with {self.explained} explained differences" if self.status is Status.EXPLAINED else self.status.value


@dataclass(slots=True)
class Reading:
    """Files that were read, by their place, and those that could not be."""

    files: tuple[File, ...]
    statements: dict[int, Statement]
    refused: dict[int, Checked]

    def refuse(self, index: int, why: str) -> None:
        self.refused[index] = Checked(self.files[index], Status.REJECTED, why)


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies next to a statement: the one that ends the day before it begins, and a stored one that begins the day after it ends."""

    before: tuple[Statement, Replay] | None = None
    after: Statement | None = None


def every_importer() -> list[Importer]:
    """The importers in the slot."""
    return [load(importers, name).IMPORTER() for name in names_in(importers)]


def importer_for(file: File) -> Importer:
    """The one importer that knows this kind of file. Raises StatementError when none does, or it is far too large."""
    if len(file.body) > BODY_BYTES_MAX:
        raise StatementError(f"the file has more than {BODY_BYTES_MAX} bytes")
    if not file.body.strip():
        raise StatementError("the file is empty")
    if file.body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise StatementError("the text is in UTF-16, not in UTF-8: save it as UTF-8, or export it again", line=1)
    head = file.body[:HEAD_BYTES]
    known = [one for one in every_importer() if one.recognises(file.name, head)]
    if not known:
        raise StatementError(f"no importer knows this kind of file{_looks_like(head)}: " + ", ".join(one.title for one in every_importer()))
    if len(known) > 1:
        raise StatementError("more than one importer takes this for its own: " + ", ".join(one.title for one in known))
    return known[0]


def _looks_like(head: bytes) -> str:
    """What a file that nobody reads is, where its first bytes say so."""
    if head.startswith(b"PK\x03\x04"):
        return " (a workbook or an archive; export the statement as text)"
    if head.startswith(b"%PDF"):
        return " (a PDF; export the statement as CSV or XML)"
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        return " (XML with declarations of its own, which brokers do not write)"
    return " (it is binary)" if b"\x00" in head else ""


def read_files(files: Sequence[File]) -> Reading:
    """Read files without looking at what they say of themselves. The same bytes twice are refused the second time."""
    reading = Reading(tuple(files), {}, {})
    seen: dict[str, str] = {}
    for index, file in enumerate(files):
        digest = sha256(file.body).hexdigest()
        if digest in seen:
            reading.refuse(index, f"the same file as {seen[digest]}")
            continue
        seen[digest] = file.name
        try:
            reading.statements[index] = importer_for(file).read(file.body)
        except StatementError as error:
            reading.refuse(index, str(error))
        except ValueError:
            reading.refuse(index, UNREADABLE)
    return reading


def addressed(reading: Reading, account: str | None = None, since: date | None = None) -> Reading:
    """The files under the account they are imported into, each from its own day on, else from `since`."""
    found = Reading(reading.files, {}, dict(reading.refused))
    for index, statement in reading.statements.items():
        day = reading.files[index].since or since
        try:
            named = _for_account(statement, account)
            found.statements[index] = named if day is None else begun_later(named, day)
        except StatementError as error:
            found.refuse(index, str(error))
        except ValueError:
            found.refuse(index, UNREADABLE)
    return found


def check_files(files: Sequence[File], account: str | None = None, since: date | None = None) -> list[Checked]:
    """Check files together: in the order of their periods, each against the one before it; told in the order given.

    since: rows before this day are not booked, unless a file has a day of its own; what they moved is part of what was held before.
    """
    return check_read(addressed(read_files(files), account, since))


def check_read(reading: Reading, stored: Sequence[Statement] = ()) -> list[Checked]:
    """Check files that were read. stored: those that were booked before and lie between them or beside them, checked then and not again."""
    results = dict(reading.refused)
    chain: list[tuple[int, Statement]] = [*((STORED, one) for one in stored), *reading.statements.items()]
    chain.sort(key=lambda one: (one[1].accounts, one[1].first, one[1].last, one[0]))
    keys: set[tuple[str, str]] = set()
    before: tuple[Statement, Replay] | None = None
    for place, (index, statement) in enumerate(chain):
        chained = before if before is not None and _follows(before[0], statement) else None
        try:
            if index == STORED:
                before = (statement, replayed(statement, chained[1] if chained else None))
                continue
            after = chain[place + 1][1] if place + 1 < len(chain) and chain[place + 1][0] == STORED else None
            beside = Beside(chained, after if after is not None and _follows(statement, after) else None)
            results[index], replay = _checked(reading.files[index], statement, beside, keys)
        except ValueError:
            if index != STORED:
                results[index] = Checked(reading.files[index], Status.REJECTED, UNREADABLE)
            continue
        before = (statement, replay)
    return [results[index] for index in range(len(reading.files))]


def _for_account(statement: Statement, account: str | None) -> Statement:
    """The statement under the account it is imported into; a file of another account or of several is refused."""
    if account is None or statement.accounts == (account,):
        return statement
    if statement.accounts not in ((), ("",)):
        raise StatementError("the file is about another account than the one it is imported into")
    return replace(statement, accounts=(account,), entries=tuple(replace(entry, account=account) for entry in statement.entries))


def _follows(before: Statement, statement: Statement) -> bool:
    return before.importer == statement.importer and before.accounts == statement.accounts and (statement.first - before.last).days == 1


def _checked(file: File, statement: Statement, beside: Beside, keys: set[tuple[str, str]]) -> tuple[Checked, Replay]:
    own = {(entry.account, entry.broker_key): entry.place.line for entry in statement.entries}
    fresh = {line for key, line in own.items() if key not in keys}
    duplicates = len(statement.booked_lines - fresh)
    replay = replayed(statement, beside.before[1] if beside.before else None)
    identities = tuple(identities_of(statement, beside.before[0] if beside.before else None, beside.after))
    positions, cash, totals = positions_of(statement, replay), cash_of(statement), totals_of(statement)
    cut = cut_off(statement, positions, cash)
    positions, cash = without_sections(statement, positions, cash)
    why = _damage(statement) or cut or _why(identities) or _said(contradictions(statement, cash, totals))
    status = _status((*identities, positions, cash))
    result = Checked(
        file, Status.REJECTED if why else status, why, statement, duplicates, identities, closings_of(statement, replay), positions,
        cash, totals,
    )  # fmt: skip
    if result.status is not Status.REJECTED:
        keys.update(own)
    return result, replay


def _status(compared: Sequence[Identity | Ends]) -> Status:
    return Status.EXPLAINED if any(len(one.differences) > one.unexplained for one in compared) else Status.RECONCILED


def _said(contradictions: Sequence[str]) -> str:
    """Why a file is refused whose sums are not those of its rows; empty where they are."""
    if not contradictions:
        return ""
    return "the file contradicts itself, as if rows were missing or had been changed: " + "; ".join(contradictions[:3])


def _damage(statement: Statement) -> str:
    """The first row that cannot be read; empty where there is none."""
    damaged = [one for one in statement.unread if one.damaged]
    if not damaged:
        return ""
    return f"line {damaged[0].place.line}: {damaged[0].why}" + (f", and {len(damaged) - 1} rows more" if damaged[1:] else "")


def _why(identities: Sequence[Identity]) -> str:
    open_ones = [
        f"{one.name}{f' at line {difference.line}' if difference.line else ''} by {difference.amount}"
        + (f" ({difference.note})" if difference.note else "")
        for one in identities
        for difference in one.differences
        if difference.cause is None
    ]
    return (
        f"the file contradicts itself: {', '.join(open_ones[:5])}" + (f", and {len(open_ones) - 5} more" if open_ones[5:] else "")
        if open_ones
        else ""
    )
