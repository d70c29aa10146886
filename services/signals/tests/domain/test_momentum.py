"""RSI and MACD against TA-Lib on real bars, and against their definitions at the edges."""

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quantmatrix.signals.domain.indicators import macd, macd_histogram, macd_signal, rsi

_FILE = Path(__file__).parents[1] / "reference" / "aapl_2000_talib_momentum.csv"


def theirs(column: str) -> list[float | None]:
    """What TA-Lib 0.8.2 computed of the same raw closes."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [float(row[column]) if row[column] else None for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def closes(reference: Any) -> pl.DataFrame:
    return pl.DataFrame({"close": [bar.close for bar in reference.bars]})


def values(frame: pl.DataFrame, expression: pl.Expr) -> list[float | None]:
    return frame.select(x=expression)["x"].to_list()


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        ("talib_rsi14", rsi(14)),
        ("talib_macd_signal", macd_signal(start="talib")),
        ("talib_macd_hist", macd_histogram(start="talib")),
    ],
)
def test_momentum_agrees_with_ta_lib_on_real_bars(closes: pl.DataFrame, column: str, expression: pl.Expr) -> None:
    ours, expected = values(closes, expression), theirs(column)

    assert [value is None for value in ours] == [value is None for value in expected]
    known = [(one, other) for one, other in zip(ours, expected, strict=True) if other is not None]
    assert len(known) > 250
    assert [one for one, _ in known] == pytest.approx([other for _, other in known], rel=1e-9, abs=1e-9)


def test_the_macd_line_agrees_where_ta_lib_shows_it(closes: pl.DataFrame) -> None:
    """TA-Lib shows the line only from the bar on where it has a signal too."""
    ours, expected = values(closes, macd(start="talib")), theirs("talib_macd")

    assert ours[33:] == pytest.approx(expected[33:], rel=1e-9, abs=1e-9)
    assert ours[:25] == [None] * 25 and ours[25] is not None


def test_the_two_ways_to_start_a_macd_come_together(closes: pl.DataFrame) -> None:
    own, talib = values(closes, macd()), values(closes, macd(start="talib"))

    assert own[26] != pytest.approx(talib[26], rel=1e-6)
    assert own[200:] == pytest.approx(talib[200:], abs=1e-9)


def test_a_price_that_only_rises_has_an_rsi_of_100_and_one_that_only_falls_0() -> None:
    rising = pl.DataFrame({"close": [float(number) for number in range(1, 21)]})

    assert values(rising, rsi(14))[14:] == [100.0] * 6
    assert values(rising.reverse(), rsi(14))[14:] == [0.0] * 6


def test_without_movement_there_is_nothing_to_compare() -> None:
    assert values(pl.DataFrame({"close": [10.0] * 20}), rsi(14)) == [None] * 20


@pytest.mark.parametrize("expression", [rsi(14), macd(), macd_signal()])
def test_too_short_a_history_is_null(expression: pl.Expr) -> None:
    assert values(pl.DataFrame({"close": [10.0 + number % 3 for number in range(14)]}), expression) == [None] * 14
