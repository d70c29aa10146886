"""Where a price stands in its trend: distance from the base, zones, alignment, Weinstein's stages, strength against a benchmark.

Polars expressions as in `indicators.py`: backwards only, null where history is too short, usable `.over("instrument")`.
"""

import itertools
from typing import Literal

import polars as pl

from quantmatrix.signals.domain.indicators import atr, ema, sma

Chain = Literal["v1", "v2"]
BASE_LENGTH = 50
ZONES = ((0.0, "BELOW_BASE"), (4.0, "BUY"), (7.0, "HOLD"))
STAGE_LENGTH, STAGE_SLOPE_OVER, STAGE_SLOPE_MIN = 150, 20, 0.005


def atr_distance(length: int = 14, base: int = BASE_LENGTH) -> pl.Expr:
    """(C - SMA50) / ATR14: how many average true ranges the close stands above its base. Null where nothing moves."""
    moves = atr(length)
    return pl.when(moves > 0).then((pl.col("close") - sma(base)) / moves)


def atr_pct_multiple(length: int = 14, base: int = BASE_LENGTH) -> pl.Expr:
    """((C - SMA50) / SMA50) / (ATR / C), Jeff Sun's number (TradingView, 27 June 2023); it is the distance times C / SMA50."""
    return atr_distance(length, base) * pl.col("close") / sma(base)


def zone_of(distance: float) -> str:
    """Where a distance in ATRs lies: BELOW_BASE, BUY, HOLD, SCALE_OUT (up to and including 10) or EXTENDED."""
    for limit, name in ZONES:
        if distance < limit:
            return name
    return "SCALE_OUT" if distance <= 10 else "EXTENDED"


def zone(distance: pl.Expr) -> pl.Expr:
    """`zone_of` as a column; null where the distance is."""
    named = pl.when(distance <= 10).then(pl.lit("SCALE_OUT")).otherwise(pl.lit("EXTENDED"))
    for limit, name in reversed(ZONES):
        named = pl.when(distance < limit).then(pl.lit(name)).otherwise(named)
    return pl.when(distance.is_not_null()).then(named)


def aligned(chain: Chain = "v1") -> pl.Expr:
    """Whether shorter averages stand above longer ones; null until the longest is there.

    v1: EMA10 ≥ SMA20 ≥ SMA50 ≥ SMA100 ≥ SMA200. v2: EMA21 ≥ SMA21 ≥ SMA50 ≥ SMA100 ≥ SMA200.
    """
    short = (ema(10), sma(20)) if chain == "v1" else (ema(21), sma(21))
    averages = (*short, sma(50), sma(100), sma(200))
    steps = [left >= right for left, right in itertools.pairwise(averages)]
    return pl.when(averages[-1].is_not_null()).then(pl.all_horizontal(steps))


def weinstein_stage(length: int = STAGE_LENGTH, over: int = STAGE_SLOPE_OVER, slope_min: float = STAGE_SLOPE_MIN) -> pl.Expr:
    """Weinstein's stages (Secrets for Profiting, 1988) on the 150-day average, his 30 weeks: 1 base, 2 advance, 3 top, 4 decline.

    2: the close is above the average and that has risen by `slope_min` in `over` bars; 4: below and fallen. Between them it is
    3 after an advance and 1 after a decline; null before the first of either. Daily bars, so that no running week repaints.
    """
    average = sma(length)
    slope = average / average.shift(over) - 1.0
    close = pl.col("close")
    moving = pl.when((close > average) & (slope >= slope_min)).then(2).when((close < average) & (slope <= -slope_min)).then(4)
    before = moving.forward_fill()
    resting = pl.when(slope.is_not_null() & (before == 2)).then(3).when(slope.is_not_null() & (before == 4)).then(1)
    return pl.coalesce(moving, resting)


def mansfield_strength(benchmark: pl.Expr, length: int = 252) -> pl.Expr:
    """Mansfield's relative strength: 100 × (ratio / its average - 1), ratio = close / benchmark's close of the same session."""
    ratio = pl.col("close") / benchmark
    return 100.0 * (ratio / ratio.rolling_mean(length) - 1.0)


def chandelier_long(length: int = 22, times: float = 3.0, *, ratchet: bool = False) -> pl.Expr:
    """LeBeau's stop of a long position: highest high - k × ATR. ratchet: never lowered until the close has fallen below it."""
    level = pl.col("high").rolling_max(length) - times * atr(length)
    return _ratcheted(level, 1.0) if ratchet else level


def chandelier_short(length: int = 22, times: float = 3.0, *, ratchet: bool = False) -> pl.Expr:
    """LeBeau's stop of a short position: lowest low + k × ATR. ratchet: never raised until the close has risen above it."""
    level = pl.col("low").rolling_min(length) + times * atr(length)
    return _ratcheted(level, -1.0) if ratchet else level


def _ratcheted(level: pl.Expr, sign: float) -> pl.Expr:
    def walk(pairs: pl.Series) -> pl.Series:
        kept: list[float | None] = []
        held: float | None = None
        before: float | None = None
        for close, fresh in zip(pairs.struct.field("close"), pairs.struct.field("level"), strict=True):
            crossed = held is None or before is None or sign * (before - held) < 0
            if fresh is None or crossed or sign * (fresh - held) > 0:
                held = fresh
            before = close
            kept.append(held)
        return pl.Series(kept, dtype=pl.Float64)

    return pl.struct(pl.col("close"), level.alias("level")).map_batches(walk, return_dtype=pl.Float64)
