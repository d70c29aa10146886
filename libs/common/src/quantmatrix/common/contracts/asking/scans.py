"""Questions to signals about a whole universe, and about what one of the advisory rules says."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.asking.runs import Input


class Hit(msgspec.Struct, frozen=True):
    """One instrument that a scan kept, as of its last bar. All figures are statistics, prices in today's units.

    recommendation: by its zone; confidence: of the entry there would be, zero without one, with its stop and first target.
    """

    symbol: str
    session: date
    close: float
    atr_distance: float
    atr_pct: float
    position_20d: float | None
    rsi: float | None
    aligned: bool | None
    zone: str
    recommendation: str
    score: float
    confidence: float
    stop: float | None
    target: float | None


class Unread(msgspec.Struct, frozen=True):
    """A symbol that could not be read, and why."""

    symbol: str
    why: str


class Scanned(msgspec.Struct, frozen=True):
    """hits by distance, nearest to the base first; unread symbols stopped nothing. presets: what else there is.

    filters: what was looked at, as JSON by name; inputs: everything that can be.
    """

    preset: str
    scanned: int
    hits: tuple[Hit, ...]
    unread: tuple[Unread, ...]
    presets: tuple[str, ...]
    filters: dict[str, str] = msgspec.field(default_factory=dict)
    inputs: tuple[Input, ...] = ()


class ScanAsked(Question[Scanned], frozen=True, kw_only=True):
    """Read a universe and keep what fits a preset; all that is listed when no symbol is named. Options are left out.

    filters: JSON by name, in place of the preset's own and beside them. A problem names the preset or filter that there is not.
    """

    VERB = "scan"
    ANSWER = Scanned

    preset: str = "entry_setup"
    symbols: tuple[str, ...] = ()
    filters: dict[str, str] = msgspec.field(default_factory=dict)


class Component(msgspec.Struct, frozen=True):
    """One component of a watchlist score; both are none where it is not known, and the known ones share its weight.

    figure: dollars traded a day, ATR in percent, 20-day performance in percent, sentiment, volume of 5 days over that of 20; points: of the score.
    """

    name: str
    figure: float | None
    points: float | None


class WatchedSymbol(msgspec.Struct, frozen=True):
    """One symbol of the watchlist, as of its last bar. score: from 0 to 100, the sum of the components' points."""

    symbol: str
    session: date
    score: float
    components: tuple[Component, ...]


class Watchlist(msgspec.Struct, frozen=True):
    """The best first. scanned: how many were ranked; unread symbols stopped nothing. weights: percent of the score by component."""

    scanned: int
    watched: tuple[WatchedSymbol, ...]
    unread: tuple[Unread, ...]
    weights: dict[str, float]


class WatchlistAsked(Question[Watchlist], frozen=True, kw_only=True):
    """Rank a universe by its watchlist score, the best 50; all that is listed when no symbol is named. Options are left out."""

    VERB = "watchlist"
    ANSWER = Watchlist

    symbols: tuple[str, ...] = ()


class AdviceTold(msgspec.Struct, frozen=True):
    """What one rule says about a holding. percent is of the position; confidence and urgency are none where the rule gives none."""

    style: str
    action: str
    percent: float
    confidence: float | None
    reason: str
    urgency: str | None = None


class Advice(msgspec.Struct, frozen=True):
    """Advisory only: nobody trades on it by itself.

    inputs: what may be set; again_on: the session on which it is to be looked at again, by what was set, null without a day.
    """

    advice: tuple[AdviceTold, ...]
    inputs: tuple[Input, ...] = ()
    again_on: date | None = None


class AdviceAsked(Question[Advice], frozen=True, kw_only=True):
    """What the advisory rules say about a holding; all of them when no style is named.

    market_cap in dollars; unrealised_pct: gain on its cost, in percent. settings: JSON by name, bounds around what the rules say; with
    none, their tables as they are. as_of: the day of the figures.
    """

    VERB = "advice"
    ANSWER = Advice

    market_cap: float
    unrealised_pct: float
    growth_sector: bool = False
    style: str = ""
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    as_of: date | None = None
