"""The one ATR calculator's readings: enhanced, options, matrix, portfolio. The basic method is `indicators.atr`.

Each reading has a status; where history is too short it says so and holds no figure that was made up.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import polars as pl

from quantmatrix.signals.domain.indicators import atr, bars_so_far, position_in_range, sma, true_range
from quantmatrix.signals.domain.trend import (
    aligned,
    atr_distance,
    atr_pct_multiple,
    chandelier_long,
    chandelier_short,
    zone_of,
)

Status = Literal["ok", "insufficient_data"]
PERCENTILE_VALUES_MIN = 60
FRESH_SESSIONS, STALE_SESSIONS = 5, 15
BREAKOUT_AT, EXHAUSTION_AT = 2.0, 2.5
LADDER = (0, 4, 7, 8, 9, 10, 12)
# The expected range of a day of a driftless Brownian motion is √(8/π) of its standard deviation (after Parkinson, 1980).
RANGE_OF_SIGMA = math.sqrt(8.0 / math.pi)
SESSIONS_PER_YEAR = 252


class Level(StrEnum):
    """How much a price moves."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    EXTREME = "EXTREME"


_RATING_BELOW = ((1.5, Level.LOW), (3.0, Level.MEDIUM), (5.0, Level.HIGH))
_REGIME_UP_TO = ((25.0, Level.LOW), (75.0, Level.MEDIUM), (90.0, Level.HIGH))
STOP_ATR = {Level.LOW: 1.5, Level.MEDIUM: 2.0, Level.HIGH: 2.5, Level.EXTREME: 3.0}
STRIKE_ATRS = {"otm_call": 1.5, "otm_put": -1.5, "itm_call": -0.5, "itm_put": 0.5}
"""Where strikes are looked for, in ATRs from the price: out of the money to sell premium, in the money for a direction."""
OPTIONS_MULTIPLIER = {Level.LOW: 1.25, Level.MEDIUM: 1.0, Level.HIGH: 0.75, Level.EXTREME: 0.5}


def rating_of(atr_pct: float) -> Level:
    """LOW below 1.5 % of the price, MEDIUM below 3, HIGH below 5, else EXTREME."""
    return next((level for limit, level in _RATING_BELOW if atr_pct < limit), Level.EXTREME)


def regime_of(percentile: float) -> Level:
    """LOW up to the 25th percentile of the past, MEDIUM to the 75th, HIGH to the 90th, EXTREME above."""
    return next((level for limit, level in _REGIME_UP_TO if percentile <= limit), Level.EXTREME)


def atr_pct(length: int = 14) -> pl.Expr:
    """ATR in percent of the close."""
    return 100.0 * atr(length) / pl.col("close")


def atr_percentile(length: int = 14, lookback: int = 252) -> pl.Expr:
    """How many percent of the last `lookback` ATR percentages are not above this one; null below 60 values."""
    values = atr_pct(length)
    rank = values.rolling_rank(lookback, method="max", min_samples=PERCENTILE_VALUES_MIN)
    known = pl.min_horizontal(bars_so_far().cast(pl.Int64) - (length - 1), pl.lit(lookback))
    return 100.0 * rank / known


def atr_trend(length: int = 14) -> pl.Expr:
    """EXPANDING when the mean of the last 5 ATRs is 1.15 times that of the ATRs 20 to 11 bars back, CONTRACTING below 0.85, else STABLE."""
    values = atr(length)
    near, far = values.rolling_mean(5), values.rolling_mean(10).shift(10)
    named = (
        pl.when(near > 1.15 * far).then(pl.lit("EXPANDING")).when(near < 0.85 * far).then(pl.lit("CONTRACTING")).otherwise(pl.lit("STABLE"))
    )
    return pl.when(far.is_not_null()).then(named)


def range_multiple(length: int = 14) -> pl.Expr:
    """This bar's true range over the ATR of the bar before, which does not contain it yet; a breakout from 2.0 on."""
    before = atr(length).shift(1)
    return pl.when(before > 0).then(true_range() / before)


@dataclass(frozen=True, slots=True)
class AtrReading:
    """One instrument's volatility on one bar. Figures are None where history is too short for them, all of them when status says so.

    rating is absolute, regime relative to the instrument's own past. atr_pct and percentile are percent.
    """

    status: Status
    bars: int
    atr: float | None = None
    atr_pct: float | None = None
    rating: Level | None = None
    percentile: float | None = None
    regime: Level | None = None
    trend: str | None = None
    cycle_stage: str | None = None
    multiple: float | None = None
    is_breakout: bool = False
    is_exhausted: bool = False
    direction: int = 0
    chandelier_long: float | None = None
    chandelier_short: float | None = None
    band_high: float | None = None
    band_low: float | None = None
    stop_long: float | None = None
    entry_level: float | None = None
    exhaustion_level: float | None = None
    quality: float = 0.0


def atr_reading(bars: pl.DataFrame, length: int = 14, lookback: int = 252, *, sessions_old: int = 0) -> AtrReading:
    """The reading on the last of these bars; `sessions_old` tells how many sessions have closed since that bar."""
    if bars.height < length:
        return AtrReading("insufficient_data", bars.height)
    row = bars.select(
        close="close",
        atr=atr(length),
        percentile=atr_percentile(length, lookback),
        trend=atr_trend(length),
        multiple=range_multiple(length),
        change=pl.col("close").diff(),
        chandelier_long=chandelier_long(),
        chandelier_short=chandelier_short(),
        middle=sma(20),
    ).row(-1, named=True)
    close, moves = float(row["close"]), float(row["atr"])
    percent = 100.0 * moves / close
    rating, multiple, middle = rating_of(percent), row["multiple"], row["middle"]
    regime = regime_of(row["percentile"]) if row["percentile"] is not None else None
    return AtrReading(
        status="ok",
        bars=bars.height,
        atr=moves,
        atr_pct=percent,
        rating=rating,
        percentile=row["percentile"],
        regime=regime,
        trend=row["trend"],
        cycle_stage=_cycle_stage(regime, row["trend"]),
        multiple=multiple,
        is_breakout=multiple is not None and multiple >= BREAKOUT_AT,
        is_exhausted=multiple is not None and multiple >= EXHAUSTION_AT,
        direction=_sign(row["change"]),
        chandelier_long=row["chandelier_long"],
        chandelier_short=row["chandelier_short"],
        band_high=middle + 2.0 * moves if middle is not None else None,
        band_low=middle - 2.0 * moves if middle is not None else None,
        stop_long=close - STOP_ATR[rating] * moves,
        entry_level=close + 0.5 * moves,
        exhaustion_level=close + 2.5 * moves,
        quality=min(1.0, bars.height / (2.0 * length)) * freshness(sessions_old),
    )


def freshness(sessions_old: int) -> float:
    """1 up to 5 sessions, then in a straight line to 0.5 at 15 sessions, where it stays."""
    beyond = max(0, min(sessions_old, STALE_SESSIONS) - FRESH_SESSIONS)
    return 1.0 - 0.5 * beyond / (STALE_SESSIONS - FRESH_SESSIONS)


def _cycle_stage(regime: Level | None, trend: str | None) -> str | None:
    if regime is None or trend is None:
        return None
    if regime is Level.LOW and trend != "EXPANDING":
        return "COMPRESSION"
    if regime in (Level.HIGH, Level.EXTREME) and trend != "STABLE":
        return "EXPANSION" if trend == "EXPANDING" else "EXHAUSTION"
    return "STABLE"


def _sign(change: float | None) -> int:
    return 0 if not change else (1 if change > 0 else -1)


@dataclass(frozen=True, slots=True)
class OptionsAtr:
    """What an option trader reads from the ATR. Sigmas are fractions, the expected move is in the price's units.

    suggested_strikes: otm_call, otm_put, itm_call, itm_put; the nearest listed ones when strikes were given.
    """

    status: Status
    atr_value: float | None = None
    volatility_level: Level | None = None
    options_multiplier: float | None = None
    suggested_strikes: Mapping[str, float] | None = None
    daily_sigma: float | None = None
    annual_vol: float | None = None
    expected_move: float | None = None
    hv_percentile: float | None = None
    iv_rank: float | None = None


def options_atr(
    price: float, reading: AtrReading, trading_days: int, strikes: Sequence[float] = (), iv_history: Sequence[float] = ()
) -> OptionsAtr:
    """Strikes and expected move from the ATR. iv_rank comes from real implied volatilities (oldest first) or not at all."""
    if reading.status != "ok" or reading.atr is None or reading.rating is None:
        return OptionsAtr("insufficient_data")
    moves = reading.atr
    levels = {name: price + times * moves for name, times in STRIKE_ATRS.items()}
    sigma = moves / price / RANGE_OF_SIGMA
    return OptionsAtr(
        status="ok",
        atr_value=moves,
        volatility_level=reading.rating,
        options_multiplier=OPTIONS_MULTIPLIER[reading.rating],
        suggested_strikes={name: nearest_strike(strikes, level) if strikes else level for name, level in levels.items()},
        daily_sigma=sigma,
        annual_vol=sigma * math.sqrt(SESSIONS_PER_YEAR),
        expected_move=price * sigma * math.sqrt(trading_days),
        hv_percentile=reading.percentile,
        iv_rank=iv_rank(iv_history),
    )


def nearest_strike(strikes: Iterable[float], level: float) -> float:
    """The listed strike that lies nearest to a level, the lower one of two. Raises ValueError when none is listed."""
    return min(strikes, key=lambda one: (abs(one - level), one))


def iv_rank(history: Sequence[float]) -> float | None:
    """Where today's implied volatility stands between the least and the most of the last 252; None with less history or without a range."""
    year = history[-SESSIONS_PER_YEAR:]
    if len(year) < SESSIONS_PER_YEAR or max(year) <= min(year):
        return None
    return (year[-1] - min(year)) / (max(year) - min(year))


@dataclass(frozen=True, slots=True)
class MatrixAtr:
    """The ATR Matrix of one instrument on its last bar. ladder: price by distance in ATRs above the 50-day average."""

    status: Status
    daily_atr: float | None = None
    weekly_atr: float | None = None
    ladder: Mapping[int, float] | None = None
    entry_level: float | None = None
    stop_level: float | None = None
    target_level: float | None = None
    risk_reward_ratio: float | None = None
    atr_distance: float | None = None
    atr_pct_multiple: float | None = None
    zone: str | None = None
    ma_aligned: bool | None = None
    price_position_20d: float | None = None


def matrix_atr(daily: pl.DataFrame, length: int = 14) -> MatrixAtr:
    """The reading on the last daily bar; needs the column `session` and 50 bars. The running week counts as it stands."""
    if daily.height < 50:
        return MatrixAtr("insufficient_data")
    row = daily.select(
        close="close",
        atr=atr(length),
        base=sma(50),
        distance=atr_distance(length),
        multiple=atr_pct_multiple(length),
        aligned=aligned("v1"),
        position=position_in_range(20),
    ).row(-1, named=True)
    close, moves, base, distance = row["close"], row["atr"], row["base"], row["distance"]
    if distance is None:
        return MatrixAtr("insufficient_data")
    ladder = {level: base + level * moves for level in LADDER}
    stop = max(close - 1.5 * moves, 0.90 * close)
    return MatrixAtr(
        status="ok",
        daily_atr=moves,
        weekly_atr=weekly(daily).select(atr(length)).item(-1, 0),
        ladder=ladder,
        entry_level=close,
        stop_level=stop,
        target_level=ladder[7],
        risk_reward_ratio=(ladder[7] - close) / (close - stop),
        atr_distance=distance,
        atr_pct_multiple=row["multiple"],
        zone=zone_of(distance),
        ma_aligned=row["aligned"],
        price_position_20d=row["position"],
    )


def weekly(daily: pl.DataFrame) -> pl.DataFrame:
    """Bars of weeks that end on Friday, the running one as it stands; a bar of a weekend belongs to the week that follows."""
    week = pl.col("session").dt.offset_by("2d").dt.truncate("1w")
    weeks = daily.group_by(week.alias("week"), maintain_order=True)
    return weeks.agg(
        session=pl.col("session").last(),
        open=pl.col("open").first(),
        high=pl.col("high").max(),
        low=pl.col("low").min(),
        close=pl.col("close").last(),
        volume=pl.col("volume").sum(),
    ).drop("week")
