"""Questions to portfolio: positions, lots, closings, cash, snapshots, and the proof that they agree."""

from datetime import date
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.lots import nothing
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ClosingId, FillId, InstrumentId, LotId, UserId
from quantmatrix.common.values import Money, Price, Quantity


class PositionSummary(msgspec.Struct, frozen=True):
    """A position marked at the latest raw price; values are absent while no price is known.

    unknown: units whose basis nobody knows; basis and unrealised are those of the others.
    """

    account_id: AccountId
    instrument: Instrument
    quantity: Quantity
    basis: Money | None
    realised: Money
    price: Price | None
    priced_on: date | None
    value: Money | None
    unrealised: Money | None
    unknown: Quantity = msgspec.field(default_factory=nothing)


class AccountValue(msgspec.Struct, frozen=True):
    account_id: AccountId
    broker: str
    paper: bool
    opening_cash: Money
    cash: Money
    market_value: Money
    equity: Money
    realised: Money
    unrealised: Money
    session: date | None


class Portfolio(msgspec.Struct, frozen=True):
    accounts: tuple[AccountValue, ...]
    positions: tuple[PositionSummary, ...]


class PortfolioAsked(Question[Portfolio], frozen=True, kw_only=True):
    """What a user has; closed positions only where asked for."""

    VERB = "portfolio"
    ANSWER = Portfolio

    user_id: UserId
    account_id: AccountId | None = None
    closed_too: bool = False


class LotSummary(msgspec.Struct, frozen=True):
    """An open lot; basis is absent while nobody knows it, and with it unrealised."""

    lot_id: LotId
    fill_id: FillId
    account_id: AccountId
    instrument: Instrument
    quantity: Quantity
    opened_quantity: Quantity
    basis: Money | None
    opened_on: date
    opened_at: Instant
    triggered_by: str
    value: Money | None
    unrealised: Money | None


class Lots(msgspec.Struct, frozen=True):
    lots: tuple[LotSummary, ...]


class LotsAsked(Question[Lots], frozen=True, kw_only=True):
    """Open lots, oldest first."""

    VERB = "lots"
    ANSWER = Lots

    user_id: UserId
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None
    limit: int = 500


class ClosingSummary(msgspec.Struct, frozen=True):
    """A part of a lot that was used up; realised is absent while it is pending."""

    closing_id: ClosingId
    lot_id: LotId
    fill_id: FillId
    account_id: AccountId
    symbol: str
    instrument_id: InstrumentId
    quantity: Quantity
    proceeds: Money | None
    basis: Money | None
    realised: Money | None
    opened_on: date
    closed_on: date
    closed_at: Instant
    triggered_by: str


class Closings(msgspec.Struct, frozen=True):
    """The latest first."""

    closings: tuple[ClosingSummary, ...]


class ClosingsAsked(Question[Closings], frozen=True, kw_only=True):
    """Closings of a user, the latest first; before and before_id: the last one of the page before."""

    VERB = "closings"
    ANSWER = Closings

    user_id: UserId
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None
    before: Instant | None = None
    before_id: UUID | None = None
    limit: int = 50


class SnapshotPoint(msgspec.Struct, frozen=True):
    session: date
    equity: Money
    cash: Money


class Snapshots(msgspec.Struct, frozen=True):
    """Oldest first."""

    points: tuple[SnapshotPoint, ...]


class SnapshotsAsked(Question[Snapshots], frozen=True, kw_only=True):
    """An account's equity by session, thinned evenly to at most `limit` points, the last one always there.

    recent: only so many of the last sessions, none left out.
    """

    VERB = "snapshots"
    ANSWER = Snapshots

    user_id: UserId
    account_id: AccountId
    limit: int = 1_000
    recent: int | None = None


class LedgerAccount(msgspec.Struct, frozen=True):
    """An account's sums, each computed from its own table. `differences` says what does not agree inside the ledger.

    statement: of an account that imported statements make, what differs from the end figures of its latest file; None for others.
    """

    account_id: AccountId
    opening_cash: Money
    cash: Money
    cash_entries: Money
    realised_closings: Money
    realised_positions: Money
    basis_lots: Money
    lots: dict[str, Quantity]
    positions: dict[str, Quantity]
    fills: int
    fill_ids_digest: str
    differences: tuple[str, ...]
    statement: tuple[str, ...] | None = None


class LedgerSums(msgspec.Struct, frozen=True):
    accounts: tuple[LedgerAccount, ...]


class LedgerSumsAsked(Question[LedgerSums], frozen=True, kw_only=True):
    """The sums behind `qm check`; rebuild compares every book with its facts too."""

    VERB = "ledger.sums"
    ANSWER = LedgerSums

    rebuild: bool = True
