"""Questions to portfolio about returns, taxes and where numbers come from. Rates are fractions, not percent; None has no meaning."""

from datetime import date
from enum import StrEnum
from typing import Literal

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.names import AccountId, LotId, UserId
from quantmatrix.common.values import Money, Quantity

TaxLaw = Literal["us", "uk"]
ProfitBy = Literal["day", "month", "year"]
WhoseBasis = Literal["own", "broker"]


class PerformancePoint(msgspec.Struct, frozen=True):
    """The end of a session. growth: time-weighted return until then; drawdown: distance from the highest growth before."""

    session: date
    equity: Money
    growth: float
    drawdown: float


class Fall(msgspec.Struct, frozen=True):
    """A drawdown. recovered_on: null while the peak has not been reached again; days: from the peak to there, or to the end."""

    depth: float
    peak_on: date
    trough_on: date
    recovered_on: date | None
    days: int


class ReturnYear(msgspec.Struct, frozen=True):
    """Time-weighted. months: January first, null without a session; total: of the year."""

    year: int
    months: tuple[float | None, ...]
    total: float


class Rates(msgspec.Struct, frozen=True):
    """time_weighted: what one unit of money grew by; money_weighted: what XIRR comes to over the period; simple: gain over what was put in.

    time_weighted_yearly: null for less than a year; xirr: a year; volatility, sharpe, sortino: yearly, 252 sessions, no riskless
    return; best, worst: of one session; up_share: sessions with a gain.
    """

    time_weighted: float | None
    time_weighted_yearly: float | None
    money_weighted: float | None
    xirr: float | None
    simple: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    best: float | None
    worst: float | None
    up_share: float | None


class ProfitLine(msgspec.Struct, frozen=True):
    """line: where economic profit comes from."""

    line: str
    amount: Money


class StrategyReturn(msgspec.Struct, frozen=True):
    """The lots one opener opened, whoever closed them, since the beginning. cost: of all of them; simple: gain over cost; xirr: a year.

    unpriced: open lots taken at cost because no price is known; won, lost: closings.
    """

    triggered_by: str
    realised: Money
    unrealised: Money
    gain: Money
    cost: Money
    lots: int
    open_lots: int
    unpriced: int
    won: int
    lost: int
    simple: float | None
    xirr: float | None


class TaxYear(msgspec.Struct, frozen=True):
    """Gains realised in a calendar year, wash sales over all accounts of the user applied.

    short, long, unknown: by holding period; disallowed: losses that do not count yet, already in the gains; pending: closings that
    wait for a basis and are in no sum; treatment: taxable or tax-deferred.
    """

    year: int
    treatment: str
    short: Money
    long: Money
    unknown: Money
    disallowed: Money
    gain: Money
    closings: int
    pending: int


class BenchmarkClose(msgspec.Struct, frozen=True, array_like=True):
    """close: in the units of one day, whichever."""

    session: date
    close: float


class Beside(msgspec.Struct, frozen=True):
    """The same sessions of both. own, benchmark: returns; excess: own less benchmark; alpha, tracking_error, information_ratio: yearly."""

    first: date
    last: date
    sessions: int
    own: float
    benchmark: float
    excess: float
    beta: float | None
    alpha: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None


class Performance(msgspec.Struct, frozen=True):
    """Accounts of one currency together, from the end of `first` to the end of `last`.

    start, end: value then; came_in, went_out: what crossed the border, opening included, both above zero; gain: end - start - came_in +
    went_out; lines: sum to gain, with unexplained; realised, unrealised: their change, fees inside, unrealised null with an account whose
    value only statements tell; points: thinned, the last one always there; tax_years, strategies: since the beginning; beside: null
    without a benchmark or common sessions.
    """

    currency: str
    accounts: tuple[AccountId, ...]
    first: date
    last: date
    start: Money
    end: Money
    came_in: Money
    went_out: Money
    gain: Money
    realised: Money
    unrealised: Money | None
    rates: Rates
    deepest: Fall | None
    longest: Fall | None
    lines: tuple[ProfitLine, ...]
    unexplained: Money
    years: tuple[ReturnYear, ...]
    tax_years: tuple[TaxYear, ...]
    strategies: tuple[StrategyReturn, ...]
    points: tuple[PerformancePoint, ...]
    beside: Beside | None


class Performances(msgspec.Struct, frozen=True):
    """One for each currency; none without a session."""

    performances: tuple[Performance, ...]


class PerformanceAsked(Question[Performances], frozen=True, kw_only=True):
    """How a user's accounts did, all of them or one.

    since, until: from the end of this session to the end of that one; benchmark: closes to compare with, oldest first.
    """

    VERB = "performance"
    ANSWER = Performances

    user_id: UserId
    account_id: AccountId | None = None
    since: date | None = None
    until: date | None = None
    limit: int = 1_000
    benchmark: tuple[BenchmarkClose, ...] = ()


class ProfitPeriod(msgspec.Struct, frozen=True):
    """From the end of the day before `first` to the end of `last`. equity: then; gain: economic profit; flows: what came in less what went out.

    lines: sum to the gain, with unexplained; time_weighted: null where nothing was there.
    """

    first: date
    last: date
    equity: Money
    flows: Money
    gain: Money
    lines: tuple[ProfitLine, ...]
    unexplained: Money
    time_weighted: float | None


class ProfitPeriods(msgspec.Struct, frozen=True):
    """The accounts of one currency together, the latest first. before: where the next page begins, null at the end."""

    currency: str
    accounts: tuple[AccountId, ...]
    periods: tuple[ProfitPeriod, ...]
    before: date | None


class Profits(msgspec.Struct, frozen=True):
    """One for each currency."""

    currencies: tuple[ProfitPeriods, ...]


class ProfitsAsked(Question[Profits], frozen=True, kw_only=True):
    """Economic profit by its lines, day by day or by month or year. before: periods that end before this day."""

    VERB = "profits"
    ANSWER = Profits

    user_id: UserId
    account_id: AccountId | None = None
    by: ProfitBy = "day"
    before: date | None = None
    limit: int = 60


class ReportName(StrEnum):
    """form_8949, form_8949_workbook: disposals in the shape of that form, as CSV or XLSX; performance: a printable page.

    gains: gains line by line under the law of a chosen country, as CSV.
    """

    FORM_8949 = "form_8949"
    FORM_8949_WORKBOOK = "form_8949_workbook"
    PERFORMANCE = "performance"
    GAINS = "gains"


class ReportPart(msgspec.Struct, frozen=True):
    """A stretch of a report. base64: whether the text of all parts stands for bytes; next_offset: where the next one begins, null at the end.

    digest: SHA-256 of the whole, to notice a change.
    """

    file_name: str
    media_type: str
    base64: bool
    text: str
    next_offset: int | None
    digest: str


class ReportAsked(Question[ReportPart], frozen=True, kw_only=True):
    """A report as text, in parts that fit a message. year: of the disposals, all when null; offset: characters already read.

    jurisdiction: whose law the report gains follows; amounts stay in the currency of the accounts. basis: of the forms 8949, broker takes the basis
    and gain that statements print, and our own where none is printed; each line says which.
    """

    VERB = "report"
    ANSWER = ReportPart

    user_id: UserId
    name: ReportName
    account_id: AccountId | None = None
    year: int | None = None
    offset: int = 0
    jurisdiction: TaxLaw = "us"
    basis: WhoseBasis = "own"


class LossCandidate(msgspec.Struct, frozen=True):
    """An open lot below its basis. loss: below zero; disallowed: what recent purchases of the user would disallow of it; usable: what would count.

    washed_by: lots that would; look_at: recent lots of a related security, for a person to judge; buy_again_from: harmless from then on;
    becomes_long: first day of a long-term loss, null when it is one or nobody knows; term: short, long or unknown.
    """

    lot_id: LotId
    account_id: AccountId
    symbol: str
    quantity: Quantity
    basis: Money
    value: Money
    loss: Money
    disallowed: Money
    usable: Money
    term: str
    becomes_long: date | None
    washed_by: tuple[LotId, ...]
    look_at: tuple[LotId, ...]
    buy_again_from: date


class RecentLoss(msgspec.Struct, frozen=True):
    """A loss of the last 30 days: buying the symbol again before `buy_again_from`, in any account, a tax-deferred one too, washes it."""

    lot_id: LotId
    account_id: AccountId
    symbol: str
    disposed_on: date
    loss: Money
    buy_again_from: date


class LossCandidates(msgspec.Struct, frozen=True):
    """The largest usable loss first. as_of: the session of the prices, null without one; recent: realised already, the latest first."""

    as_of: date | None
    candidates: tuple[LossCandidate, ...]
    recent: tuple[RecentLoss, ...] = ()


class LossCandidatesAsked(Question[LossCandidates], frozen=True, kw_only=True):
    """Lots whose sale would bring a loss, and what would wash it away."""

    VERB = "loss_candidates"
    ANSWER = LossCandidates

    user_id: UserId
    account_id: AccountId | None = None
    limit: int = 100


class IncomeTotal(msgspec.Struct, frozen=True):
    """A year's dividends, interest, fees or taxes. total: with its sign, costs below zero; lines: how many; source: ledger or statements.

    Commissions of an account that trades here and whose statements are imported stand in both sources: they are never one sum.
    """

    year: int
    kind: str
    source: str
    total: Money
    lines: int


class Income(msgspec.Struct, frozen=True):
    """The latest year first."""

    totals: tuple[IncomeTotal, ...]


class IncomeAsked(Question[Income], frozen=True, kw_only=True):
    """Income and costs beside trades, from the fees of fills and from imported statements. account: as the broker prints it, too."""

    VERB = "income"
    ANSWER = Income

    user_id: UserId
    account: str | None = None
