"""Questions to portfolio about brokers' statements: handing files in, booking them, what came of each, breaks with fills."""

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.names import AccountId, UserId


class StatementDifference(msgspec.Struct, frozen=True):
    """One figure that is not as expected, as text; line is absent for a figure of the whole file. note: what one without a cause looks like."""

    line: int | None
    about: str
    printed: str
    expected: str
    difference: str
    currency: str
    cause: str | None
    note: str = ""


class StatementCompared(msgspec.Struct, frozen=True):
    """How many figures were compared, how many agree, and those that do not."""

    checked: int
    equal: int
    differences: tuple[StatementDifference, ...]


class StatementRow(msgspec.Struct, frozen=True):
    """A row that nobody understood."""

    line: int
    section: str
    why: str


class StatementSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file. booked + ignored + not_understood = rows; duplicates are among the ignored; quality is of a hundred."""

    file: str
    sha256: str
    kind: str | None
    account_ids: tuple[AccountId, ...] = ()
    period: dict[str, date] | None
    rows: int
    booked: int
    ignored: int
    not_understood: int
    duplicates: int
    ignored_by_rule: dict[str, int]
    rows_not_understood: tuple[StatementRow, ...]
    identities: dict[str, StatementCompared]
    closings_checked: int
    closings_equal: int
    closings_pending: int
    closings: tuple[StatementDifference, ...]
    positions: StatementCompared
    cash: StatementCompared
    totals: StatementCompared
    status: str
    state: Literal["pending", "processing", "completed", "partially completed", "failed"] = "completed"
    quality: int = 0
    why: str = ""
    open_breaks: int = 0


class StatementPartTaken(msgspec.Struct, frozen=True):
    """How many bytes of the file are here."""

    bytes: int


class StatementPartGiven(Question[StatementPartTaken], frozen=True, kw_only=True):
    """A part of a file on its way in; the same part may be given again. Files that nobody books are forgotten after a day."""

    VERB = "statements.part"
    ANSWER = StatementPartTaken

    user_id: UserId
    upload_id: UUID
    part: int
    name: str
    body: bytes
    at: Instant


class StatementsBooked(msgspec.Struct, frozen=True):
    """What came of each file, in the order given."""

    files: tuple[StatementSummary, ...]


class StatementChoice(msgspec.Struct, frozen=True):
    """What is said of one uploaded file alone, instead of what is said of all."""

    upload_id: UUID
    since: date | None = None
    treatment: Literal["taxable", "tax-deferred"] | None = None


class BookStatements(Question[StatementsBooked], frozen=True, kw_only=True):
    """Check uploaded files together and book them.

    account_id: our name of their account; since: nothing before this day is booked; treatment: how gains are taxed; choices: of one file each.
    """

    VERB = "statements.book"
    ANSWER = StatementsBooked

    user_id: UserId
    uploads: tuple[UUID, ...]
    at: Instant
    account_id: AccountId | None = None
    since: date | None = None
    treatment: Literal["taxable", "tax-deferred"] | None = None
    choices: tuple[StatementChoice, ...] = ()


class StatementBreak(msgspec.Struct, frozen=True):
    """A difference between a statement and the fills that execution reported, with both figures; a side that has nothing is absent."""

    break_id: UUID
    account_id: AccountId
    kind: Literal["missing", "extra", "different"]
    symbol: str
    session: date
    statement: str | None
    ledger: str | None
    found_at: Instant
    resolved_at: Instant | None
    resolution: str | None


class StatementAccountTold(msgspec.Struct, frozen=True):
    """An account that statements know. booked: they make it; otherwise fills do."""

    account_id: AccountId
    broker: str
    treatment: Literal["taxable", "tax-deferred"]
    booked: bool


class Statements(msgspec.Struct, frozen=True):
    """Imported files, the latest first, their accounts, and breaks, the open ones first."""

    files: tuple[StatementSummary, ...]
    accounts: tuple[StatementAccountTold, ...]
    breaks: tuple[StatementBreak, ...]


class StatementsAsked(Question[Statements], frozen=True, kw_only=True):
    """What a user has imported; at most `limit` files and as many breaks."""

    VERB = "statements"
    ANSWER = Statements

    user_id: UserId
    limit: int = 100


class StatementBreakResolved(msgspec.Struct, frozen=True):
    """done is false when there is no such open break of this user."""

    done: bool


class ResolveStatementBreak(Question[StatementBreakResolved], frozen=True, kw_only=True):
    """Close a break with a reason."""

    VERB = "statements.break.resolve"
    ANSWER = StatementBreakResolved

    user_id: UserId
    break_id: UUID
    reason: str
    at: Instant
