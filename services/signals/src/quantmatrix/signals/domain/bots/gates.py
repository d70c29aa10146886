"""Every gate between a bot's opinion and an order, in a fixed order; the first that is shut is the answer, with its figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.values import Money, Price, plain
from quantmatrix.signals.domain.bots.confirmation import Confirmed
from quantmatrix.signals.domain.bots.scores import Action, Opinion, Temperature


class Readiness(StrEnum):
    """How a bot stands, for people."""

    CONFIRMING = "confirming"
    READY = "ready"
    COOLING_DOWN = "cooling_down"
    NO_SIGNAL = "no_signal"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class BotLimits:
    """What a bot may do. order_min holds for every product; a product's own least order is in the standing."""

    cooldown: timedelta = timedelta(minutes=15)
    price_step_pct: Decimal = Decimal(2)
    order_min: Decimal = Decimal(10)
    order_max: Decimal = Decimal(10_000)
    trades_a_day_max: int = 10
    loss_a_day_max: Decimal = Decimal(100)
    losses_in_a_row_max: int = 3


@dataclass(frozen=True, slots=True)
class BotStanding:
    """What is known at this instant. last_fill_at and last_price are of the last fill that this bot triggered, None before any.

    realised_today: profit of today's closed trades, without fees counted as losses; losses_in_a_row by realised profit too.
    """

    now: datetime
    is_running: bool
    open_orders: int
    price: Price
    size: Money
    balance: Money
    product_min: Money
    last_fill_at: datetime | None = None
    last_price: Price | None = None
    trades_today: int = 0
    realised_today: Decimal = Decimal(0)
    losses_in_a_row: int = 0
    emergency_stop: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an order may go out; code and detail say which gate was shut and with what figures."""

    readiness: Readiness
    code: str = ""
    detail: str = ""

    @property
    def is_open(self) -> bool:
        return self.readiness is Readiness.READY


def through_the_gates(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict:
    """Ask every gate in order: state, open order, temperature, confirmation, cooldown, price step, size, balance, day, losses, stop."""
    for gate in (_state, _warmth, _confirmation, _cooldown, _price_step, _size, _day, _losses):
        if verdict := gate(opinion, confirmed, standing, limits):
            return verdict
    return Verdict(Readiness.READY)


def _blocked(code: str, detail: str) -> Verdict:
    return Verdict(Readiness.BLOCKED, code, detail)


def _state(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    if not standing.is_running:
        return _blocked("BOT_NOT_RUNNING", "the bot is not running")
    if standing.open_orders:
        return _blocked("OPEN_ORDER", f"{standing.open_orders} orders of this bot are open")
    return None


def _warmth(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    detail = f"score {opinion.score:+.4f}, {opinion.temperature}, {opinion.distance_to_action:.4f} to act"
    if opinion.temperature in (Temperature.FROZEN, Temperature.COOL):
        return Verdict(Readiness.NO_SIGNAL, "TOO_COLD", detail)
    if opinion.action is Action.HOLD:
        return Verdict(Readiness.NO_SIGNAL, "NO_ACTION", f"{detail}, confidence {opinion.confidence:.2f}")
    return None


def _confirmation(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    if confirmed.state is None or confirmed.state.action is not opinion.action or not confirmed.is_confirmed:
        return Verdict(Readiness.CONFIRMING, "NOT_CONFIRMED", f"{100 * confirmed.progress:.0f} % of the required time")
    return None


def _cooldown(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    if standing.last_fill_at is None or standing.now - standing.last_fill_at >= limits.cooldown:
        return None
    return Verdict(Readiness.COOLING_DOWN, "COOLING_DOWN", f"until {standing.last_fill_at + limits.cooldown:%Y-%m-%d %H:%M:%S}Z")


def _price_step(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    """Only purchases: the price has moved enough since this bot last traded."""
    if opinion.action is not Action.BUY or standing.last_price is None:
        return None
    moved = abs(standing.price.value - standing.last_price.value) / standing.last_price.value * 100
    if moved >= limits.price_step_pct:
        return None
    return _blocked("PRICE_STEP", f"moved {moved:.2f} % since {standing.last_price}, at least {limits.price_step_pct} %")


def _size(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    size, least = standing.size.amount, max(limits.order_min, standing.product_min.amount)
    if size < least:
        return _blocked("SIZE_SMALL", f"{standing.size}, at least {plain(least)}")
    if size > limits.order_max:
        return _blocked("SIZE_LARGE", f"{standing.size}, at most {plain(limits.order_max)}")
    if opinion.action is Action.BUY and standing.size > standing.balance:
        return _blocked("BALANCE", f"{standing.size} wanted, {standing.balance} there")
    return None


def _day(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    if standing.trades_today >= limits.trades_a_day_max:
        return _blocked("TRADES_TODAY", f"{standing.trades_today} trades today, at most {limits.trades_a_day_max}")
    if -standing.realised_today >= limits.loss_a_day_max:
        return _blocked("LOSS_TODAY", f"lost {-standing.realised_today} today, at most {limits.loss_a_day_max}")
    return None


def _losses(opinion: Opinion, confirmed: Confirmed, standing: BotStanding, limits: BotLimits) -> Verdict | None:
    if standing.losses_in_a_row >= limits.losses_in_a_row_max:
        return _blocked("LOSSES_IN_A_ROW", f"{standing.losses_in_a_row} in a row, at most {limits.losses_in_a_row_max}")
    if standing.emergency_stop:
        return _blocked("EMERGENCY_STOP", "the emergency stop is set")
    return None
