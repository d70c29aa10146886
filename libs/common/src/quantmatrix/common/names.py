"""The identities and closed choices that every room of every service speaks of."""

from enum import StrEnum
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
AccountId = NewType("AccountId", str)
InstrumentId = NewType("InstrumentId", str)
RunId = NewType("RunId", UUID)
SignalId = NewType("SignalId", UUID)
OrderId = NewType("OrderId", UUID)
FillId = NewType("FillId", UUID)
LotId = NewType("LotId", UUID)
ClosingId = NewType("ClosingId", UUID)
NotificationId = NewType("NotificationId", UUID)
ActionId = NewType("ActionId", UUID)

TOKEN = r"^[A-Za-z0-9_-]{1,40}$(?!\n)"  # noqa: S105 - a token of a subject, not a secret
"""What may stand as one token of a subject: accounts, instruments, calendars, time frames. Python's `$` alone lets a line's end through."""


class AssetClass(StrEnum):
    STOCK = "stock"
    OPTION = "option"
    FUTURE = "future"
    FUND = "fund"
    CRYPTO = "crypto"
    CURRENCY = "currency"


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"


class OrderState(StrEnum):
    """Where an order stands. *Denied* is our own no, *rejected* the broker's, *unknown* is sent without an answer."""

    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"


class TradingState(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class SignalKind(StrEnum):
    ENTRY = "entry"
    SCALE_OUT = "scale_out"
    EXIT = "exit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    ALERT = "alert"
    RISK_WARNING = "risk_warning"

    @property
    def urgency(self) -> str | None:
        """How soon a person should look: HIGH for what leaves a position, MEDIUM for a warning; None for what can wait."""
        if self in (SignalKind.EXIT, SignalKind.STOP_LOSS):
            return "HIGH"
        return "MEDIUM" if self is SignalKind.RISK_WARNING else None


class RunState(StrEnum):
    """running: decides. paused: leaves positions, enters none. stopping: sells what it holds. stopped: decides nothing any more."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"


class RunAct(StrEnum):
    """What a person can ask of a run. flatten: sell everything and stop; keep: stop, positions stay on the account."""

    PAUSE = "pause"
    RESUME = "resume"
    FLATTEN = "flatten"
    KEEP = "keep"


class ActionKind(StrEnum):
    SPLIT = "split"
    DIVIDEND = "dividend"


class ContractEnding(StrEnum):
    """How option contracts ended. settlement: for what they were in the money by, since the account could not carry their delivery."""

    EXERCISE = "exercise"
    ASSIGNMENT = "assignment"
    EXPIRY = "expiry"
    SETTLEMENT = "settlement"


class SessionPhase(StrEnum):
    DARK = "DARK"
    PREP = "PREP"
    OPEN = "OPEN"
    COOLDOWN = "COOLDOWN"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"
