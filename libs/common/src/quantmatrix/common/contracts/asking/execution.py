"""Questions to execution: accounts, orders, fills, and its books beside the brokers'."""

from datetime import date
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    ContractEnding,
    FillId,
    InstrumentId,
    OrderId,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    TradingState,
    UserId,
)
from quantmatrix.common.values import Money, Price, Quantity


class AccountSummary(msgspec.Struct, frozen=True):
    account_id: AccountId
    user_id: UserId
    broker: str
    currency: str
    paper: bool
    trading_state: TradingState
    opening_cash: Money
    cash: Money


class Accounts(msgspec.Struct, frozen=True):
    accounts: tuple[AccountSummary, ...]


class AccountsAsked(Question[Accounts], frozen=True, kw_only=True):
    VERB = "accounts"
    ANSWER = Accounts

    user_id: UserId


class OrderSummary(msgspec.Struct, frozen=True):
    """An order as it stands. Times are event times (UTC)."""

    order_id: OrderId
    account_id: AccountId
    client_ref: str
    broker_order_id: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    filled: Quantity
    average_price: Price | None
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None
    stop_price: Price | None
    reference_price: Price | None
    state: OrderState
    code: str | None
    detail: str | None
    triggered_by: str
    session: date
    created_at: Instant
    filled_at: Instant | None


class Orders(msgspec.Struct, frozen=True):
    """The latest first."""

    orders: tuple[OrderSummary, ...]


class OrdersAsked(Question[Orders], frozen=True, kw_only=True):
    """Orders of a user, the latest first: of one account, one instrument, one order, or before a point of the list."""

    VERB = "orders"
    ANSWER = Orders

    user_id: UserId
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None
    order_id: OrderId | None = None
    before: Instant | None = None
    before_id: UUID | None = None
    limit: int = 50


class EndSummary(msgspec.Struct, frozen=True):
    """How contracts ended. shares of the underlying (zero for none) change hands on share_side at the strike, for `paid` in all."""

    how: ContractEnding
    underlying: Instrument
    shares: Quantity
    share_side: Side
    strike: Price
    paid: Money


class FillSummary(msgspec.Struct, frozen=True):
    """An execution. ended: of option contracts that ended, which nobody ordered: there is no order then.

    Side, quantity and price of an end are those of the trade that would have closed the contracts.
    """

    fill_id: FillId
    execution_id: str
    order_id: OrderId | None
    account_id: AccountId
    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    session: date
    executed_at: Instant
    triggered_by: str
    ended: EndSummary | None = None


class Fills(msgspec.Struct, frozen=True):
    """The latest first."""

    fills: tuple[FillSummary, ...]


class FillsAsked(Question[Fills], frozen=True, kw_only=True):
    """Fills of a user, and with `ends` the ends of option contracts, the latest first; before and before_id: the last one of the page before.

    The ends of an instrument are those of the contracts themselves, and of contracts on it. session: of that exchange date alone.
    """

    VERB = "fills"
    ANSWER = Fills

    user_id: UserId
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None
    session: date | None = None
    ends: bool = False
    before: Instant | None = None
    before_id: UUID | None = None
    limit: int = 50


class BreakSummary(msgspec.Struct, frozen=True):
    """A difference between the broker's books and ours. resolution: absent while it is open and stops new risk on the account."""

    break_id: UUID
    account_id: AccountId
    about: str
    ours: str
    theirs: str
    found_at: Instant
    resolved_at: Instant | None
    resolution: str | None


class Breaks(msgspec.Struct, frozen=True):
    """Open ones first, then the latest."""

    breaks: tuple[BreakSummary, ...]


class BreaksAsked(Question[Breaks], frozen=True, kw_only=True):
    VERB = "breaks"
    ANSWER = Breaks

    user_id: UserId
    limit: int = 50


class OrderLimits(msgspec.Struct, frozen=True):
    """The hard limits of the risk gate. price_collar_pct: percent from the last price, a decimal; price_age_days_max: its age in days."""

    order_quantity_max: Quantity
    order_notional_max: Money
    position_notional_max: Money
    open_orders_max: int
    price_collar_pct: str
    short_allowed: bool
    price_age_days_max: int = 0


class OrderPreview(msgspec.Struct, frozen=True):
    """What the risk gate would say of an order now. code and detail: its no, absent where the order would pass.

    price: the last raw price. value: quantity at the limit or the last price. free: cash that no order under way takes.
    """

    code: str | None
    detail: str | None
    price: Price | None
    value: Money | None
    free: Money
    position: Quantity
    open_orders: int
    trading_state: TradingState
    limits: OrderLimits


class OrderPreviewAsked(Question[OrderPreview], frozen=True, kw_only=True):
    """Ask the risk gate about an order without placing it; what it says may change before the order comes."""

    VERB = "orders.preview"
    ANSWER = OrderPreview

    user_id: UserId
    account_id: AccountId
    instrument: Instrument
    side: Side
    quantity: Quantity
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Price | None = None
    stop_price: Price | None = None


class AccountBook(msgspec.Struct, frozen=True):
    """An account in our books and in the broker's. Positions by instrument id."""

    account_id: AccountId
    currency: str
    opening_cash: Money
    cash: Money
    broker_cash: Money
    positions: dict[str, Quantity]
    broker_positions: dict[str, Quantity]
    orders: int
    executions: int
    broker_orders: int
    broker_executions: int
    duplicate_orders: int
    orders_without_intent: tuple[str, ...]
    executions_not_booked: tuple[str, ...]
    open_breaks: tuple[str, ...]


class Books(msgspec.Struct, frozen=True):
    accounts: tuple[AccountBook, ...]


class BooksAsked(Question[Books], frozen=True, kw_only=True):
    """Ours beside the brokers', read now."""

    VERB = "books"
    ANSWER = Books
