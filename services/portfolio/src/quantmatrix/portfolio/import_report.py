"""What is said of an imported file, as plain JSON: counts, identities, closings and end figures, with amounts as text."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import TypedDict

from quantmatrix.common.values import plain
from quantmatrix.portfolio.domain.statements_closings import Closings, Ends
from quantmatrix.portfolio.domain.statements_identities import Difference, Identity
from quantmatrix.portfolio.importing import Checked, Status

SHOWN_MAX = 100
DUPLICATE = "booked before under the same key"
REFUSED = "nothing of a rejected file is booked"
TOLD_OTHERWISE = "booked before from another kind of file"


class State(StrEnum):
    """Where a file stands on its way into the ledger. Of one that is partially completed some rows were not understood."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially completed"
    FAILED = "failed"


class DifferenceTold(TypedDict):
    """One difference; line is None for a figure of the whole file. note: what one without a cause looks like."""

    line: int | None
    about: str
    printed: str
    expected: str
    difference: str
    currency: str
    cause: str | None
    note: str


class CompareTold(TypedDict):
    """How many figures were compared, how many agree, and those that do not."""

    checked: int
    equal: int
    differences: list[DifferenceTold]


class RowTold(TypedDict):
    line: int
    section: str
    why: str


class ImportTold(TypedDict):
    """One file. booked + ignored + not_understood = rows; duplicates are among the ignored."""

    file: str
    sha256: str
    kind: str | None
    account: str | None
    accounts: list[str]
    period: dict[str, str] | None
    rows: int
    booked: int
    ignored: int
    not_understood: int
    duplicates: int
    ignored_by_rule: dict[str, int]
    entries: dict[str, int]
    rows_not_understood: list[RowTold]
    unknown_sections: list[str]
    identities: dict[str, CompareTold]
    closings_checked: int
    closings_equal: int
    closings_pending: int
    closings: list[DifferenceTold]
    positions: CompareTold
    cash: CompareTold
    totals: CompareTold
    status: str
    state: str
    quality: int
    why: str
    account_ids: list[str]
    open_breaks: int


def told(checked: Checked) -> ImportTold:
    """Everything about one file."""
    statement = checked.statement
    unread = statement.unread if statement else ()
    rules = Counter(one.rule for one in statement.ignored) if statement else Counter[str]()
    if checked.duplicates:
        rules[DUPLICATE] += checked.duplicates
    closings = checked.closings or Closings(0, 0, ())
    accounts = list(statement.accounts) if statement else []
    report: ImportTold = {
        "file": checked.file.name,
        "sha256": sha256(checked.file.body).hexdigest(),
        "kind": statement.importer if statement else None,
        "account": (accounts[0] or None) if len(accounts) == 1 else None,
        "accounts": accounts,
        "period": {"first": statement.first.isoformat(), "last": statement.last.isoformat()} if statement else None,
        "rows": statement.rows if statement else 0,
        "booked": len(statement.booked_lines) - checked.duplicates if statement else 0,
        "ignored": sum(rules.values()),
        "not_understood": len(unread),
        "duplicates": checked.duplicates,
        "ignored_by_rule": dict(sorted(rules.items())),
        "entries": dict(sorted(Counter(entry.kind.value for entry in statement.entries).items())) if statement else {},
        "rows_not_understood": [{"line": one.place.line, "section": one.place.section, "why": one.why} for one in unread[:SHOWN_MAX]],
        "unknown_sections": list(statement.figures.unknown_sections) if statement else [],
        "identities": {one.name: _identity(one) for one in checked.identities},
        "closings_checked": closings.checked,
        "closings_equal": closings.equal,
        "closings_pending": closings.pending,
        "closings": _differences(closings.differences),
        "positions": _ends(checked.positions),
        "cash": _ends(checked.cash),
        "totals": _ends(checked.totals),
        "status": checked.status_text,
        "state": _state(checked).value,
        "quality": _quality(checked),
        "why": checked.why,
        "account_ids": [],
        "open_breaks": 0,
    }
    return _unbooked(report) if checked.status is Status.REJECTED else report


def _unbooked(report: ImportTold) -> ImportTold:
    """The report of a file of which nothing is booked: rows that would have been are ignored for that reason."""
    rules = dict(report["ignored_by_rule"])
    if report["booked"]:
        rules[REFUSED] = report["booked"]
    return {**report, "booked": 0, "ignored": sum(rules.values()), "ignored_by_rule": dict(sorted(rules.items()))}


def refused(report: ImportTold, why: str) -> ImportTold:
    """The report of a file that is whole and is not booked."""
    found = _unbooked(report)
    found["status"], found["state"], found["why"] = Status.REJECTED.value, State.FAILED.value, why
    return found


def _state(checked: Checked) -> State:
    if checked.statement is None or checked.status is Status.REJECTED:
        return State.FAILED
    return State.PARTIALLY_COMPLETED if checked.statement.unread else State.COMPLETED


def _quality(checked: Checked) -> int:
    """Of a hundred: the share of rows that were understood and of figures that agree or differ by a named cause; 0 when nothing was read."""
    statement = checked.statement
    if statement is None or not statement.rows:
        return 0
    looked, wrong = statement.rows, len(statement.unread)
    closings = checked.closings or Closings(0, 0, ())
    ends = [one for one in (checked.positions, checked.cash, checked.totals) if one is not None]
    compared: list[Identity | Closings | Ends] = [*checked.identities, closings, *ends]
    for one in compared:
        looked += one.checked
        wrong += sum(difference.cause is None for difference in one.differences)
    return 100 * (looked - wrong) // looked


def _identity(one: Identity) -> CompareTold:
    return {"checked": one.checked, "equal": one.checked - len(one.differences), "differences": _differences(one.differences)}


def _ends(ends: Ends | None) -> CompareTold:
    found = ends or Ends(0, ())
    return {"checked": found.checked, "equal": found.checked - len(found.differences), "differences": _differences(found.differences)}


def _differences(differences: Sequence[Difference]) -> list[DifferenceTold]:
    return [
        {
            "line": one.line or None,
            "about": one.about,
            "printed": plain(one.printed.amount),
            "expected": plain(one.expected.amount),
            "difference": plain(one.amount.amount),
            "currency": one.printed.currency,
            "cause": one.cause.value if one.cause else None,
            "note": one.note,
        }
        for one in differences[:SHOWN_MAX]
    ]
