"""The `signals` family, said by signals: decisions with their reasons, and the life of strategy runs."""

import math
from datetime import date

import msgspec

from quantmatrix.common.contracts.message import AccountToken, Instant, Message, Watermark
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import RunId, RunState, Side, SignalId, SignalKind, UserId
from quantmatrix.common.values import Money, Price, Quantity


class Reason(msgspec.Struct, frozen=True):
    """One condition that was looked at: its name, whether it held, and the figures in words."""

    code: str
    met: bool
    text: str
    weight: float = 0.0


class SignalRaised(Message, frozen=True, kw_only=True, tag="SignalRaised"):
    """A strategy run decided something on the close of a completed bar.

    Prices are today's raw prices; metrics are statistics (floats) by name. A signal that trades has a side and a
    quantity; an alert or risk warning has neither. limit: of an order that is not to fill at any price.
    decided_at: close of the bar (UTC); its instrument may be another one than the one whose bar it was, such as an option on it.
    """

    OWNER = "signals"
    FAMILY = "signals"
    SUBJECT = "signals.raised.{m.account_id}"
    KEY = "signals.raised.{m.account_id}"

    signal_id: SignalId
    run_id: RunId
    user_id: UserId
    account_id: AccountToken
    strategy: str
    triggered_by: str
    instrument: Instrument
    kind: SignalKind
    calendar: str
    session: date
    decided_at: Instant
    expires_at: Instant
    side: Side | None = None
    quantity: Quantity | None = None
    price: Price | None = None
    limit: Price | None = None
    stop: Price | None = None
    targets: tuple[Price, ...] = ()
    strength: float = 0.0
    confidence: float = 0.0
    risk_reward: float | None = None
    horizon_days: int | None = None
    reasons: tuple[Reason, ...] = ()
    metrics: dict[str, float] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for a statistic that is no number: JSON has no spelling for it, and no reader could take it."""
        statistics = {**self.metrics, "strength": self.strength, "confidence": self.confidence, "risk_reward": self.risk_reward or 0.0}
        wrong = [name for name, value in statistics.items() if not math.isfinite(value)]
        wrong += [f"weight of {reason.code}" for reason in self.reasons if not math.isfinite(reason.weight)]
        if wrong:
            raise ValueError(f"statistics of a signal must be finite: {', '.join(wrong)}")


class SignalWithdrawn(Message, frozen=True, kw_only=True, tag="SignalWithdrawn"):
    """A decision is taken back: whatever of its order has not filled is to be cancelled. reason: why, for people."""

    OWNER = "signals"
    FAMILY = "signals"
    SUBJECT = "signals.withdrawn.{m.account_id}"
    KEY = "signals.raised.{m.account_id}"

    signal_id: SignalId
    run_id: RunId
    user_id: UserId
    account_id: AccountToken
    reason: str


class SignalsWatermark(Watermark, frozen=True, kw_only=True, tag="SignalsWatermark"):
    """Every run has decided on this moment."""

    OWNER = "signals"
    FAMILY = "signals"
    SUBJECT = "signals.watermark.{m.calendar}"
    KEY = "signals.watermark.{m.calendar}"


class _OfARun(Message, frozen=True, kw_only=True):
    OWNER = "signals"
    FAMILY = "signals"
    KEY = "signals.runs.{m.account_id}"

    run_id: RunId
    user_id: UserId
    account_id: AccountToken
    strategy: str


class RunStarted(_OfARun, frozen=True, kw_only=True, tag="RunStarted"):
    """A strategy has its capital and decides from the next bar on. sentence: what a person confirmed, if a person did."""

    SUBJECT = "signals.run_started.{m.account_id}"

    triggered_by: str
    base: Money
    sentence: str = ""


class RunRefused(_OfARun, frozen=True, kw_only=True, tag="RunRefused"):
    """A run was asked for, or its capital was to change, and cannot: a code, and a sentence with the figures. Nothing was stored.

    what: start or capital.
    """

    SUBJECT = "signals.run_refused.{m.account_id}"

    code: str
    detail: str
    what: str = "start"


class RunChanged(_OfARun, frozen=True, kw_only=True, tag="RunChanged"):
    """A run was paused, goes on, stops or has stopped; reason: why."""

    SUBJECT = "signals.run_changed.{m.account_id}"

    state: RunState
    reason: str


class RunFunded(_OfARun, frozen=True, kw_only=True, tag="RunFunded"):
    """A run was given more capital, or gave some back (a negative amount); base: afterwards."""

    SUBJECT = "signals.run_funded.{m.account_id}"

    amount: Money
    base: Money
    reason: str


class CycleCompleted(_OfARun, frozen=True, kw_only=True, tag="CycleCompleted"):
    """A run's profit target was reached: so much of the profit joined the base, so much was put aside. base, reserve: afterwards."""

    SUBJECT = "signals.cycle_completed.{m.account_id}"

    cycle: int
    profit: Money
    reinvested: Money
    reserved: Money
    base: Money
    reserve: Money
