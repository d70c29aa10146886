"""Questions to signals about a whole universe, and about what one of the advisory rules says."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.question import Question


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
    """hits by distance, nearest to the base first; unread symbols stopped nothing. presets: what else there is."""

    preset: str
    scanned: int
    hits: tuple[Hit, ...]
    unread: tuple[Unread, ...]
    presets: tuple[str, ...]


class ScanAsked(Question[Scanned], frozen=True, kw_only=True):
    """Read a universe and keep what fits a preset; all that is listed when no symbol is named. Options are left out."""

    VERB = "scan"
    ANSWER = Scanned

    preset: str = "entry_setup"
    symbols: tuple[str, ...] = ()


class AdviceTold(msgspec.Struct, frozen=True):
    """What one rule says about a holding. percent is of the position; confidence is none where the rule gives none."""

    style: str
    action: str
    percent: float
    confidence: float | None
    reason: str


class Advice(msgspec.Struct, frozen=True):
    """Advisory only: nobody trades on it by itself."""

    advice: tuple[AdviceTold, ...]


class AdviceAsked(Question[Advice], frozen=True, kw_only=True):
    """What the advisory rules say about a holding; all of them when no style is named.

    market_cap in dollars; unrealised_pct: gain on its cost, in percent.
    """

    VERB = "advice"
    ANSWER = Advice

    market_cap: float
    unrealised_pct: float
    growth_sector: bool = False
    style: str = ""
