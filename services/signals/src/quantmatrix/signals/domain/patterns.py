"""Patterns in bars: DeMark's sequential counts, gaps, and performance over windows and calendar periods.

Polars expressions as in `indicators.py`: backwards only, null where history is too short, usable `.over("instrument")`.
"""

from typing import Literal

import polars as pl

from quantmatrix.signals.domain.indicators import bars_so_far

Way = Literal["buy", "sell"]
Period = Literal["1mo", "1q", "1y"]
SETUP_DONE, COUNTDOWN_DONE = 9, 13
WINDOWS = (1, 3, 5, 20, 60, 120, 252)
PERIODS: dict[str, Period] = {"mtd": "1mo", "qtd": "1q", "ytd": "1y"}


def td_setup(way: Way) -> pl.Expr:
    """How many closes in a row lie below (buy) or above (sell) the close four bars earlier, at most 9. Null for the first four bars.

    A completed setup (9) stays at 9 while the row goes on (DeMark, The New Science of Technical Analysis, 1994).
    """
    close = pl.col("close")
    counts = close < close.shift(4) if way == "buy" else close > close.shift(4)
    number = bars_so_far().cast(pl.Int64)
    broken = pl.when(~counts.fill_null(value=False)).then(number).forward_fill().fill_null(0)
    return pl.when(close.shift(4).is_not_null()).then(pl.min_horizontal(number - broken, pl.lit(SETUP_DONE, dtype=pl.Int64)))


def td_countdown(way: Way) -> pl.Expr:
    """After a completed setup: how many bars closed at or below the low (buy), at or above the high (sell) two bars earlier, to 13.

    They need not follow each other. A setup completed the other way ends the count, 13 ends it too; 0 while none runs.
    """
    other: Way = "sell" if way == "buy" else "buy"
    close = pl.col("close")
    counts = close <= pl.col("low").shift(2) if way == "buy" else close >= pl.col("high").shift(2)
    parts = pl.struct(_completed(way).alias("starts"), _completed(other).alias("ends"), counts.fill_null(value=False).alias("counts"))
    return parts.map_batches(_count_down, return_dtype=pl.Int64)


def _completed(way: Way) -> pl.Expr:
    setup = td_setup(way)
    return ((setup == SETUP_DONE) & (setup.shift(1) == SETUP_DONE - 1)).fill_null(value=False)


def _count_down(parts: pl.Series) -> pl.Series:
    counted: list[int] = []
    running, count = False, 0
    for starts, ends, counts in zip(*(parts.struct.field(name) for name in ("starts", "ends", "counts")), strict=True):
        if ends or (running and count == COUNTDOWN_DONE):
            running, count = False, 0
        if starts and not running:
            running, count = True, 0
        if running and counts:
            count += 1
        counted.append(count)
    return pl.Series(counted, dtype=pl.Int64)


def gap_pct() -> pl.Expr:
    """The open against the close before, in percent."""
    return 100.0 * (pl.col("open") / pl.col("close").shift(1) - 1.0)


def gaps_up(length: int = 20) -> pl.Expr:
    """How many of the last bars lie wholly above the bar before them."""
    return (pl.col("low") > pl.col("high").shift(1)).cast(pl.Int64).rolling_sum(length)


def gaps_down(length: int = 20) -> pl.Expr:
    """How many of the last bars lie wholly below the bar before them."""
    return (pl.col("high") < pl.col("low").shift(1)).cast(pl.Int64).rolling_sum(length)


def performance(length: int) -> pl.Expr:
    """What the close gained in `length` bars, in percent."""
    return 100.0 * (pl.col("close") / pl.col("close").shift(length) - 1.0)


def performance_to_date(period: Period) -> pl.Expr:
    """What the close gained since the last close before its month, quarter or year, in percent; needs the column `session`."""
    began = pl.col("session").dt.truncate(period)
    first = began != began.shift(1)
    base = pl.when(first.fill_null(value=False)).then(pl.col("close").shift(1)).forward_fill()
    return 100.0 * (pl.col("close") / base - 1.0)


def performances() -> dict[str, pl.Expr]:
    """Every window of bars and every calendar period, by name."""
    windows = {f"performance_{length}": performance(length) for length in WINDOWS}
    return windows | {name: performance_to_date(period) for name, period in PERIODS.items()}
