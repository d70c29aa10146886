"""Questions to signals about strategy runs: what there is to run, what a sentence means, what a run owns and what it booked."""

from datetime import date
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.contracts.signals import Reason
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, RunAct, RunId, RunState, SignalId, UserId
from quantmatrix.common.values import Money, Quantity


class Input(msgspec.Struct, frozen=True):
    """One parameter as a form draws it. kind: number, whole, choice, yes_no, words or json; default: as JSON.

    least, most: bounds, as text; above, below: whether the bound itself is left out. choices: of a choice.
    """

    name: str
    title: str
    description: str
    kind: str
    default: str
    least: str | None = None
    most: str | None = None
    above: bool = False
    below: bool = False
    choices: tuple[str, ...] = ()


class StrategyCard(msgspec.Struct, frozen=True):
    """A strategy of the slot: what it is, what it needs, and its parameters. It claims no returns."""

    name: str
    title: str
    summary: str
    category: str
    complexity: str
    capital_min: Money
    horizon: str
    needs: tuple[str, ...]
    bars_min: int
    inputs: tuple[Input, ...]


class Strategies(msgspec.Struct, frozen=True):
    """exits: parameters that any of them can have besides its own."""

    strategies: tuple[StrategyCard, ...]
    exits: tuple[Input, ...]


class StrategiesAsked(Question[Strategies], frozen=True, kw_only=True):
    VERB = "strategies"
    ANSWER = Strategies


class Misunderstood(msgspec.Struct, frozen=True):
    """What is not understood or not possible: the part, where it begins (from 0), why, and what would be possible there."""

    code: str
    part: str
    position: int
    why: str
    possible: tuple[str, ...] = ()


class Proposal(msgspec.Struct, frozen=True):
    """A run as it would start, for a person to confirm. parameters: JSON by name, defaults included; chosen: those that were said.

    free: what of the account is free. notes: what a person should know before confirming.
    """

    sentence: str
    strategy: str
    title: str
    account_id: AccountId
    broker: str
    capital: Money
    free: Money
    parameters: dict[str, str]
    chosen: dict[str, str]
    profit_target: str | None
    reinvest: str | None
    notes: tuple[str, ...]


class Proposed(msgspec.Struct, frozen=True):
    """One of the two: the proposal, or why there is none."""

    proposal: Proposal | None = None
    problem: Misunderstood | None = None


class ProposalAsked(Question[Proposed], frozen=True, kw_only=True):
    """What a sentence or a form means. With a sentence the other fields say which account, and parameters beside it."""

    VERB = "proposal"
    ANSWER = Proposed

    user_id: UserId
    sentence: str = ""
    strategy: str = ""
    account_id: AccountId | None = None
    capital: Money | None = None
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    profit_target: str | None = None
    reinvest: str | None = None


class Holding(msgspec.Struct, frozen=True):
    """What a run holds. cost: what was paid for it, fees included; none where that is not on record."""

    instrument: Instrument
    quantity: Quantity
    cost: Money | None


class Booking(msgspec.Struct, frozen=True):
    """One row of a run's ledger: what it changed. cash + invested = base + realised."""

    number: int
    kind: str
    at: Instant
    cash: Money
    invested: Money
    base: Money
    reserve: Money
    realised: Money
    cycle: int | None


class RunDetail(msgspec.Struct, frozen=True):
    """A run with everything it owns. trigger: the realised equity that ends the running cycle; acts: what can be asked of it now."""

    run_id: RunId
    account_id: AccountId
    strategy: str
    triggered_by: str
    state: RunState
    reason: str
    sentence: str
    parameters: dict[str, str]
    started_at: Instant
    base: Money
    cash: Money
    reserve: Money
    invested: Money
    realised: Money
    cycle: int
    trigger: Money | None
    profit_target: str | None
    reinvest: str | None
    acts: tuple[RunAct, ...]
    holdings: tuple[Holding, ...]
    bookings: tuple[Booking, ...] = ()


class RunDetails(msgspec.Struct, frozen=True):
    runs: tuple[RunDetail, ...]


class RunDetailsAsked(Question[RunDetails], frozen=True, kw_only=True):
    """The runs of a user, running ones first; one run with the rows of its ledger when it is named."""

    VERB = "run_details"
    ANSWER = RunDetails

    user_id: UserId
    run_id: UUID | None = None


class FollowUp(msgspec.Struct, frozen=True):
    """What became of a signal. Prices are statistics, in units of the signal's day; gain: from its price to the last one, as a fraction.

    ended: stopped, target, expired, or none while it is followed.
    """

    signal_id: SignalId
    high: float | None
    low: float | None
    close: float | None
    gain: float | None
    targets_hit: int
    targets: int
    stop_hit: bool
    followed_to: date | None
    ended: str | None


class FollowUps(msgspec.Struct, frozen=True):
    follow_ups: tuple[FollowUp, ...]


class FollowUpsAsked(Question[FollowUps], frozen=True, kw_only=True):
    """What became of these signals of a user; those that are not followed are left out."""

    VERB = "follow_ups"
    ANSWER = FollowUps

    user_id: UserId
    signal_ids: tuple[UUID, ...]


class VerdictTold(msgspec.Struct, frozen=True):
    """What a bot made of one bar. action: BUY, SELL or HOLD; readiness: ready, confirming, cooling_down, no_signal or blocked.

    code and detail: the first gate that was shut, empty when all were open. reasons: the figures behind the score.
    """

    instrument: Instrument
    session: date
    at: Instant
    action: str
    score: float
    confidence: float
    temperature: str
    readiness: str
    code: str
    detail: str
    reasons: tuple[Reason, ...]


class Verdicts(msgspec.Struct, frozen=True):
    """The latest first."""

    verdicts: tuple[VerdictTold, ...]


class VerdictsAsked(Question[Verdicts], frozen=True, kw_only=True):
    """The verdicts of a run of a user; before: of sessions before this one. Strategies that are no bots have none."""

    VERB = "verdicts"
    ANSWER = Verdicts

    user_id: UserId
    run_id: UUID
    before: date | None = None
    limit: int = 50


class RunTaken(msgspec.Struct, frozen=True):
    """The wish is on its way; signals says RunStarted, RunChanged or RunRefused."""

    run_id: RunId
    account_id: AccountId
    what: str


class RunStartAsked(Question[RunTaken], frozen=True, kw_only=True):
    """The operator of the machine starts a run for a user; the first administrator when none is named."""

    VERB = "run_start"
    ANSWER = RunTaken

    sentence: str
    account_id: AccountId | None = None
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    user: str = ""


class RunChangeAsked(Question[RunTaken], frozen=True, kw_only=True):
    """The operator of the machine pauses, resumes or stops a run of a user."""

    VERB = "run_change"
    ANSWER = RunTaken

    run_id: UUID
    act: RunAct
    reason: str
    user: str = ""


class RunFundAsked(Question[RunTaken], frozen=True, kw_only=True):
    """The operator of the machine gives a run of a user capital, or takes some back with a negative amount."""

    VERB = "run_fund"
    ANSWER = RunTaken

    run_id: UUID
    amount: Money
    reason: str
    user: str = ""
