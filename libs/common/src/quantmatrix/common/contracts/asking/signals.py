"""Questions to signals: what was decided lately, and which runs there are."""

from datetime import date
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import AccountId, InstrumentId, RunId, UserId
from quantmatrix.common.values import Money


class Signals(msgspec.Struct, frozen=True):
    """The latest first."""

    signals: tuple[SignalRaised, ...]


class SignalsAsked(Question[Signals], frozen=True, kw_only=True):
    """Signals of a user, the latest first; before and before_id: the last one of the page before."""

    VERB = "signals"
    ANSWER = Signals

    user_id: UserId
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None
    before: Instant | None = None
    before_id: UUID | None = None
    limit: int = 50


class RunSummary(msgspec.Struct, frozen=True):
    run_id: RunId
    account_id: AccountId
    strategy: str
    triggered_by: str
    state: str
    base: Money
    cash: Money
    positions: int


class Runs(msgspec.Struct, frozen=True):
    runs: tuple[RunSummary, ...]


class RunsAsked(Question[Runs], frozen=True, kw_only=True):
    VERB = "runs"
    ANSWER = Runs

    user_id: UserId


class Chart(msgspec.Struct, frozen=True):
    """An instrument as statistics, for drawing: columns of equal length, oldest first, null where history is too short.

    Everything is in today's units (history divided by later splits), so that the last close is today's raw price.
    ladder: price of SMA50 + k × ATR by k. distance: (close - SMA50) / ATR; zone: its name.
    """

    instrument_id: InstrumentId
    sessions: tuple[date, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]
    sma20: tuple[float | None, ...]
    sma50: tuple[float | None, ...]
    ladder: dict[str, float]
    atr: float | None
    atr_pct: float | None
    distance: float | None
    zone: str | None


class ChartAsked(Question[Chart], frozen=True, kw_only=True):
    """The last `limit` bars with averages and today's ladder."""

    VERB = "chart"
    ANSWER = Chart

    instrument_id: InstrumentId
    limit: int = 500
