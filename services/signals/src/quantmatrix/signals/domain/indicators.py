"""Indicators as Polars expressions over columns open, high, low, close, volume (float64, oldest first, one instrument).

Statistics only: no value here is money. Where history is too short the result is null, never a guess.
"""

from typing import Literal

import polars as pl

from quantmatrix.signals.domain.carrying import Averaging, Counting, Smoothing, carried

Seed = Literal["wilder", "talib"]


def true_range() -> pl.Expr:
    """max(H, previous C) - min(L, previous C); the first bar has H - L (Wilder, New Concepts, 1978)."""
    before = pl.col("close").shift(1)
    return pl.max_horizontal(pl.col("high"), before) - pl.min_horizontal(pl.col("low"), before)


def atr(length: int = 14, seed: Seed = "wilder") -> pl.Expr:
    """Average true range by Wilder's recursion ATR = (ATR' * (n - 1) + TR) / n.

    seed wilder: the first value stands at index n-1 and is the mean of the first n true ranges, the first bar's included.
    seed talib: it stands at index n and is the mean of the true ranges 1 to n, as TA-Lib has it. Null before.
    """
    ranges = true_range()
    if seed == "talib":
        ranges = pl.when(bars_so_far() > 1).then(ranges)
    return _smoothed(ranges, length, 1.0 / length)


def sma(length: int) -> pl.Expr:
    """Simple moving average of the close; null until there are `length` bars."""
    return mean_of(pl.col("close"), length)


def mean_of(values: pl.Expr, length: int) -> pl.Expr:
    """The mean of the last `length` values; null until there are so many."""
    return carried(Averaging(length), values, values.rolling_mean(length))


def ema(length: int) -> pl.Expr:
    """Exponential moving average of the close, alpha 2 / (n + 1), started with the mean of the first n closes. Null before."""
    return _smoothed(pl.col("close"), length, 2.0 / (length + 1))


def _smoothed(values: pl.Expr, length: int, alpha: float) -> pl.Expr:
    """Exponential smoothing that starts with the mean of the first `length` values; null before."""
    mean = values.rolling_mean(length)
    started = pl.when(mean.shift(1).is_null()).then(mean).otherwise(values)
    return carried(Smoothing(alpha), values, started.ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True))


def rsi(length: int = 14) -> pl.Expr:
    """Wilder's relative strength index of the close, 0 to 100 (New Concepts, 1978): the averages start with the mean of the first n changes.

    Null until there are n changes, and while the close has neither risen nor fallen: then there is nothing to compare.
    """
    change = pl.col("close").diff()
    gain = _smoothed(change.clip(lower_bound=0.0), length, 1.0 / length)
    loss = _smoothed((-change).clip(lower_bound=0.0), length, 1.0 / length)
    return pl.when(gain + loss > 0).then(100.0 * gain / (gain + loss))


def macd(fast: int = 12, slow: int = 26, *, start: Seed = "wilder") -> pl.Expr:
    """Appel's moving average convergence divergence: EMA(fast) - EMA(slow) of the close; null until both are there.

    start talib: the fast average is started with the closes just before the slow one's first value, as TA-Lib has it.
    """
    if start == "wilder":
        return ema(fast) - ema(slow)
    late = pl.when(bars_so_far() > slow - fast).then(pl.col("close"))
    return _smoothed(late, fast, 2.0 / (fast + 1)) - ema(slow)


def macd_signal(fast: int = 12, slow: int = 26, signal: int = 9, *, start: Seed = "wilder") -> pl.Expr:
    """The exponential average of the MACD line, started with the mean of its first values."""
    return _smoothed(macd(fast, slow, start=start), signal, 2.0 / (signal + 1))


def macd_histogram(fast: int = 12, slow: int = 26, signal: int = 9, *, start: Seed = "wilder") -> pl.Expr:
    """MACD line minus its signal line."""
    return macd(fast, slow, start=start) - macd_signal(fast, slow, signal, start=start)


def position_in_range(length: int = 20) -> pl.Expr:
    """Where the close stands between the lowest low and the highest high of `length` bars, 0 to 100; null when these are equal."""
    low = pl.col("low").rolling_min(length)
    high = pl.col("high").rolling_max(length)
    return pl.when(high > low).then(100.0 * (pl.col("close") - low) / (high - low))


def bars_so_far() -> pl.Expr:
    """How many bars there are up to and including this one."""
    return carried(Counting(), pl.col("close"), pl.int_range(1, pl.len() + 1))
