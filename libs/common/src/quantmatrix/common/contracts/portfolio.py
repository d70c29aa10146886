"""The `portfolio` family, said by portfolio: lots, cash, positions, snapshots."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.lots import nothing
from quantmatrix.common.contracts.message import AccountToken, Instant, Message, Watermark
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionId, ClosingId, FillId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity


class _Ledger(Message, frozen=True, kw_only=True):
    OWNER = "portfolio"
    FAMILY = "portfolio"
    KEY = "portfolio.{m.account_id}"

    user_id: UserId
    account_id: AccountToken


class LotOpened(_Ledger, frozen=True, kw_only=True, tag="LotOpened"):
    """A fill (or units that arrived) opened a tax lot. basis: total cost, fee included, absent while nobody knows it; negative quantity and
    basis for a short lot."""

    SUBJECT = "portfolio.lot_opened.{m.account_id}"

    lot_id: LotId
    fill_id: FillId
    instrument: Instrument
    quantity: Quantity
    basis: Money | None
    opened_on: date
    opened_at: Instant
    triggered_by: str


class LotClosed(_Ledger, frozen=True, kw_only=True, tag="LotClosed"):
    """A fill or an action used up `quantity` of a lot. realised = proceeds - basis; fees are inside both. left: what remains of the lot.

    realised is absent, and the gain pending, while the basis or the proceeds are not known.
    """

    SUBJECT = "portfolio.lot_closed.{m.account_id}"

    closing_id: ClosingId
    lot_id: LotId
    fill_id: FillId
    instrument: Instrument
    quantity: Quantity
    proceeds: Money | None
    basis: Money | None
    realised: Money | None
    left: Quantity
    opened_on: date
    closed_on: date
    triggered_by: str


class LotAdjusted(_Ledger, frozen=True, kw_only=True, tag="LotAdjusted"):
    """A corporate action changed a lot. basis_after: its total basis then, absent while nobody knows it; a split leaves it as it is."""

    SUBJECT = "portfolio.lot_adjusted.{m.account_id}"

    lot_id: LotId
    action_id: ActionId
    instrument: Instrument
    quantity_before: Quantity
    quantity_after: Quantity
    basis_after: Money | None = None


class LotChoiceFailed(_Ledger, frozen=True, kw_only=True, tag="LotChoiceFailed"):
    """The lots named with an order could not be used as named when it filled; the account's method chose instead. reason: a sentence."""

    SUBJECT = "portfolio.lot_choice.{m.account_id}"
    KEY = "portfolio.lot_choice.{m.account_id}"

    fill_id: FillId
    instrument: Instrument
    reason: str


class PositionChanged(_Ledger, frozen=True, kw_only=True, tag="PositionChanged"):
    """The one position of an account in an instrument, whoever traded it. realised: since the account was opened.

    unknown: units whose basis nobody knows; basis is that of the others.
    """

    SUBJECT = "portfolio.position.{m.account_id}"

    instrument: Instrument
    quantity: Quantity
    basis: Money
    realised: Money
    last_side: Side | None
    last_price: Price | None
    unknown: Quantity = msgspec.field(default_factory=nothing)


class PortfolioSnapshotTaken(_Ledger, frozen=True, kw_only=True, tag="PortfolioSnapshotTaken"):
    """The account at the end of a session, marked at that session's raw closes."""

    SUBJECT = "portfolio.snapshot.{m.account_id}"

    session: date
    taken_at: Instant
    cash: Money
    market_value: Money
    equity: Money
    realised: Money
    unrealised: Money
    positions: int


class LedgerWatermark(Watermark, frozen=True, kw_only=True, tag="LedgerWatermark"):
    """Everything that happened up to this moment is booked."""

    OWNER = "portfolio"
    FAMILY = "portfolio"
    SUBJECT = "portfolio.watermark.{m.calendar}"
    KEY = "portfolio.watermark.{m.calendar}"
