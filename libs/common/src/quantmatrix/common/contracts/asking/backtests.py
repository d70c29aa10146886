"""Questions to signals about stored backtests: which there are, one as a page shows it, several side by side; asking for one, cancelling it."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.checks import BacktestCheck
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.names import UserId
from quantmatrix.common.values import Money

Fraction = float | None


class DrawnText(msgspec.Struct, frozen=True):
    """Text at a place. css: its class; anchor: start, middle or end."""

    x: float
    y: float
    text: str
    css: str
    anchor: str = "start"


class DrawnShape(msgspec.Struct, frozen=True):
    """A line through points or, closed, an area. points: as SVG spells them; opacity: of a filled area."""

    points: str
    css: str
    closed: bool = False
    opacity: float | None = None


class Drawing(msgspec.Struct, frozen=True):
    """A plot whose places are worked out: whoever shows it only writes it down. Places are from the upper left corner."""

    title: str
    width: float
    height: float
    shapes: tuple[DrawnShape, ...]
    texts: tuple[DrawnText, ...]


class BacktestLine(msgspec.Struct, frozen=True):
    """A stored backtest in a list. state: queued, running, done, failed or cancelled; done and total: how far it is.
    left_s: seconds that are left if it goes on as so far; none while nothing can be told.

    kind: run, sweep, walk_forward or lookahead. Figures are of a finished one; those of a sweep are its best combination's.
    clean: of a finished look-ahead check, whether later bars changed nothing.
    """

    backtest_id: int
    kind: str
    strategy: str
    symbols: tuple[str, ...]
    state: str
    done: int
    total: int
    created_at: Instant
    ended_at: Instant | None
    total_return: Fraction
    sharpe: Fraction
    max_drawdown: Fraction
    trades: int | None
    digest: str | None
    error: str | None
    left_s: float | None = None
    clean: bool | None = None


class Backtests(msgspec.Struct, frozen=True):
    """The latest first."""

    backtests: tuple[BacktestLine, ...]


class BacktestsAsked(Question[Backtests], frozen=True, kw_only=True):
    """Stored backtests of a user, the latest first. before: the number of the last one of the page before."""

    VERB = "backtests"
    ANSWER = Backtests

    user_id: UserId
    before: int | None = None
    limit: int = 50


class BacktestTrade(msgspec.Struct, frozen=True):
    """One trade from flat to flat, with the reasons of its first purchase. Money is after commissions."""

    symbol: str
    opened_on: date
    closed_on: date
    is_open: bool
    bought: str
    profit: Money
    gain: Fraction
    sessions: int
    closed_by: str
    reasons: tuple[str, ...]


class BacktestYear(msgspec.Struct, frozen=True):
    """Returns of a year and of its months, January first."""

    year: int
    months: tuple[Fraction, ...]
    total: float


class BacktestTry(msgspec.Struct, frozen=True):
    """One combination of a sweep. chosen: values by parameter, as JSON; deflated: a probability."""

    chosen: dict[str, str]
    sharpe: Fraction
    deflated: Fraction
    total_return: Fraction
    max_drawdown: Fraction
    trades: int


class BacktestStep(msgspec.Struct, frozen=True):
    """One window of a walk forward: what was chosen on its earlier part, and how that did on the later one."""

    chosen_from: date
    chosen_to: date
    run_from: date
    run_to: date
    chosen: dict[str, str]
    inside_sharpe: Fraction
    outside_sharpe: Fraction
    inside_return: Fraction
    outside_return: Fraction


class Backtest(msgspec.Struct, frozen=True):
    """One stored backtest. Without figures before it is done.

    curve, closed, other: figures by name, fractions and not percent; benchmark: the return of buying and holding;
    parameters: JSON by name; trades: how many there are, `shown` is the part that was asked for.
    """

    line: BacktestLine
    parameters: dict[str, str]
    code_digest: str
    code_revision: str | None
    data_digest: str | None
    seed: int
    first: date | None = None
    last: date | None = None
    opening: Money | None = None
    equity: Money | None = None
    fees: Money | None = None
    curve: dict[str, Fraction] = msgspec.field(default_factory=dict)
    closed: dict[str, Fraction] = msgspec.field(default_factory=dict)
    other: dict[str, Fraction] = msgspec.field(default_factory=dict)
    benchmark: Fraction = None
    assumptions: tuple[str, ...] = ()
    years: tuple[BacktestYear, ...] = ()
    trades: int = 0
    shown: tuple[BacktestTrade, ...] = ()
    tried: tuple[BacktestTry, ...] = ()
    steps: tuple[BacktestStep, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    check: BacktestCheck | None = None


class BacktestAsked(Question[Backtest], frozen=True, kw_only=True):
    """One backtest of a user. offset: the first of the trades that are shown. A problem when there is none with this number."""

    VERB = "backtest"
    ANSWER = Backtest

    user_id: UserId
    backtest_id: int
    offset: int = 0


class Lookahead(msgspec.Struct, frozen=True):
    """The latest look-ahead check of a strategy. is_current: with the code that runs now; check: none before it is done."""

    line: BacktestLine
    is_current: bool
    check: BacktestCheck | None = None


class Lookaheads(msgspec.Struct, frozen=True):
    """By strategy; those that were never checked are not among them."""

    checks: tuple[Lookahead, ...]


class LookaheadsAsked(Question[Lookaheads], frozen=True, kw_only=True):
    """The latest look-ahead check of each strategy that a user asked for."""

    VERB = "lookaheads"
    ANSWER = Lookaheads

    user_id: UserId


class BacktestPage(msgspec.Struct, frozen=True):
    """The page of a backtest that needs no other file; html in parts when it is long, next_offset in characters."""

    html: str
    next_offset: int | None


class BacktestPageAsked(Question[BacktestPage], frozen=True, kw_only=True):
    VERB = "backtest_page"
    ANSWER = BacktestPage

    user_id: UserId
    backtest_id: int
    offset: int = 0


class BacktestLuck(msgspec.Struct, frozen=True):
    """The closed trades of a backtest drawn anew: returns and deepest drawdowns as fractions, at these shares of the runs.

    method: shuffle (each trade once, in another order) or bootstrap (drawn with replacement); ruined: the share of runs that lost half.
    """

    line: BacktestLine
    method: str
    runs: int
    seed: int
    trades: int
    shares: tuple[float, ...]
    final: tuple[float, ...]
    drawdown: tuple[float, ...]
    ruined: float
    drawing: Drawing


class BacktestLuckAsked(Question[BacktestLuck], frozen=True, kw_only=True):
    """How much of a finished run was luck in the order of its trades. A problem when it has no closed trades of its own."""

    VERB = "backtest_luck"
    ANSWER = BacktestLuck

    user_id: UserId
    backtest_id: int
    method: Literal["bootstrap", "shuffle"] = "bootstrap"
    runs: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    seed: int = 0


class ComparedRow(msgspec.Struct, frozen=True):
    """One figure, parameter or digest, as text, one a backtest."""

    name: str
    cells: tuple[str, ...]


class Compared(msgspec.Struct, frozen=True):
    """The same backtests in the same order as they were asked for; drawings: their equity as multiples of the capital."""

    lines: tuple[BacktestLine, ...]
    rows: tuple[ComparedRow, ...]
    drawings: tuple[Drawing, ...]


class ComparisonAsked(Question[Compared], frozen=True, kw_only=True):
    """Two to six finished backtests of a user side by side."""

    VERB = "backtests_compared"
    ANSWER = Compared

    user_id: UserId
    backtest_ids: tuple[int, ...]


class BacktestTaken(msgspec.Struct, frozen=True):
    """backtest_id: the number under which it is stored from now on."""

    backtest_id: int


class WindowsWanted(msgspec.Struct, frozen=True):
    """Of a walk forward, in sessions: chosen on `inside` of them, run on the `outside` after them.

    anchored: what is chosen on begins with the first session each time and grows.
    """

    inside: int
    outside: int
    anchored: bool = False


class BacktestWanted(Question[BacktestTaken], frozen=True, kw_only=True):
    """Run a strategy on what market has. It is queued; asking again with the same command changes nothing.

    parameters: JSON by name; grid: JSON lists by name, for a sweep or, with windows, a walk forward; cuts: for a look-ahead check, at
    how many of its last bars each history is cut; symbols: none for all that are listed. A problem names what is wrong: a parameter, a symbol, the capital.
    """

    VERB = "backtest_wanted"
    ANSWER = BacktestTaken

    user_id: UserId
    command_id: UUID
    strategy: Annotated[str, msgspec.Meta(max_length=80)]
    symbols: tuple[str, ...]
    capital: Money
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    grid: dict[str, str] = msgspec.field(default_factory=dict)
    windows: WindowsWanted | None = None
    cuts: int | None = None
    first: date | None = None
    last: date | None = None
    seed: int = 0


class BacktestResumeWanted(Question[BacktestTaken], frozen=True, kw_only=True):
    """Go on with a sweep, walk forward or look-ahead check that was cancelled or failed: what is finished of it is not computed again.

    A problem when it is a single run, is done or still at work, or when the code is other than it began with.
    """

    VERB = "backtest_resume_wanted"
    ANSWER = BacktestTaken

    user_id: UserId
    backtest_id: int


class BacktestCancelled(msgspec.Struct, frozen=True):
    """cancelled: false when it had ended before."""

    cancelled: bool


class BacktestUnwanted(Question[BacktestCancelled], frozen=True, kw_only=True):
    """Cancel a backtest that waits or is at work."""

    VERB = "backtest_unwanted"
    ANSWER = BacktestCancelled

    user_id: UserId
    backtest_id: int
