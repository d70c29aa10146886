"""Files of statements checked without a ledger: recognised, read, counted, reconciled; and what is said of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from hashlib import sha256

from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.portfolio import importers
from quantmatrix.portfolio.domain.statements import Statement
from quantmatrix.portfolio.domain.statements_closings import Closings, Ends, cash_of, closings_of, positions_of, totals_of
from quantmatrix.portfolio.domain.statements_identities import Identity, identities_of
from quantmatrix.portfolio.domain.statements_replay import Replay, replayed
from quantmatrix.portfolio.domain.statements_since import begun_later
from quantmatrix.portfolio.ports import Importer, StatementError

HEAD_BYTES = 4096
UNREADABLE = "a figure in it cannot be reckoned with"
BODY_BYTES_MAX = 64 * 1024 * 1024


class Status(StrEnum):
    """What came of a file. Of a rejected one nothing is booked."""

    RECONCILED = "reconciled"
    EXPLAINED = "reconciled with explained differences"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was given."""

    name: str
    body: bytes


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
        """Differences of identities that have a named cause."""
        return sum(len(one.differences) - one.unexplained for one in self.identities)

    @property
    def status_text(self) -> str:
        return f"reconciled with {self.explained} explained differences" if self.status is Status.EXPLAINED else self.status.value


def every_importer() -> list[Importer]:
    """The importers in the slot."""
    return [load(importers, name).IMPORTER() for name in names_in(importers)]


def importer_for(file: File) -> Importer:
    """The one importer that knows this kind of file. Raises StatementError when none does, or it is far too large."""
    if len(file.body) > BODY_BYTES_MAX:
        raise StatementError(f"the file has more than {BODY_BYTES_MAX} bytes")
    if not file.body.strip():
        raise StatementError("the file is empty")
    head = file.body[:HEAD_BYTES]
    known = [one for one in every_importer() if one.recognises(file.name, head)]
    if not known:
        raise StatementError("no importer knows this kind of file: " + ", ".join(one.title for one in every_importer()))
    if len(known) > 1:
        raise StatementError("more than one importer takes this for its own: " + ", ".join(one.title for one in known))
    return known[0]


def check_files(files: Sequence[File], account: str | None = None, since: date | None = None) -> list[Checked]:
    """Check files together: in the order of their periods, each against the one before it; told in the order given.

    since: rows before this day are not booked; what they moved is part of what was held before.
    """
    read: list[tuple[int, Statement]] = []
    results: dict[int, Checked] = {}
    seen: dict[str, str] = {}
    for index, file in enumerate(files):
        digest = sha256(file.body).hexdigest()
        if digest in seen:
            results[index] = Checked(file, Status.REJECTED, f"the same file as {seen[digest]}")
            continue
        seen[digest] = file.name
        try:
            statement = _for_account(importer_for(file).read(file.body), account)
            read.append((index, statement if since is None else begun_later(statement, since)))
        except StatementError as error:
            results[index] = Checked(file, Status.REJECTED, str(error))
        except ValueError:
            results[index] = Checked(file, Status.REJECTED, UNREADABLE)
    read.sort(key=lambda one: (one[1].accounts, one[1].first, one[1].last, one[0]))
    keys: set[tuple[str, str]] = set()
    before: tuple[Statement, Replay] | None = None
    for index, statement in read:
        chained = before if before is not None and _follows(before[0], statement) else None
        try:
            results[index], replay = _checked(files[index], statement, chained, keys)
        except ValueError:
            results[index] = Checked(files[index], Status.REJECTED, UNREADABLE)
            continue
        before = (statement, replay)
    return [results[index] for index in range(len(files))]


def _for_account(statement: Statement, account: str | None) -> Statement:
    """The statement under the account it is imported into; a file of another account or of several is refused."""
    if account is None or statement.accounts == (account,):
        return statement
    if statement.accounts not in ((), ("",)):
        raise StatementError("the file is about another account than the one it is imported into")
    return replace(statement, accounts=(account,), entries=tuple(replace(entry, account=account) for entry in statement.entries))


def _follows(before: Statement, statement: Statement) -> bool:
    return before.importer == statement.importer and before.accounts == statement.accounts and (statement.first - before.last).days == 1


def _checked(
    file: File, statement: Statement, before: tuple[Statement, Replay] | None, keys: set[tuple[str, str]]
) -> tuple[Checked, Replay]:
    own = {(entry.account, entry.broker_key): entry.place.line for entry in statement.entries}
    fresh = {line for key, line in own.items() if key not in keys}
    duplicates = len(statement.booked_lines - fresh)
    replay = replayed(statement, before[1] if before else None)
    identities = tuple(identities_of(statement, before[0] if before else None))
    result = Checked(
        file, _status(statement, identities), _why(statement, identities), statement, duplicates, identities,
        closings_of(statement, replay), positions_of(statement, replay), cash_of(statement), totals_of(statement),
    )  # fmt: skip
    if result.status is not Status.REJECTED:
        keys.update(own)
    return result, replay


def _status(statement: Statement, identities: Sequence[Identity]) -> Status:
    if any(one.damaged for one in statement.unread) or any(one.unexplained for one in identities):
        return Status.REJECTED
    return Status.EXPLAINED if any(one.differences for one in identities) else Status.RECONCILED


def _why(statement: Statement, identities: Sequence[Identity]) -> str:
    damaged = [one for one in statement.unread if one.damaged]
    if damaged:
        return f"line {damaged[0].place.line}: {damaged[0].why}" + (f", and {len(damaged) - 1} rows more" if damaged[1:] else "")
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
