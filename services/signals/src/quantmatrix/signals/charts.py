"""Series as people look at them: today's units, two averages, and the ladder of ATRs above the 50-day average."""

from datetime import date

import polars as pl

from quantmatrix.common.contracts.asking.signals import Chart, ChartAsked
from quantmatrix.common.runtime.database import Connection
from quantmatrix.signals.domain.indicators import atr, sma
from quantmatrix.signals.domain.series import Series
from quantmatrix.signals.domain.trend import zone_of
from quantmatrix.signals.domain.volatility import LADDER
from quantmatrix.signals.slate import MarketHistory, series_of
from quantmatrix.signals.strategies.atr_matrix import ATR_LENGTH

LIMIT_MAX = 4_000
_FAR = date(9999, 12, 31)


class Charts:
    """Answers from market's published history, so a chart never shows what has not happened yet."""

    def __init__(self, history: MarketHistory) -> None:
        self._history = history

    async def chart(self, asked: ChartAsked, _: Connection) -> Chart:
        series = series_of(await self._history.bars(asked.instrument_id, _FAR))
        return chart_of(asked, series)


def chart_of(asked: ChartAsked, series: Series) -> Chart:
    """The last bars of a series in today's units."""
    today = 1.0 / series.factor
    frame = series.frame.select(
        "session",
        *((pl.col(name) * today).alias(name) for name in ("open", "high", "low", "close")),
        (pl.col("volume") * series.factor).alias("volume"),
        (sma(20) * today).alias("sma20"),
        (sma(50) * today).alias("sma50"),
        (atr(ATR_LENGTH) * today).alias("atr"),
    )
    shown = frame.tail(max(1, min(asked.limit, LIMIT_MAX)))
    last = frame.row(-1, named=True) if frame.height else {"close": None, "sma50": None, "atr": None}
    close, base, true_range = last["close"], last["sma50"], last["atr"]
    distance = None
    ladder: dict[str, float] = {}
    if close is not None and base is not None and true_range:
        distance = (close - base) / true_range
        ladder = {str(level): base + level * true_range for level in LADDER}
    return Chart(
        instrument_id=asked.instrument_id,
        sessions=tuple(shown["session"].to_list()),
        open=tuple(shown["open"].to_list()),
        high=tuple(shown["high"].to_list()),
        low=tuple(shown["low"].to_list()),
        close=tuple(shown["close"].to_list()),
        volume=tuple(shown["volume"].to_list()),
        sma20=tuple(shown["sma20"].to_list()),
        sma50=tuple(shown["sma50"].to_list()),
        ladder=ladder,
        atr=true_range,
        atr_pct=100 * true_range / close if true_range and close else None,
        distance=distance,
        zone=zone_of(distance) if distance is not None else None,
    )
