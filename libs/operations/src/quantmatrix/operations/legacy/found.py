"""What an older database turns into: trades, orders that filled nothing, income; and an account of every row that was read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, InstrumentId, Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.legacy.cells import RowRef

LEFT_OUT = "left out on request"

Where = tuple[AccountId, InstrumentId]
"""The account and instrument whose figures are compared."""


class Cause(StrEnum):
    """Why a figure of the older system differs from ours, in the order in which the differences are taken apart."""

    STORED = "the older system's stored figure differs from its own rows"
    ROUNDING = "float rounding of the older system"
    LEFT_OUT = "rows left out on request"
    DUPLICATES = "rows that the older system counted twice"
    UNITS = "size read as dollars, coins or contracts"
    FILLS = "the exchange's fills instead of the order's row"
    MORE = "trades that the older system's own list did not have"
    OPENING = "missing opening balance"
    METHOD = "old average cost against FIFO"
    FEES = "missing fees"


ROW_CAUSES = (Cause.ROUNDING, Cause.LEFT_OUT, Cause.DUPLICATES, Cause.UNITS, Cause.FILLS, Cause.MORE)
"""The causes that lie in rows: for each there is a list of what would be traded with that cause removed."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution as it is taken over. key is its id in the account; value is what was paid or received without the fee.

    rows: the source rows that it stands for.
    """

    key: str
    account: AccountId
    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    value: Money
    fee: Money
    at: datetime
    session: date
    order_id: str
    triggered_by: str
    rows: tuple[RowRef, ...]
    context: str = ""

    @property
    def where(self) -> Where:
        return self.account, self.instrument.instrument_id

    @property
    def flow(self) -> "Flow":
        return Flow(self.where, self.side, self.quantity.value, self.value.amount)


@dataclass(frozen=True, slots=True)
class Unfilled:
    """An order that filled nothing: it survives as an order and never touches the ledger. size is None where none was stored."""

    key: str
    account: AccountId
    symbol: str
    side: str
    status: str
    size: Decimal | None
    price: Decimal | None
    created_at: datetime | None
    triggered_by: str
    rows: tuple[RowRef, ...]
    context: str = ""


@dataclass(frozen=True, slots=True)
class Income:
    """A dividend with the tax withheld from it, as two amounts; tax is zero or more."""

    key: str
    account: AccountId
    symbol: str
    kind: str
    gross: Money
    tax: Money
    paid_on: date
    rows: tuple[RowRef, ...]


@dataclass(frozen=True, slots=True)
class Engine:
    """A bot as what it is here: parameters that decide, without trades, positions or money."""

    key: str
    name: str
    symbol: str
    settings: Mapping[str, object]
    rows: tuple[RowRef, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that becomes nothing here: it stays in the backup, for this reason."""

    row: RowRef
    reason: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """A row that may be a trade and cannot be taken over as it is. While there is one, nothing is finished."""

    row: RowRef
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was decided about rows and that a person may want to look at."""

    what: str
    row: RowRef
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A trade reduced to what a profit is computed of; both numbers are zero or more."""

    where: Where
    side: Side
    quantity: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class OldFlow:
    """The same as the older system had it, in its own floats."""

    where: Where
    side: Side
    quantity: float
    value: float


@dataclass(frozen=True, slots=True)
class Stored:
    """What the older system said it holds of something; None where it said nothing."""

    quantity: Decimal
    open_cost: Decimal | None


@dataclass(slots=True)
class Found:
    """Everything that was found, and what became of each row.

    stored: what the older system says it holds, None where it keeps no such list: then nothing can be short.
    stored_realised: gains by account as it last stored them. assumed_zone: how many trades had a time without a zone.
    """

    trades: list[Trade] = field(default_factory=list)
    unfilled: list[Unfilled] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    kept_whole: dict[str, tuple[int, str]] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    old: list[OldFlow] = field(default_factory=list)
    stages: dict[Cause, list[Flow]] = field(default_factory=lambda: {cause: [] for cause in ROW_CAUSES})
    instruments: dict[Where, Instrument] = field(default_factory=dict)
    stored: dict[Where, Stored] | None = None
    stored_realised: dict[AccountId, Money] = field(default_factory=dict)
    assumed_zone: int = 0

    def keep(self, row: RowRef, reason: str) -> None:
        self.kept.append(Kept(row, reason))

    def block(self, row: RowRef, why: object) -> None:
        self.blocked.append(Blocked(row, str(why)))

    def note(self, what: str, row: RowRef, detail: str = "") -> None:
        self.notes.append(Note(what, row, detail))

    def taken_rows(self) -> Counter[RowRef]:
        """How often each row is part of something that was taken over."""
        taken: tuple[Trade | Unfilled | Income | Engine, ...] = (*self.trades, *self.unfilled, *self.income, *self.engines)
        return Counter(row for one in taken for row in dict.fromkeys(one.rows))
