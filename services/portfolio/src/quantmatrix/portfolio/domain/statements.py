"""What a broker's statement says, as plain values: entries in the broker's words, and an account of every row that was read.

Quantities and amounts keep the broker's signs: a purchase has a positive quantity and a negative amount. Absence is
never zero: a transferred lot without a basis has None until somebody supplies it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from quantmatrix.common.values import Money, Price, Quantity


class EntryKind(StrEnum):
    """What an entry does to the ledger."""

    TRADE = "trade"
    CONVERSION = "conversion"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"
    PAYMENT_IN_LIEU = "payment_in_lieu"
    RETURN_OF_CAPITAL = "return_of_capital"
    WITHHOLDING_TAX = "withholding_tax"
    INTEREST = "interest"
    FEE = "fee"
    COMMISSION_ADJUSTMENT = "commission_adjustment"
    ADJUSTMENT = "adjustment"
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
class Printed:
    """What the broker prints beside a trade, for checks and never booked.

    close_price: the day's closing price. marked: the day's mark-to-market gain. codes: the broker's letters, such as O, C, A, Ep.
    price_step: the last digit of a price that is a rounded average, None where the price is exact.
    """

    close_price: Price | None = None
    marked: Money | None = None
    codes: tuple[str, ...] = ()
    price_step: Price | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    broker_key: the broker's own id of the row, or what stands for one (the same row in another file has the same key,
    two equal rows of one file have different ones). amount: cash moved, fee not included. fee: what it cost, below zero
    for a rebate. basis: as printed by the broker, None when it is not. acquired_on: of a transferred lot, None while it is
    unknown. asset: the broker's word for the class. multiplier: of a contract, None where the file does not say.
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
    asset: str = ""
    multiplier: Quantity | None = None
    printed: Printed | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A row that is not booked on purpose; `rule` names why (a total, a header, information)."""

    place: Place
    rule: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be understood. Nothing is guessed from it; a person sees it.

    damaged: the row is of a kind that is known and cannot be read, so the file is refused whole. Otherwise nobody taught
    the importer this kind of row: it is kept raw and the rest is taken.
    """

    place: Place
    why: str
    damaged: bool = True
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What the statement says is held at its end; for reconciliation, never booked."""

    account: str
    symbol: str
    quantity: Quantity
    basis: Money | None
    multiplier: Quantity | None = None
    cost_price: Price | None = None
    value: Money | None = None
    unrealised: Money | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class PriorPosition:
    """How much of something was held before the statement begins."""

    account: str
    symbol: str
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class ClosedLot:
    """An opening that the broker names under a closing trade, with its basis and the codes that tell of wash sales."""

    symbol: str
    opened_on: date
    quantity: Quantity
    basis: Money | None
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrintedTotal:
    """The sum a section prints over its own rows in one currency."""

    section: str
    total: Money
    line: int


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """One named amount of a summary."""

    name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure at the start, what moved it, and the figure at the end, as printed. lines: the parts of moves, where they have names."""

    name: str
    start: Money
    moves: Money
    end: Money
    lines: tuple[PrintedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What a statement says about itself; checked against its rows and against the statement before it.

    value: where there is one; values: of every account and period that the file has. again: lines of the change in value as other
    sections print them. prior: None where no section says what was held before. wash_sales: the file says that its gains follow that rule.
    open_ended: none of the sections is there that such files end with. ending: what was held at the end, where a section tells it beside
    the positions. sections: those that the file has rows of, of kinds of files that have some. whole_trades: its trades make the sums that it
    prints over those of each symbol. names: the symbol that stands for others of the same instrument, by each of these.
    """

    value: Summary | None = None
    values: tuple[Summary, ...] = ()
    again: tuple[PrintedLine, ...] = ()
    cash: tuple[Summary, ...] = ()
    accruals: Summary | None = None
    prior: tuple[PriorPosition, ...] | None = None
    closed_lots: tuple[ClosedLot, ...] = ()
    totals: tuple[PrintedTotal, ...] = ()
    wash_sales: bool = False
    open_ended: bool = False
    ending: tuple[PriorPosition, ...] | None = None
    sections: frozenset[str] = frozenset()
    whole_trades: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    unknown_sections: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """A file, read: each of its data rows is an entry, ignored by a named rule, or unread; nothing is lost silently.

    rows: how many data rows the file has; booked, ignored and not understood add up to it.
    """

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
    figures: Figures = Figures()

    @property
    def booked_lines(self) -> frozenset[int]:
        """The lines from which something is booked; one line may bring several entries."""
        return frozenset(entry.place.line for entry in self.entries)

    @property
    def rows(self) -> int:
        return len(self.booked_lines) + len(self.ignored) + len(self.unread)
