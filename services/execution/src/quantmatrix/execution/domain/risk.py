"""The risk gate: an intent becomes an approved order, or a denial with a code and its figures. Nothing else makes either."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from quantmatrix.common.names import LotId, OrderType, Side, TradingState
from quantmatrix.common.options import cash_bound, cash_bound_by, is_option
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.domain.commission import Tariff
from quantmatrix.execution.domain.orders import Intent, Order

_SEAL: Final = object()
NONE = Quantity(0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of an account. Notional limits are in the account's currency. tariff: what its orders cost.

    price_age_days_max: how old the last price may be, in days of event time, for an order that opens risk.
    """

    order_quantity_max: Quantity
    order_notional_max: Money
    position_notional_max: Money
    open_orders_max: int
    price_collar_pct: Decimal
    price_age_days_max: int
    short_allowed: bool
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class Standing:
    """What the account looks like at this instant, working orders included. price: the last raw price of the instrument; priced_at: when.

    position: what the broker surely holds of ours too. reserved: what purchases under way may still take, commission included. named_lots:
    those that open orders name. shorts: by symbol what was sold without being held, or would be by sales under way, below zero. bound: the
    shares of the instrument that calls of these bind; cover: the calls that free shares cover, where it is one.
    """

    trading_state: TradingState
    cash: Money
    reserved: Money
    position: Quantity
    working_buys: Quantity
    working_sells: Quantity
    open_orders: int
    open_breaks: int
    price: Price | None
    priced_at: datetime | None
    instrument_known: bool
    now: datetime
    named_lots: frozenset[LotId] = frozenset()
    shorts: tuple[tuple[str, Quantity], ...] = ()
    bound: Quantity = NONE
    cover: Quantity = NONE

    @property
    def free(self) -> Money:
        """The cash that neither purchases under way may take nor sold puts bind."""
        return self.cash - self.reserved - cash_bound_by(self.shorts, self.cash.currency)


@dataclass(frozen=True, slots=True)
class Denial:
    """Our own no: a stable code CATEGORY_CONDITION and the figures behind it."""

    code: str
    detail: str


class ApprovedOrder:
    """An intent that passed every check. Only `assess` can make one."""

    __slots__ = ("intent", "reference_price")

    def __init__(self, intent: Intent, reference_price: Price, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only the risk gate approves orders")
        self.intent = intent
        self.reference_price = reference_price


def assess(intent: Intent, standing: Standing, limits: Limits) -> ApprovedOrder | Denial:
    """Check an intent against the account and its limits, in a fixed order; the first no is the answer.

    An order that only reduces what is held is spared the limits on size in money, so that a way out is never closed;
    the trading state HALTED closes it on purpose.
    """
    reducing = is_reducing(intent, standing)
    price = standing.price
    if (
        denial := _standing_says_no(intent, standing, reducing=reducing)
        or _lots_say_no(intent, standing)
        or _calls_say_no(intent, standing)
    ):
        return denial
    if limits.order_notional_max.currency != standing.cash.currency and not reducing:
        return Denial("LIMITS_CURRENCY", f"limits are in {limits.order_notional_max.currency}, the account holds {standing.cash.currency}")
    if price is None:
        return Denial("PRICE_UNKNOWN", f"no price of {intent.instrument.symbol} has been seen yet")
    if denial := _age_says_no(intent, standing, limits, reducing=reducing) or _size_says_no(
        intent, standing, limits, price, reducing=reducing
    ):
        return denial
    if denial := _price_says_no(intent, limits, price):
        return denial
    if denial := _cash_says_no(intent, standing, limits, price, reducing=reducing):
        return denial
    return ApprovedOrder(intent, price, _SEAL)


def unowned(intent: Intent) -> Denial:
    """The no to an account that is not there or somebody else's; the two look the same."""
    return Denial("ACCOUNT_UNKNOWN", f"there is no account {intent.account_id} of yours")


def is_reducing(intent: Intent, standing: Standing) -> bool:
    """Whether the order, with those under way, can only bring the position closer to zero."""
    if intent.side is Side.SELL:
        return standing.position - standing.working_sells >= intent.quantity
    return standing.position + standing.working_buys + intent.quantity <= Quantity(0)


def surely_held(ours: Quantity, gap: Quantity) -> Quantity:
    """What is there of our position when a person accepted that the broker holds `gap` more: what it does not hold cannot be sold, and
    what it holds besides has no lots here.
    """
    if ours.value > 0:
        return max(min(ours, ours + gap), NONE)
    return min(max(ours, ours + gap), NONE)


def may_leave(order: Order, state: TradingState, position: Quantity) -> bool:
    """Whether an order that was approved earlier and never reached its broker may still be sent in this trading state."""
    if state is TradingState.REDUCING:
        return order.quantity <= (position if order.side is Side.SELL else -position)
    return state is TradingState.ACTIVE


def _standing_says_no(intent: Intent, standing: Standing, *, reducing: bool) -> Denial | None:
    if not standing.instrument_known:
        return Denial("INSTRUMENT_UNKNOWN", f"{intent.instrument.symbol} ({intent.instrument.instrument_id}) is not listed here")
    if intent.instrument.currency != standing.cash.currency:
        return Denial(
            "CURRENCY_OTHER", f"the instrument trades in {intent.instrument.currency}, the account holds {standing.cash.currency}"
        )
    if standing.trading_state is TradingState.HALTED:
        return Denial("TRADING_HALTED", "the account is halted")
    if standing.trading_state is TradingState.REDUCING and not reducing:
        return Denial("TRADING_REDUCING", "the account may only reduce positions")
    if standing.open_breaks and not reducing:
        return Denial("ACCOUNT_BREAK", f"{standing.open_breaks} open differences between the broker's books and ours")
    if intent.expires_at is not None and standing.now > intent.expires_at:
        return Denial("INTENT_EXPIRED", f"valid until {intent.expires_at:%Y-%m-%d %H:%M}Z, it is {standing.now:%Y-%m-%d %H:%M}Z")
    return None


def _lots_say_no(intent: Intent, standing: Standing) -> Denial | None:
    """Two open orders never name the same units: a lot that one of them names waits for its end."""
    for lot_id, _ in intent.lots:
        if lot_id in standing.named_lots:
            return Denial("LOT_NAMED", f"lot {lot_id} is named by another open order: name other lots, or cancel that order first")
    return None


def _calls_say_no(intent: Intent, standing: Standing) -> Denial | None:
    """Shares that cover sold calls are there to be delivered: whoever wants to sell them buys the calls back first."""
    if intent.side is Side.BUY or not standing.bound:
        return None
    left = standing.position - standing.working_sells - standing.bound
    if intent.quantity <= left:
        return None
    return Denial("SHARES_BOUND", f"selling={intent.quantity} free={left} bound by sold calls={standing.bound}: buy the calls back first")


def _age_says_no(intent: Intent, standing: Standing, limits: Limits, *, reducing: bool) -> Denial | None:
    """Whoever opens risk knows what the instrument is worth now: event time decides, so a replay of the past is as fresh as it was then."""
    if reducing or standing.priced_at is None or standing.now - standing.priced_at <= timedelta(days=limits.price_age_days_max):
        return None
    told = f"last={standing.price} of {standing.priced_at:%Y-%m-%d %H:%M}Z, it is {standing.now:%Y-%m-%d %H:%M}Z"
    return Denial("PRICE_STALE", f"{told} limit={limits.price_age_days_max} days: wait for a price of {intent.instrument.symbol}")


def _size_says_no(intent: Intent, standing: Standing, limits: Limits, price: Price, *, reducing: bool) -> Denial | None:
    if intent.quantity.value <= 0:
        return Denial("ORDER_QUANTITY", f"quantity={intent.quantity}, a quantity is above zero")
    if intent.quantity > limits.order_quantity_max:
        return Denial("ORDER_QUANTITY", f"quantity={intent.quantity} limit={limits.order_quantity_max}")
    if standing.open_orders >= limits.open_orders_max:
        return Denial("ORDERS_OPEN", f"open={standing.open_orders} limit={limits.open_orders_max}")
    if reducing:
        return None
    after = standing.position + (
        standing.working_buys + intent.quantity if intent.side is Side.BUY else -standing.working_sells - intent.quantity
    )
    if denial := _short_says_no(intent, standing, limits, after):
        return denial
    currency = intent.instrument.currency
    secures = cash_bound(intent.instrument.symbol, -after, currency) if after < Quantity(0) else None
    value = _secures(intent, standing) or _value(intent, price)
    if value > limits.order_notional_max:
        return Denial("ORDER_NOTIONAL", f"notional={value} limit={limits.order_notional_max}")
    position_value = secures or abs(notional(price, after, intent.instrument.multiplier, currency))
    if position_value > limits.position_notional_max:
        return Denial("POSITION_NOTIONAL", f"position={position_value} limit={limits.position_notional_max}")
    return None


def _short_says_no(intent: Intent, standing: Standing, limits: Limits, after: Quantity) -> Denial | None:
    """Puts are sold short wherever they are secured by cash, calls where shares cover them; everything else where the limits allow it."""
    if after >= Quantity(0) or _secures(intent, standing) is not None:
        return None
    told = f"held={standing.position} selling={standing.working_sells + intent.quantity}"
    if is_option(intent.instrument.symbol):
        if _uncovered(intent, standing) <= standing.cover:
            return None
        return Denial("CALL_NOT_COVERED", f"{told} free shares cover={standing.cover}: calls are sold against shares alone")
    return None if limits.short_allowed else Denial("POSITION_SHORT", f"{told}, short positions are not allowed")


def _uncovered(intent: Intent, standing: Standing) -> Quantity:
    """What this order sells without holding it."""
    held = max(standing.position - standing.working_sells, NONE)
    return intent.quantity - min(held, intent.quantity)


def _secures(intent: Intent, standing: Standing) -> Money | None:
    """The cash that the puts bind which this order sells without holding them; None where it sells none."""
    if intent.side is Side.BUY:
        return None
    sold = _uncovered(intent, standing)
    return cash_bound(intent.instrument.symbol, sold, intent.instrument.currency) if sold else None


def _price_says_no(intent: Intent, limits: Limits, price: Price) -> Denial | None:
    """Every price the order was made with stays within the collar around the last price."""
    if intent.order_type is OrderType.LIMIT and intent.limit_price is None:
        return Denial("ORDER_PRICE", "a limit order needs a limit price")
    if intent.order_type is OrderType.STOP and intent.stop_price is None:
        return Denial("ORDER_PRICE", "a stop order needs a stop price")
    for name, given in (("limit", intent.limit_price), ("stop", intent.stop_price), ("decided", intent.price)):
        if given is None:
            continue
        off = _apart_pct(given, price)
        if off > limits.price_collar_pct:
            return Denial("PRICE_COLLAR", f"{name}={given} last={price} off={off:.2f}% limit={limits.price_collar_pct}%")
    return None


def _apart_pct(given: Price, last: Price) -> Decimal:
    """How far apart two prices are, in percent of the last one; beside a contract that closed at zero every other price is endlessly far."""
    apart = abs(given.value - last.value)
    if not last:
        return Decimal("Infinity") if apart else Decimal(0)
    return apart / last.value * 100


def _cash_says_no(intent: Intent, standing: Standing, limits: Limits, price: Price, *, reducing: bool) -> Denial | None:
    """A market order is reckoned at the last price, as a backtest does; what a higher open costs more, its fill has to do without."""
    secures = _secures(intent, standing)
    if secures is not None and secures > standing.free:
        return Denial("CASH_SECURED", f"needed={secures} free={standing.free}: a put is sold against the cash of its strike")
    if intent.side is Side.SELL or reducing:
        return None
    needed = limits.tariff.needed(intent.instrument.symbol, intent.quantity, _value(intent, price))
    if needed > standing.free:
        return Denial("BUYING_POWER", f"needed={needed} free={standing.free}")
    return None


def _value(intent: Intent, price: Price) -> Money:
    """What the order is worth at its limit, else at the last price; a stop to buy is not touched below its own price."""
    at = intent.limit_price or (max(price, intent.stop_price) if intent.stop_price and intent.side is Side.BUY else price)
    return notional(at, intent.quantity, intent.instrument.multiplier, intent.instrument.currency)
