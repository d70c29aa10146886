"""Questions to signals: what was decided lately, and which runs there are."""

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import AccountId, RunId, UserId
from quantmatrix.common.values import Money


class Signals(msgspec.Struct, frozen=True):
    """The latest first."""

    signals: tuple[SignalRaised, ...]


class SignalsAsked(Question[Signals], frozen=True, kw_only=True):
    VERB = "signals"
    ANSWER = Signals

    user_id: UserId
    account_id: AccountId | None = None
    before: Instant | None = None
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
