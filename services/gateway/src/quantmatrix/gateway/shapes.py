"""The shapes that existing clients expect: their names, and JSON numbers made from exact decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from quantmatrix.common.contracts.asking.execution import OrderSummary
from quantmatrix.common.contracts.asking.portfolio import Portfolio, PositionSummary
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import OrderState
from quantmatrix.common.values import Money, notional, round_half_even
from quantmatrix.gateway.figures import percent

MONEY_DIGITS = 2
PCT_DIGITS = 4
TRADE_STATES: dict[OrderState, Literal["pending", "filled", "cancelled"]] = {
    OrderState.SUBMITTING: "pending",
    OrderState.ACCEPTED: "pending",
    OrderState.PARTIALLY_FILLED: "pending",
    OrderState.CANCELLING: "pending",
    OrderState.UNKNOWN: "pending",
    OrderState.FILLED: "filled",
    OrderState.CANCELLED: "cancelled",
    OrderState.EXPIRED: "cancelled",
    OrderState.REJECTED: "cancelled",
    OrderState.DENIED: "cancelled",
}
HOT, WARM, COOL = 0.75, 0.5, 0.25


class PositionShape(msgspec.Struct, frozen=True):
    product_id: str
    crypto_balance: Decimal
    usd_invested: Decimal | None
    current_value: Decimal | None
    unrealized_pnl: Decimal | None
    pnl_pct: Decimal | None


class PortfolioShape(msgspec.Struct, frozen=True):
    """What a person has, in US dollars; total_pnl is realised and unrealised together."""

    total_usd_balance: Decimal
    positions: tuple[PositionShape, ...]
    total_pnl: Decimal


class TradeShape(msgspec.Struct, frozen=True):
    """An order as older clients know it. price is the average fill, or the last price while nothing is filled."""

    id: str
    product_id: str
    side: Literal["BUY", "SELL"]
    size_usd: Decimal | None
    size_crypto: Decimal
    price: Decimal | None
    status: Literal["pending", "filled", "cancelled"]
    filled_at: datetime | None
    triggered_by: str


class SignalShape(msgspec.Struct, frozen=True):
    """The latest decision on an instrument. combined_score runs from 0 to 1."""

    bot_id: str
    product_id: str
    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"]
    combined_score: Decimal
    recommended_action: Literal["BUY", "SELL", "HOLD"]
    last_evaluation: datetime
    ready_to_trade: bool


def portfolio_shape(portfolio: Portfolio) -> PortfolioShape:
    """Every account in US dollars together: equity as the balance, realised and unrealised as the profit."""
    zero = Money.zero("USD")
    accounts = [one for one in portfolio.accounts if one.equity.currency == "USD"]
    return PortfolioShape(
        total_usd_balance=cents(sum((one.equity for one in accounts), zero)),
        positions=tuple(_position(one) for one in portfolio.positions if one.instrument.currency == "USD"),
        total_pnl=cents(sum((one.realised + one.unrealised for one in accounts), zero)),
    )


def _position(one: PositionSummary) -> PositionShape:
    pnl = percent(one.unrealised, abs(one.basis)) if one.unrealised is not None and one.basis is not None else None
    return PositionShape(
        product_id=one.instrument.symbol,
        crypto_balance=one.quantity.value,
        usd_invested=cents(one.basis) if one.basis is not None else None,
        current_value=cents(one.value) if one.value is not None else None,
        unrealized_pnl=cents(one.unrealised) if one.unrealised is not None else None,
        pnl_pct=round_half_even(pnl, PCT_DIGITS) if pnl is not None else None,
    )


def trade_shape(order: OrderSummary) -> TradeShape:
    status = TRADE_STATES[order.state]
    price = order.average_price or order.reference_price
    quantity = order.filled if status == "filled" else order.quantity
    value = notional(price, quantity, order.instrument.multiplier, order.instrument.currency) if price is not None else None
    return TradeShape(
        id=str(order.order_id),
        product_id=order.instrument.symbol,
        side=order.side.value,
        size_usd=cents(value) if value is not None else None,
        size_crypto=quantity.value,
        price=price.value if price is not None else None,
        status=status,
        filled_at=order.filled_at if status == "filled" else None,
        triggered_by=order.triggered_by,
    )


def signal_shape(signal: SignalRaised, *, as_of: datetime | None) -> SignalShape:
    """Strength becomes the score; a decision with a side and a quantity is ready to trade until it expires, in event time."""
    score = signal.strength
    return SignalShape(
        bot_id=signal.triggered_by,
        product_id=signal.instrument.symbol,
        temperature="HOT" if score >= HOT else "WARM" if score >= WARM else "COOL" if score >= COOL else "FROZEN",
        combined_score=round_half_even(Decimal(repr(score)), PCT_DIGITS),
        recommended_action=signal.side.value if signal.side else "HOLD",
        last_evaluation=signal.decided_at.astimezone(UTC),
        ready_to_trade=signal.side is not None and signal.quantity is not None and (as_of is None or as_of <= signal.expires_at),
    )


def cents(value: Money) -> Decimal:
    """An amount rounded to cents, once."""
    return round_half_even(value.amount, MONEY_DIGITS)
