"""Indicators against worked examples and against TA-Lib."""

import itertools
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.signals.domain.indicators import atr, bars_so_far, ema, position_in_range, sma, true_range

WORKED = pl.DataFrame(
    {"high": [110.0, 112.0, 108.0, 115.0, 113.0], "low": [105.0, 107.0, 102.0, 109.0, 110.0], "close": [108.0, 111.0, 105.0, 114.0, 112.0]}
)


def values(frame: pl.DataFrame, expression: pl.Expr) -> list[float | None]:
    return frame.select(x=expression)["x"].to_list()


def same(ours: list[float | None], theirs: list[float | None], rel: float = 1e-12) -> bool:
    """Equal within `rel`, and null in the same places."""
    return len(ours) == len(theirs) and all(
        (one is None and other is None) or (one is not None and other is not None and one == pytest.approx(other, rel=rel, abs=1e-9))
        for one, other in zip(ours, theirs, strict=True)
    )


def frame_of(bars: object) -> pl.DataFrame:
    return pl.DataFrame({name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")})


def test_true_ranges_of_the_worked_example() -> None:
    assert values(WORKED, true_range()) == [5, 5, 9, 10, 4]


def test_wilders_seed_starts_with_the_mean_of_the_first_ranges_and_follows_his_recursion() -> None:
    assert same(values(WORKED, atr(3)), [None, None, 6.333333, 7.555556, 6.370370], rel=1e-7)


def test_the_seed_of_ta_lib_leaves_the_first_bar_out_and_starts_one_later() -> None:
    assert same(values(WORKED, atr(3, seed="talib")), [None, None, None, 8.0, 6.666667], rel=1e-7)


@pytest.mark.parametrize(
    ("column", "expression"),
    [("talib_atr14", atr(14, seed="talib")), ("talib_ema10", ema(10)), ("talib_sma50", sma(50))],
)
def test_indicators_agree_with_ta_lib_on_real_bars(reference: Any, column: str, expression: pl.Expr) -> None:
    ours = values(frame_of(reference.bars), expression)

    assert sum(value is not None for value in ours) > 250
    assert same(ours, list(reference.figures[column]))


def test_true_ranges_agree_with_ta_lib_after_the_first_bar(reference: Any) -> None:
    ours = values(frame_of(reference.bars), true_range())

    assert ours[1:] == pytest.approx(list(reference.figures["talib_trange"])[1:], rel=1e-12)


def test_wilders_seed_has_come_together_with_ta_lib_after_150_bars(reference: Any) -> None:
    """The seeds differ by three percent at first; the difference shrinks by 13/14 a bar."""
    ours = values(frame_of(reference.bars), atr(14))

    assert ours[14] != pytest.approx(reference.figures["talib_atr14"][14], rel=1e-3)
    assert ours[150:] == pytest.approx(list(reference.figures["talib_atr14"])[150:], rel=1e-5)


def test_flat_prices_have_no_range_and_raise_nothing() -> None:
    flat = pl.DataFrame({"high": [10.0] * 20, "low": [10.0] * 20, "close": [10.0] * 20})

    assert values(flat, atr(14))[13:] == [0.0] * 7
    assert values(flat, position_in_range(20)) == [None] * 20


@pytest.mark.parametrize("expression", [atr(14), sma(14), ema(14), position_in_range(14)])
def test_too_short_a_history_is_null_and_never_a_guess(expression: pl.Expr) -> None:
    short = pl.DataFrame({"high": [11.0] * 13, "low": [9.0] * 13, "close": [10.0] * 13})

    assert values(short, expression) == [None] * 13


def test_position_in_the_range_of_the_worked_example() -> None:
    """C=112 in a 20-day range of 98 to 114 stands at 87.5 %."""
    frame = pl.DataFrame({"high": [114.0] * 20, "low": [98.0] * 20, "close": [100.0] * 19 + [112.0]})

    assert values(frame, position_in_range(20))[-1] == 87.5


def test_bars_are_counted_from_one() -> None:
    assert values(WORKED, bars_so_far()) == [1, 2, 3, 4, 5]


prices = st.floats(min_value=1.0, max_value=1e4, allow_nan=False)


@st.composite
def histories(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.lists(st.tuples(prices, prices, prices), min_size=2, max_size=80))
    ordered = [sorted(row) for row in rows]
    return pl.DataFrame({"low": [row[0] for row in ordered], "close": [row[1] for row in ordered], "high": [row[2] for row in ordered]})


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(min_value=1, max_value=20))
def test_atr_equals_its_definition_written_as_a_loop(frame: pl.DataFrame, length: int) -> None:
    ranges = [frame["high"][0] - frame["low"][0]]
    for index in range(1, frame.height):
        before = frame["close"][index - 1]
        ranges.append(max(frame["high"][index], before) - min(frame["low"][index], before))
    expected: list[float | None] = [None] * min(length - 1, frame.height)
    for index in range(length - 1, frame.height):
        if index == length - 1:
            expected.append(sum(ranges[:length]) / length)
        else:
            expected.append((expected[-1] * (length - 1) + ranges[index]) / length)

    assert same(values(frame, atr(length)), expected, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_no_indicator_looks_ahead(frame: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(min_value=1, max_value=frame.height))
    for expression in (atr(5), sma(5), ema(5), position_in_range(5), bars_so_far()):
        assert values(frame.head(cut), expression) == values(frame, expression)[:cut]


def test_the_reference_holds_real_sessions_only(reference: Any) -> None:
    sessions = [bar.session for bar in reference.bars]

    assert sessions[0] == date(2000, 3, 1)
    assert sessions == sorted(set(sessions))
    assert all(later - earlier < timedelta(days=6) for earlier, later in itertools.pairwise(sessions))
