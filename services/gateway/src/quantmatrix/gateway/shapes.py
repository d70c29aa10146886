"""The shapes that existing clients expect: their names, and JSON numbers made from exact decimals."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from quantmatrix.common.contracts.asking.execution import OrderSummary
from quantmatrix.common.contracts.asking.portfolio import Portfolio, PositionSummary
from quantmatrix.common.contracts.asking.runs import Input, RunDetail, VerdictTold
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import OrderState, RunState, Side
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
HOT, WARM, COOL = 0.30, 0.15, 0.05
"""Sizes of a score from which a bot is called so."""


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
    """The latest decision on an instrument. combined_score runs from -1 to +1, above zero to buy."""

    bot_id: str
    product_id: str
    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"]
    combined_score: Decimal
    recommended_action: Literal["BUY", "SELL", "HOLD"]
    last_evaluation: datetime
    ready_to_trade: bool


class BotShape(msgspec.Struct, frozen=True):
    """A run of a strategy as a bot. product_id: what it looked at last, or holds; trade_size_usd: what one purchase is of its capital
    now. Both are null where there is none.
    """

    id: str
    name: str
    product_id: str | None
    status: Literal["RUNNING", "STOPPED", "ERROR"]
    signal_config: dict[str, Any]
    trade_size_usd: Decimal | None
    confirmation_minutes: int
    cooldown_minutes: int
    last_evaluation: datetime | None


class EvaluationResult(msgspec.Struct, frozen=True):
    """trade_id: the order that came of it."""

    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"]
    trade_executed: bool
    trade_id: str | None


class EvaluationShape(msgspec.Struct, frozen=True):
    """The latest evaluation of a bot. forced is false: each closed bar is evaluated once, and asking trades nothing."""

    forced: bool
    result: EvaluationResult


def bot_shape(run: RunDetail, inputs: Sequence[Input], latest: VerdictTold | None) -> BotShape:
    """inputs: its strategy's parameters, whose defaults hold where nothing was chosen. latest: its latest verdict; none of a strategy
    that is no bot, or of one that saw no bar yet.
    """
    told = {one.name: one.default for one in inputs} | run.parameters
    settings = {name: json.loads(text, parse_float=Decimal) for name, text in told.items()}
    share = next((settings[name] for name in ("position_pct", "max_position_pct") if settings.get(name)), None)
    looked = latest.instrument if latest is not None else run.holdings[0].instrument if run.holdings else None
    return BotShape(
        id=run.triggered_by,
        name=run.strategy,
        product_id=looked.symbol if looked is not None else None,
        status="RUNNING" if run.state is RunState.RUNNING else "STOPPED",
        signal_config=settings,
        trade_size_usd=cents(run.base.times(Decimal(share) / 100)) if share is not None else None,
        confirmation_minutes=settings.get("confirmation_min", 0),
        cooldown_minutes=settings.get("cooldown_min", 0),
        last_evaluation=latest.at.astimezone(UTC) if latest is not None else None,
    )


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
    """A bot's own score, or the strength with the sign of its side, and zero without one; what has a side and a quantity is ready to
    trade until it expires, in event time.
    """
    sign = {Side.BUY: 1, Side.SELL: -1}.get(signal.side, 0) if signal.side else 0
    score = signal.metrics.get("score", sign * signal.strength)
    return SignalShape(
        bot_id=signal.triggered_by,
        product_id=signal.instrument.symbol,
        temperature="HOT" if abs(score) >= HOT else "WARM" if abs(score) >= WARM else "COOL" if abs(score) >= COOL else "FROZEN",
        combined_score=round_half_even(Decimal(repr(score)), PCT_DIGITS),
        recommended_action=signal.side.value if signal.side else "HOLD",
        last_evaluation=signal.decided_at.astimezone(UTC),
        ready_to_trade=signal.side is not None and signal.quantity is not None and (as_of is None or as_of <= signal.expires_at),
    )


def cents(value: Money) -> Decimal:
    """An amount rounded to cents, once."""
    return round_half_even(value.amount, MONEY_DIGITS)
