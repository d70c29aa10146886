"""Carried columns against the same expressions over all bars: equal in every bit, on drawn and on real bars."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import InstrumentId
from quantmatrix.signals.domain.carrying import Averaging, Smoothing
from quantmatrix.signals.domain.indicators import atr, bars_so_far, ema, macd_histogram, macd_signal, mean_of, rsi, sma
from quantmatrix.signals.domain.series import RawBar, Series, series_from
from quantmatrix.signals.domain.tails import TRIED_EVERY, Tails

ONE, OTHER = InstrumentId("ID-ONE"), InstrumentId("ID-OTHER")
prices = st.floats(min_value=0.01, max_value=1e6, allow_nan=False)


def everything() -> Mapping[str, pl.Expr]:
    """Every indicator that is carried, one that stands on another, and what is looked back at."""
    histogram = macd_histogram(3, 6, 4)
    return {
        "sma": sma(7), "before": sma(7).shift(1), "ema": ema(5), "atr": atr(4), "rsi": rsi(3), "signal": macd_signal(3, 6, 4),
        "change": histogram.diff(), "bars": bars_so_far(), "volume": pl.col("volume") / mean_of(pl.col("volume"), 6),
    }  # fmt: skip


def bars_of(closes: list[float]) -> list[RawBar]:
    """Bars around these closes."""
    start = date(2010, 1, 4)
    return [RawBar(start + timedelta(days=k), c, c * 1.01, c * 0.98, c, 1_000.0 + k % 7) for k, c in enumerate(closes)]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(prices, min_size=20, max_size=80), length=st.integers(1, 9), start=st.integers(9, 15))
def test_a_rule_comes_to_the_values_of_its_expression(values: list[float], length: int, start: int) -> None:
    column = pl.Series("close", values)
    smoothed = column.ewm_mean(alpha=1.0 / length, adjust=False, ignore_nulls=True).to_list()
    for rule, whole in ((Averaging(length), column.rolling_mean(length).to_list()), (Smoothing(1.0 / length), smoothed)):
        state = rule.start(values[:start], whole[:start])

        assert state is not None
        assert [state.step(value) for value in values[start:]] == whole[start:]


def test_a_mean_that_polars_makes_otherwise_is_not_carried() -> None:
    values = [float(value) for value in range(1, 20)]
    whole = pl.Series(values).rolling_mean(5).to_list()

    assert Averaging(5).start(values, [*whole[:-1], 0.1]) is None
    assert Averaging(5).start([*values[:-1], None], whole) is None


@settings(max_examples=25, deadline=None)
@given(closes=st.lists(prices, min_size=60, max_size=90))
def test_every_bar_of_every_instrument_is_that_of_all_its_bars(closes: list[float]) -> None:
    tails, bars = Tails({"all": everything}, looks_back=1), bars_of(closes)
    backwards = bars_of(closes[::-1])
    series = {ONE: Series(), OTHER: Series()}
    seen = 0
    for number, (bar, other) in enumerate(zip(bars, backwards, strict=True)):
        series[ONE].append(bar)
        fresh = [ONE] if number % 3 else [ONE, OTHER]
        if OTHER in fresh:
            series[OTHER].append(other)
        tails.advance({key: series[key] for key in fresh})
        for key in fresh:
            row = tails.row("all", key)
            seen += row is not None
            assert row is None or row == series[key].latest(everything())
    assert seen > len(bars) - TRIED_EVERY


def test_a_series_that_was_loaded_again_or_has_gone_on_by_more_than_a_bar_is_computed_anew(reference: Any) -> None:
    bars = list(reference.bars)
    tails, series = Tails({"all": everything}, looks_back=1), series_from(bars[:100], ())
    tails.advance({ONE: series})
    for bar in bars[100:105]:
        series.append(bar)
    tails.advance({ONE: series})
    assert tails.row("all", ONE) == series.latest(everything())

    again = series_from(bars[:106], ())
    tails.advance({ONE: again})
    assert tails.row("all", ONE) == again.latest(everything())


def test_without_bars_enough_nothing_is_carried() -> None:
    tails, series = Tails({"all": everything}, looks_back=1), series_from(bars_of([10.0, 11.0]), ())
    tails.advance({ONE: series})

    assert tails.row("all", ONE) is None
