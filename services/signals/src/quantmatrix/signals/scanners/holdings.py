"""What a scan tells of holdings, and the figures of a morning's letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from quantmatrix.signals.scanners.reading import Reading
from quantmatrix.signals.scanners.scan import Scan

ALERTS_TOP, SETUPS_TOP = 10, 4
INDICES = ("SPY", "QQQ", "IWM", "DIA", "VTI")


class HoldingAlert(StrEnum):
    """What may be told of a holding."""

    STOP_LOSS = "STOP_LOSS"
    DCA_OPPORTUNITY = "DCA_OPPORTUNITY"
    SCALE_OUT = "SCALE_OUT"
    TECHNICAL_BREAK = "TECHNICAL_BREAK"
    PROFIT_TAKING = "PROFIT_TAKING"
    OVERSOLD = "OVERSOLD"
    OVERBOUGHT = "OVERBOUGHT"
    MA_ALIGNMENT = "MA_ALIGNMENT"


class Urgency(StrEnum):
    """How soon a person should look; the first is the most urgent."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_ORDER = {urgency: place for place, urgency in enumerate(Urgency)}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell of a holding, with its figures."""

    symbol: str
    alert: HoldingAlert
    urgency: Urgency
    text: str


def alerts_of(reading: Reading, cost: float) -> list[Told]:
    """Everything there is to tell of one holding; `cost` is what one unit cost, in the reading's units."""
    gain = 100.0 * (reading.close / cost - 1.0)
    index, tested = reading.rsi, []
    tested.append((gain <= -8, HoldingAlert.STOP_LOSS, Urgency.CRITICAL, f"{gain:+.1f} % on its cost"))
    cheap = reading.entry is not None and reading.close < 0.95 * cost
    tested.append((cheap, HoldingAlert.DCA_OPPORTUNITY, Urgency.HIGH, f"an entry at {gain:+.1f} % on its cost"))
    tested.append(
        (reading.zone in ("SCALE_OUT", "EXTENDED"), HoldingAlert.SCALE_OUT, Urgency.HIGH, f"{reading.atr_distance:.1f} ATR above its base")
    )
    tested.append((reading.close < reading.sma50, HoldingAlert.TECHNICAL_BREAK, Urgency.HIGH, "closed below its 50-day average"))
    tested.append((gain >= 20, HoldingAlert.PROFIT_TAKING, Urgency.MEDIUM, f"{gain:+.1f} % on its cost: a quarter may be sold"))
    if index is not None:
        tested.append((index < 30, HoldingAlert.OVERSOLD, Urgency.MEDIUM, f"RSI {index:.0f}"))
        tested.append((index > 70, HoldingAlert.OVERBOUGHT, Urgency.MEDIUM, f"RSI {index:.0f}"))
    tested.append((reading.aligned is True, HoldingAlert.MA_ALIGNMENT, Urgency.LOW, "its averages are aligned"))
    return [Told(reading.symbol, alert, urgency, text) for holds, alert, urgency, text in tested if holds]


def most_urgent(told: Sequence[Told], top: int = ALERTS_TOP) -> list[Told]:
    """The ten to tell, the most urgent first; ties by symbol."""
    return sorted(told, key=lambda one: (_ORDER[one.urgency], one.symbol, one.alert))[:top]


@dataclass(frozen=True, slots=True)
class Setup:
    """One entry for a morning's letter. Prices are in the reading's units."""

    symbol: str
    session: date
    entry: float
    stop: float
    targets: tuple[float, ...]
    risk_reward: float
    horizon_days: int


@dataclass(frozen=True, slots=True)
class Morning:
    """index_moves in percent of the last session; indices without one are left out."""

    index_moves: Mapping[str, float]
    setups: tuple[Setup, ...]
    scanned: int
    hits: int
    unread: int


def morning(found: Scan, indices: Mapping[str, Reading]) -> Morning:
    """The inputs of a morning's letter from a scan and the readings of the indices."""
    moves = {symbol: change for symbol in INDICES if symbol in indices and (change := indices[symbol].change_pct) is not None}
    setups = [setup for one in found.hits if (setup := _setup(one)) is not None]
    return Morning(moves, tuple(setups[:SETUPS_TOP]), found.scanned, len(found.hits), len(found.unread))


def _setup(one: Reading) -> Setup | None:
    entry = one.entry
    if entry is None or entry.stop is None or entry.risk_reward is None or entry.horizon_days is None:
        return None
    targets = tuple(float(target.value) for target in entry.targets[:2])
    return Setup(one.symbol, one.session, one.close, float(entry.stop.value), targets, entry.risk_reward, entry.horizon_days)
