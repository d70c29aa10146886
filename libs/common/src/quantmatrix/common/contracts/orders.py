"""The `orders` family, said by execution: accounts, the life of an order, trading states."""

from datetime import date

from quantmatrix.common.contracts.message import AccountToken, Instant, Message
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import OrderId, OrderState, OrderType, Side, TimeInForce, TradingState, UserId
from quantmatrix.common.values import Money, Price, Quantity


class AccountOpened(Message, frozen=True, kw_only=True, tag="AccountOpened"):
    """A broker account is connected; `cash` is what it holds at that moment."""

    OWNER = "execution"
    FAMILY = "orders"
    SUBJECT = "orders.account.{m.account_id}"
    KEY = "orders.{m.account_id}"

    user_id: UserId
    account_id: AccountToken
    broker: str
    currency: str
    cash: Money
    paper: bool


class TradingStateChanged(Message, frozen=True, kw_only=True, tag="TradingStateChanged"):
    """An account may trade, only reduce, or not trade at all."""

    OWNER = "execution"
    FAMILY = "orders"
    SUBJECT = "orders.trading_state.{m.account_id}"
    KEY = "orders.{m.account_id}"

    user_id: UserId
    account_id: AccountToken
    state: TradingState
    reason: str


class OrderEvent(Message, frozen=True, kw_only=True):
    """What every event of an order repeats, so that a reader needs no other message to understand it.

    client_ref: the reference the broker knows the order by, 20 characters of 0-9 and A-Z. session: the exchange date
    the event belongs to. filled: how much is filled so far.
    """

    OWNER = "execution"
    FAMILY = "orders"
    KEY = "orders.{m.account_id}"

    user_id: UserId
    account_id: AccountToken
    order_id: OrderId
    client_ref: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    filled: Quantity
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None = None
    stop_price: Price | None = None
    triggered_by: str
    state: OrderState
    session: date
    broker_order_id: str = ""


class OrderSubmitted(OrderEvent, frozen=True, kw_only=True, tag="OrderSubmitted"):
    """The intent is stored and on its way to the broker."""

    SUBJECT = "orders.submitted.{m.account_id}"


class OrderDenied(OrderEvent, frozen=True, kw_only=True, tag="OrderDenied"):
    """We refused the order before any broker saw it: `code` is CATEGORY_CONDITION, `detail` its figures."""

    SUBJECT = "orders.denied.{m.account_id}"

    code: str
    detail: str


class OrderAccepted(OrderEvent, frozen=True, kw_only=True, tag="OrderAccepted"):
    """The broker works the order."""

    SUBJECT = "orders.accepted.{m.account_id}"


class OrderRejected(OrderEvent, frozen=True, kw_only=True, tag="OrderRejected"):
    """The broker refused the order."""

    SUBJECT = "orders.rejected.{m.account_id}"

    code: str
    detail: str


class OrderUnknown(OrderEvent, frozen=True, kw_only=True, tag="OrderUnknown"):
    """The order was sent and no answer came. Only asking the broker ends this state."""

    SUBJECT = "orders.unknown.{m.account_id}"

    detail: str


class OrderCancelling(OrderEvent, frozen=True, kw_only=True, tag="OrderCancelling"):
    """A cancel is on its way; fills may still come."""

    SUBJECT = "orders.cancelling.{m.account_id}"


class OrderCancelled(OrderEvent, frozen=True, kw_only=True, tag="OrderCancelled"):
    """The broker confirms that the rest will not fill."""

    SUBJECT = "orders.cancelled.{m.account_id}"

    detail: str = ""


class OrderExpired(OrderEvent, frozen=True, kw_only=True, tag="OrderExpired"):
    """The order's time ran out at the broker."""

    SUBJECT = "orders.expired.{m.account_id}"


class OrderAdjusted(OrderEvent, frozen=True, kw_only=True, tag="OrderAdjusted"):
    """A corporate action changed a working order's quantity and prices at the broker."""

    SUBJECT = "orders.adjusted.{m.account_id}"

    reason: str


class BreakFound(Message, frozen=True, kw_only=True, tag="BreakFound"):
    """The broker's books and ours differ: what, our figure, the broker's figure."""

    OWNER = "execution"
    FAMILY = "orders"
    SUBJECT = "orders.break.{m.account_id}"
    KEY = "orders.{m.account_id}"

    user_id: UserId
    account_id: AccountToken
    subject_of_break: str
    ours: str
    theirs: str
    found_at: Instant


class BreakResolved(Message, frozen=True, kw_only=True, tag="BreakResolved"):
    """A difference between the broker's books and ours is over: it is gone, or a person accepted it with a reason.

    cash: how much more the account holds than was counted before, when a difference in cash was accepted: a deposit or a withdrawal.
    """

    OWNER = "execution"
    FAMILY = "orders"
    SUBJECT = "orders.break_resolved.{m.account_id}"
    KEY = "orders.{m.account_id}"

    user_id: UserId
    account_id: AccountToken
    subject_of_break: str
    resolution: str
    accepted: bool
    cash: Money | None = None
