"""Distance, zones, alignment, stages, strength and the chandelier: definitions, worked examples, and the same values per instrument."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from quantmatrix.signals.domain import patterns, trend, volatility
from quantmatrix.signals.domain.indicators import atr, bars_so_far, ema, macd_histogram, position_in_range, rsi, sma

PRICES = ("open", "high", "low", "close", "volume")


def values(frame: pl.DataFrame, expression: pl.Expr) -> list[Any]:
    return frame.select(x=expression)["x"].to_list()


def closes(*prices: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"open": prices, "high": prices, "low": prices, "close": prices, "volume": [1.0] * len(prices)},
        schema=dict.fromkeys(PRICES, pl.Float64),
    )


@pytest.fixture(scope="module")
def real(reference: Any) -> pl.DataFrame:
    bars = {name: [getattr(bar, name) for bar in reference.bars] for name in ("session", *PRICES)}
    return pl.DataFrame(bars)


EXPRESSIONS = {
    "atr": atr(14), "sma": sma(50), "ema": ema(10), "rsi": rsi(14), "macd": macd_histogram(), "position": position_in_range(20),
    "bars": bars_so_far(), "distance": trend.atr_distance(), "multiple": trend.atr_pct_multiple(), "zone": trend.zone(trend.atr_distance()),
    "aligned": trend.aligned("v1"), "aligned_v2": trend.aligned("v2"), "stage": trend.weinstein_stage(),
    "chandelier": trend.chandelier_long(), "ratchet": trend.chandelier_long(ratchet=True), "chandelier_short": trend.chandelier_short(ratchet=True),
    "strength": trend.mansfield_strength(pl.col("volume"), 100),
    "percentile": volatility.atr_percentile(), "atr_trend": volatility.atr_trend(), "range_multiple": volatility.range_multiple(),
    "setup": patterns.td_setup("buy"), "countdown": patterns.td_countdown("sell"), "gap": patterns.gap_pct(),
    "gaps_up": patterns.gaps_up(), "gaps_down": patterns.gaps_down(), **patterns.performances(),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_an_expression_over_instruments_equals_itself_on_each_alone(real: pl.DataFrame, name: str) -> None:
    """Two instruments in one frame, interleaved: neither sees the other."""
    other = real.with_columns(*((pl.col(column).reverse()).alias(column) for column in PRICES))
    both = pl.concat([real.with_columns(instrument=pl.lit("A")), other.with_columns(instrument=pl.lit("B"))]).sort("session", "instrument")

    grouped = both.select("instrument", x=EXPRESSIONS[name].over("instrument"))

    assert grouped["x"].null_count() < grouped.height
    assert grouped.filter(instrument="A")["x"].to_list() == values(real, EXPRESSIONS[name])
    assert grouped.filter(instrument="B")["x"].to_list() == values(other, EXPRESSIONS[name])


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_no_expression_looks_ahead(real: pl.DataFrame, name: str) -> None:
    whole = values(real, EXPRESSIONS[name])
    for cut in (1, 5, 30, 60, 120, 200, 253, 300, real.height - 1):
        assert values(real.head(cut), EXPRESSIONS[name]) == whole[:cut]


def test_distance_and_multiple_are_two_numbers() -> None:
    """C=130, SMA50=100, ATR=4: the distance is 7.5, Jeff Sun's multiple 9.75."""
    row = pl.DataFrame({"close": [130.0], "base": [100.0], "atr": [4.0]})
    distance = (pl.col("close") - pl.col("base")) / pl.col("atr")

    assert values(row, distance) == [7.5]
    assert values(row, distance * pl.col("close") / pl.col("base")) == [9.75]


def test_the_multiple_is_the_gain_over_the_base_in_atr_percentages(real: pl.DataFrame) -> None:
    expected = ((pl.col("close") - sma(50)) / sma(50)) / (atr(14) / pl.col("close"))

    assert values(real, trend.atr_pct_multiple())[60:] == pytest.approx(values(real, expected)[60:], rel=1e-12)


@pytest.mark.parametrize(
    ("distance", "name"),
    [(-0.01, "BELOW_BASE"), (0, "BUY"), (3.99, "BUY"), (4, "HOLD"), (7, "SCALE_OUT"), (10, "SCALE_OUT"), (10.01, "EXTENDED")],
)
def test_a_zone_has_the_same_name_as_column_and_as_value(distance: float, name: str) -> None:
    assert trend.zone_of(distance) == name
    assert values(pl.DataFrame({"d": [distance]}), trend.zone(pl.col("d"))) == [name]


def test_a_rising_price_is_aligned_once_the_longest_average_is_there() -> None:
    rising = closes(*(100.0 + number for number in range(220)))

    for chain in ("v1", "v2"):
        found = values(rising, trend.aligned(chain))
        assert found[:199] == [None] * 199 and found[199:] == [True] * 21
        assert values(closes(*(400.0 - number for number in range(220))), trend.aligned(chain))[199:] == [False] * 21


def test_the_stages_of_a_rise_a_rest_a_fall_and_a_rest() -> None:
    rise = [100.0 * 1.004**number for number in range(260)]
    top = [rise[-1]] * 200
    fall = [top[-1] * 0.996**number for number in range(260)]
    base = [fall[-1]] * 200
    found = values(closes(*rise, *top, *fall, *base), trend.weinstein_stage())

    assert found[:149] == [None] * 149
    assert [found[at] for at in (259, 455, 719, 918)] == [2, 3, 4, 1]
    assert [stage for stage, before in zip(found[1:], found, strict=False) if stage != before] == [2, 3, 4, 1]


def test_strength_against_a_benchmark_is_the_ratio_against_its_average() -> None:
    frame = closes(*([10.0] * 9 + [12.0])).with_columns(benchmark=pl.lit(5.0))

    found = values(frame, trend.mansfield_strength(pl.col("benchmark"), 10))

    assert found[:9] == [None] * 9
    assert found[9] == pytest.approx(100 * (2.4 / 2.04 - 1))


def test_the_chandelier_hangs_three_atrs_below_the_highest_high(real: pl.DataFrame) -> None:
    levels, ranges = values(real, trend.chandelier_long()), values(real, atr(22))

    assert levels[:21] == [None] * 21
    assert levels[100] == pytest.approx(max(real["high"][79:101]) - 3 * ranges[100], rel=1e-12)


def test_a_ratcheted_chandelier_is_only_let_go_when_the_close_has_crossed_it(real: pl.DataFrame) -> None:
    plain, kept, close = values(real, trend.chandelier_long()), values(real, trend.chandelier_long(ratchet=True)), real["close"]
    loosened = 0
    for at in range(22, real.height):
        if close[at - 1] >= kept[at - 1]:
            assert kept[at] == max(kept[at - 1], plain[at])
        else:
            assert kept[at] == plain[at]
            loosened += kept[at] < kept[at - 1]
    assert loosened, "the close never crossed the stop: the test shows nothing"


def test_a_setup_counts_closes_against_the_fourth_before_and_stops_at_nine() -> None:
    falling = closes(*(100.0 - number for number in range(16)))

    assert values(falling, patterns.td_setup("buy")) == [None] * 4 + [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]
    assert values(falling, patterns.td_setup("sell"))[4:] == [0] * 12


def test_a_countdown_begins_with_the_completed_setup_and_ends_at_thirteen() -> None:
    falling = closes(*(100.0 - number for number in range(30)))

    counted = values(falling, patterns.td_countdown("buy"))

    assert counted[:12] == [0] * 12
    assert counted[12:25] == list(range(1, 14))
    assert counted[25:] == [0] * 5


def test_a_setup_the_other_way_ends_a_countdown() -> None:
    turn = closes(*(100.0 - number for number in range(16)), *(86.0 + number for number in range(16)))

    counted = values(turn, patterns.td_countdown("buy"))

    assert max(counted) == 5
    setup = values(turn, patterns.td_setup("sell"))
    assert counted[setup.index(9)] == 0 and counted[setup.index(9) - 1] > 0


def test_gaps_are_bars_that_do_not_touch_the_one_before() -> None:
    frame = pl.DataFrame(
        {"open": [10.0, 12.0, 12.0, 8.0], "high": [11.0, 13.0, 13.5, 9.0], "low": [9.0, 11.5, 11.0, 7.0], "close": [10.0, 12.0, 12.0, 8.0]}
    )

    assert values(frame, patterns.gap_pct()) == [None, pytest.approx(20.0), 0.0, pytest.approx(-100 / 3)]
    assert values(frame, patterns.gaps_up(3)) == [None, None, None, 1]
    assert values(frame, patterns.gaps_down(3)) == [None, None, None, 1]


def test_performance_over_bars_and_since_the_last_close_of_the_period_before() -> None:
    days = [date(2010, 12, 30) + timedelta(days=number) for number in range(6)]
    frame = closes(100.0, 110.0, 121.0, 121.0, 133.1, 110.0).with_columns(session=pl.Series(days))

    assert values(frame, patterns.performance(1))[1:3] == pytest.approx([10.0, 10.0])
    assert values(frame, patterns.performance(20)) == [None] * 6
    for period in ("1mo", "1q", "1y"):
        found = values(frame, patterns.performance_to_date(period))
        assert found[:2] == [None, None]
        assert found[2:] == pytest.approx([10.0, 10.0, 21.0, 0.0])
