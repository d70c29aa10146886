"""What a broker's statement says, as plain values: entries in the broker's words, and an account of every row that was read.

Quantities and amounts keep the broker's signs: a purchase has a positive quantity and a negative amount. Absence is
never zero: a transferred lot without a basis has None until somebody supplies it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from quantmatrix.common.values import Money, Price, Quantity


class EntryKind(StrEnum):
    """What an entry does to the ledger."""

    TRADE = "trade"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"
    WITHHOLDING_TAX = "withholding_tax"
    INTEREST = "interest"
    FEE = "fee"
    TRANSFER = "transfer"
    CORPORATE_ACTION = "corporate_action"
    EXERCISE = "exercise"
    ASSIGNMENT = "assignment"
    EXPIRY = "expiry"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: its line in the file (the first is 1) and the section it belongs to, empty where files have none."""

    line: int
    section: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    broker_key: the broker's own id of the row, or what stands for one (the same row in another file has the same key,
    two equal rows of one file have different ones). amount: cash moved, fee not included. basis: as printed by the
    broker, None when it is not. acquired_on: of a transferred lot, None while it is unknown.
    """

    kind: EntryKind
    broker_key: str
    place: Place
    account: str
    session: date
    at: datetime | None
    amount: Money | None
    fee: Money | None = None
    symbol: str | None = None
    quantity: Quantity | None = None
    price: Price | None = None
    basis: Money | None = None
    realised: Money | None = None
    acquired_on: date | None = None
    cancels: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A row that is not booked on purpose; `rule` names why (a total, a header, information)."""

    place: Place
    rule: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be understood. Nothing is guessed from it; a person sees it."""

    place: Place
    why: str


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What the statement says is held at its end; for reconciliation, never booked."""

    account: str
    symbol: str
    quantity: Quantity
    basis: Money | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A file, read: each of its data rows is an entry, ignored by a named rule, or unread; nothing is lost silently."""

    importer: str
    accounts: tuple[str, ...]
    first: date
    last: date
    currency: str
    entries: tuple[Entry, ...]
    ignored: tuple[Ignored, ...] = ()
    unread: tuple[Unread, ...] = ()
    positions: tuple[OpenPosition, ...] = ()
    ending_cash: tuple[Money, ...] = ()
