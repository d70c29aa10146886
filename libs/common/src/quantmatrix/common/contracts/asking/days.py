"""Questions about one session of one person: what was closed, what it brought, what was decided, and all of it as one summary."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.names import AccountId, FillId, Side, SignalId, UserId
from quantmatrix.common.values import Money, Price, Quantity


class Exit(msgspec.Struct, frozen=True):
    """What one execution closed, whichever lots it used up. opening: the side that had opened them; triggered_by: who had.

    entry: average over the lots, without fees; net: after the fees of both ends; staked: what was paid for what was closed, or was
    received for it where it had been sold first: below zero where its fee took more. opened_at, opened_by: of the first of the lots.
    """

    account_id: AccountId
    symbol: str
    opening: Side
    quantity: Quantity
    opened_at: Instant
    closed_at: Instant
    entry: Price
    exit: Price
    fees: Money
    net: Money
    staked: Money
    triggered_by: str
    opened_by: FillId
    closed_by: FillId


class HeldAtClose(msgspec.Struct, frozen=True):
    """A position at the end of the session; price: none where nobody knows one."""

    account_id: AccountId
    symbol: str
    quantity: Quantity
    price: Price | None
    value: Money


class BookedDay(msgspec.Struct, frozen=True):
    """The accounts of one currency in a session, from the end of the session before to its own end.

    start, end: what they were worth; flows: what came in less what went out; gain: what was left of the change; exits: in order of
    time; exits_left_out: more than an answer holds; pending: closings whose gain waits for a basis; positions: the largest first;
    peak_exposure: the most that was held at once, both sides added up, at the prices of the session before and of its own fills.
    """

    currency: str
    accounts: tuple[AccountId, ...]
    start: Money
    flows: Money
    end: Money
    gain: Money
    exits: tuple[Exit, ...]
    exits_left_out: int
    pending: int
    positions: tuple[HeldAtClose, ...]
    peak_exposure: Money


class BookedDays(msgspec.Struct, frozen=True):
    """One for each currency in which an account was valued in this session; none before it is booked."""

    days: tuple[BookedDay, ...]


class BookedDayAsked(Question[BookedDays], frozen=True, kw_only=True):
    """What a session came to in a person's accounts. The answer for a past session is the same whenever it is asked."""

    VERB = "booked_day"
    ANSWER = BookedDays

    user_id: UserId
    session: date


class Behind(msgspec.Struct, frozen=True):
    """Which decision (of a run, or of a person) an execution goes back to."""

    fill_id: FillId
    decision: SignalId


class OrdersBehind(msgspec.Struct, frozen=True):
    """behind: of the fills that were asked for; accepted: how many of the decisions became orders that were neither denied nor rejected."""

    behind: tuple[Behind, ...]
    accepted: int


class OrdersBehindAsked(Question[OrdersBehind], frozen=True, kw_only=True):
    """The decisions behind fills, and how many of some decisions were accepted."""

    VERB = "orders_behind"
    ANSWER = OrdersBehind

    user_id: UserId
    fills: tuple[FillId, ...] = ()
    decisions: tuple[SignalId, ...] = ()


class Decided(msgspec.Struct, frozen=True):
    """A signal in short. price and stop: as it said them; why: the conditions that held, in words."""

    signal_id: SignalId
    kind: str
    price: Price | None
    stop: Price | None
    why: str


class DecidedDay(msgspec.Struct, frozen=True):
    """signals: how many were raised in the session; orders: those that were to trade; found: the ones asked for by id."""

    signals: int
    orders: tuple[SignalId, ...]
    found: tuple[Decided, ...]


class DecidedDayAsked(Question[DecidedDay], frozen=True, kw_only=True):
    """What was decided for a person in a session, and what some signals, of whatever session, said."""

    VERB = "decided_day"
    ANSWER = DecidedDay

    user_id: UserId
    session: date
    wanted: tuple[SignalId, ...] = ()


class DayTrade(msgspec.Struct, frozen=True):
    """A closed trade: everything that one order closed. gain: net over what was staked; risk: stop distance times quantity, where a stop was known.

    entry_reason, exit_reason: why it was decided, empty where a person acted or nobody knows.
    """

    account_id: AccountId
    symbol: str
    opening: Side
    quantity: Quantity
    opened_at: Instant
    closed_at: Instant
    entry: Price
    exit: Price
    fees: Money
    net: Money
    gain: float | None
    triggered_by: str
    risk: Money | None = None
    entry_reason: str = ""
    exit_reason: str = ""


class DayOfStrategy(msgspec.Struct, frozen=True):
    """Closed trades by who opened them."""

    triggered_by: str
    trades: int
    won: int
    net: Money


class DayFigures(msgspec.Struct, frozen=True):
    """The accounts of one currency in a session. Rates are fractions; None has no meaning, as a win rate without a trade.

    gross = net + fees: of closed trades. net_return: net over the value at the start and what came in; gain: what the accounts' value
    changed by, open positions included, and day_return the same share of it. drawdown: the deepest fall of the value at the start plus
    what trades brought, in the order they closed, zero or less. streak: most wins in a row; capital_used: the most held at once over
    the value at the start and what came in; risk_per_trade: mean of the known risks over the same. strategies: the best first.
    """

    currency: str
    accounts: tuple[AccountId, ...]
    start: Money
    flows: Money
    end: Money
    gain: Money
    day_return: float | None
    trades: int
    won: int
    lost: int
    win_rate: float | None
    gross: Money
    fees: Money
    net: Money
    net_return: float | None
    drawdown: float
    profit_factor: float | None
    expectancy: Money | None
    streak: int
    capital_used: float | None
    risk_per_trade: float | None
    best: DayTrade | None
    worst: DayTrade | None
    strategies: tuple[DayOfStrategy, ...]
    positions: tuple[HeldAtClose, ...]
    pending: int
    left_out: int


class DaySummary(msgspec.Struct, frozen=True):
    """A session as its end-of-day summary tells it. acceptance: accepted over orders; alerts: notifications of the session, letters aside.

    days: one for each currency; none where no account was there yet. title, text: the letter's own words.
    """

    session: date
    closes_at: Instant
    early_close: bool
    days: tuple[DayFigures, ...]
    signals: int
    orders: int
    accepted: int
    acceptance: float | None
    alerts: int
    title: str
    text: str


class DaySummaryAsked(Question[DaySummary], frozen=True, kw_only=True):
    """The end-of-day summary of any session that is booked. A problem says that a day is no session, or that it is not booked yet."""

    VERB = "day_summary"
    ANSWER = DaySummary

    user_id: UserId
    session: date
