"""What a scanner reads of one instrument: the ATR Matrix on its last bar, its score, and the entry there would be."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import FLAT, Decision, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.indicators import position_in_range, rsi, sma
from quantmatrix.signals.domain.trend import aligned, atr_distance, zone_of
from quantmatrix.signals.domain.volatility import atr_pct
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

BARS_MIN = 50
# Sizes are for the person who acts; the scan only asks whether there is an entry at all.
SCAN_EQUITY = Money(10_000_000, "USD")
SCAN_DOOR = Door(Price.parse("0.0001"), Quantity(1), Quantity(1), 1.0)
RECOMMENDATIONS = {"BELOW_BASE": "SELL", "BUY": "BUY", "HOLD": "HOLD", "SCALE_OUT": "SCALE_OUT", "EXTENDED": "SCALE_OUT"}


class TooShortError(ValueError):
    """There are fewer bars than a reading needs."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One instrument as of its last bar. score sorts, the zone names the recommendation. entry: what the ATR Matrix would decide."""

    symbol: str
    session: date
    close: float
    volume: float
    change_pct: float | None
    atr_distance: float
    atr_pct: float
    aligned: bool | None
    position_20d: float | None
    rsi: float | None
    sma50: float
    zone: str
    score: float
    sector: str | None = None
    entry: Decision | None = None

    @property
    def recommendation(self) -> str:
        return RECOMMENDATIONS[self.zone]

    @property
    def confidence(self) -> float:
        """Of the entry; zero without one."""
        return self.entry.confidence if self.entry is not None else 0.0


def assessment(distance: float, percent: float, position: float | None, *, is_aligned: bool | None) -> float:
    """The score of a stock from 0 to 1: distance, alignment, 20-day position and movement, around one half."""
    if 0 <= distance <= 4:
        score = 0.4
    elif 4 < distance <= 7:
        score = 0.2
    else:
        score = -0.2 if distance > 7 else -0.4
    score += 0.25 if is_aligned else 0.0
    if position is not None:
        score += 0.15 if position > 70 else 0.10 if position > 50 else 0.0
    score += 0.10 if 3 <= percent <= 6 else -0.05 if percent > 6 else 0.0
    return min(1.0, max(0.0, score + 0.5))


def read_instrument(symbol: str, bars: pl.DataFrame, sector: str | None = None, parameters: AtrMatrixParameters | None = None) -> Reading:
    """The reading on the last bar. Raises TooShortError below 50 bars, and where nothing moves there is none either."""
    if bars.height < BARS_MIN:
        raise TooShortError(f"{bars.height} bars, a reading needs {BARS_MIN}")
    matrix = AtrMatrix(parameters or AtrMatrixParameters.model_validate({}))
    row = bars.select(
        **matrix.columns(),
        session="session",
        volume="volume",
        change=100.0 * pl.col("close").pct_change(),
        distance=atr_distance(),
        percent=atr_pct(),
        is_aligned=aligned("v1"),
        place=position_in_range(20),
        rsi14=rsi(14),
        base=sma(50),
    ).row(-1, named=True)
    if row["distance"] is None:
        raise TooShortError("nothing moved in the last bars")
    entries = matrix.decide(
        Situation(row, Price.parse(f"{row['close']:.6f}"), FLAT, pending=False, equity=SCAN_EQUITY, door=SCAN_DOOR),
    )
    return Reading(
        symbol=symbol,
        session=row["session"],
        close=row["close"],
        volume=row["volume"],
        change_pct=row["change"],
        atr_distance=row["distance"],
        atr_pct=row["percent"],
        aligned=row["is_aligned"],
        position_20d=row["place"],
        rsi=row["rsi14"],
        sma50=row["base"],
        zone=zone_of(row["distance"]),
        score=assessment(row["distance"], row["percent"], row["place"], is_aligned=row["is_aligned"]),
        sector=sector,
        entry=entries[0] if entries else None,
    )
