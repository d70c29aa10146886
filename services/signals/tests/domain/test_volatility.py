"""The enhanced, options, matrix and portfolio methods of the ATR: worked examples, bounds, and honest statuses."""

import math
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from quantmatrix.signals.domain.heat import Exposed, correlation, portfolio_atr
from quantmatrix.signals.domain.indicators import atr
from quantmatrix.signals.domain.series import series_from
from quantmatrix.signals.domain.trend import zone_of
from quantmatrix.signals.domain.volatility import (
    AtrReading,
    Level,
    atr_pct,
    atr_percentile,
    atr_reading,
    freshness,
    iv_rank,
    matrix_atr,
    options_atr,
    range_multiple,
    rating_of,
    regime_of,
    weekly,
)


@pytest.fixture(scope="module")
def apple(reference: Any) -> pl.DataFrame:
    return series_from(reference.bars, reference.splits).frame


@pytest.mark.parametrize(
    ("percent", "level"), [(1.49, "LOW"), (1.5, "MEDIUM"), (2.99, "MEDIUM"), (3.0, "HIGH"), (4.99, "HIGH"), (5.0, "EXTREME")]
)
def test_rating_is_absolute(percent: float, level: str) -> None:
    assert rating_of(percent) == level


@pytest.mark.parametrize(("percentile", "level"), [(25, "LOW"), (25.1, "MEDIUM"), (75, "MEDIUM"), (90, "HIGH"), (90.1, "EXTREME")])
def test_regime_is_relative_to_the_past(percentile: float, level: str) -> None:
    assert regime_of(percentile) == level


def test_the_percentile_counts_the_values_that_are_not_above(apple: pl.DataFrame) -> None:
    found = apple.select(x=atr_percentile(14, 100), pct=atr_pct(14))
    past = found["pct"].to_list()

    assert found["x"][: 13 + 59].null_count() == 13 + 59
    for at in (72, 150, 300):
        window = [value for value in past[max(0, at - 99) : at + 1] if value is not None]
        assert found["x"][at] == pytest.approx(100 * sum(value <= past[at] for value in window) / len(window))


def test_a_breakout_is_measured_against_the_range_before_it() -> None:
    """With ATR 4 before it, a range of 8 is a multiple of 2.0; divided by an ATR that contains it, it would be 1.87."""
    quiet = [(102.0, 98.0, 100.0)] * 20
    frame = pl.DataFrame([*quiet, (108.0, 100.0, 107.0)], schema=["high", "low", "close"], orient="row").with_columns(
        open=pl.col("close"), volume=pl.lit(1.0)
    )

    assert frame.select(x=range_multiple())["x"][-1] == pytest.approx(2.0)
    found = atr_reading(frame)
    assert (found.is_breakout, found.is_exhausted, found.direction) == (True, False, 1)


def test_every_figure_of_a_real_reading_follows_its_definition(apple: pl.DataFrame) -> None:
    found = atr_reading(apple, sessions_old=10)
    close, ranges = apple["close"][-1], apple.select(x=atr(14))["x"]

    assert found.status == "ok" and found.atr == ranges[-1]
    assert found.atr_pct == pytest.approx(100 * ranges[-1] / close)
    assert found.rating is Level.EXTREME and found.stop_long == pytest.approx(close - 3.0 * ranges[-1])
    assert found.entry_level == pytest.approx(close + 0.5 * ranges[-1])
    assert found.exhaustion_level == pytest.approx(close + 2.5 * ranges[-1])
    near, far = sum(ranges[-5:]) / 5, sum(ranges[-20:-10]) / 10
    assert found.trend == ("EXPANDING" if near > 1.15 * far else "CONTRACTING" if near < 0.85 * far else "STABLE")
    middle = sum(apple["close"][-20:]) / 20
    assert (found.band_high, found.band_low) == (pytest.approx(middle + 2 * ranges[-1]), pytest.approx(middle - 2 * ranges[-1]))
    assert found.chandelier_long == pytest.approx(max(apple["high"][-22:]) - 3 * apple.select(x=atr(22))["x"][-1])
    assert found.quality == 0.75


@pytest.mark.parametrize(("old", "fresh"), [(0, 1.0), (5, 1.0), (10, 0.75), (15, 0.5), (99, 0.5)])
def test_freshness_falls_between_5_and_15_sessions(old: int, fresh: float) -> None:
    assert freshness(old) == fresh


def test_short_history_has_a_status_and_no_figures(apple: pl.DataFrame) -> None:
    found = atr_reading(apple.head(13))

    assert found == AtrReading("insufficient_data", 13)
    assert options_atr(100.0, found, 10).status == "insufficient_data"
    assert options_atr(100.0, found, 10).atr_value is None
    assert matrix_atr(apple.head(49)).status == "insufficient_data"
    assert matrix_atr(apple.head(49)).entry_level is None


def test_a_short_past_has_no_regime_and_no_stage(apple: pl.DataFrame) -> None:
    found = atr_reading(apple.head(40))

    assert found.status == "ok" and found.atr is not None
    assert (found.percentile, found.regime, found.cycle_stage) == (None, None, None)


READING = AtrReading("ok", 300, atr=3.6, atr_pct=2.0, rating=Level.MEDIUM, percentile=40.0)


def test_the_worked_example_of_options() -> None:
    """P=180, ATR=3.6."""
    found = options_atr(180.0, READING, 10)

    assert found.suggested_strikes == pytest.approx({"otm_call": 185.4, "otm_put": 174.6, "itm_call": 178.2, "itm_put": 181.8})
    assert found.daily_sigma == pytest.approx(0.012533, abs=5e-7)
    assert found.annual_vol == pytest.approx(0.1990, abs=5e-5)
    assert found.expected_move == pytest.approx(7.13, abs=5e-3)
    assert (found.options_multiplier, found.volatility_level, found.hv_percentile, found.iv_rank) == (1.0, "MEDIUM", 40.0, None)


def test_strikes_are_the_nearest_that_are_listed() -> None:
    found = options_atr(180.0, READING, 10, strikes=[170.0, 172.5, 175.0, 177.5, 180.0, 182.5, 185.0, 187.5])

    assert found.suggested_strikes == {"otm_call": 185.0, "otm_put": 175.0, "itm_call": 177.5, "itm_put": 182.5}


def test_an_iv_rank_needs_a_year_of_real_volatilities() -> None:
    year = [0.20 + 0.001 * (number % 101) for number in range(251)]

    assert iv_rank([*year, 0.25]) == pytest.approx(0.5)
    assert iv_rank(year) is None
    assert iv_rank([0.2] * 252) is None


def test_every_options_multiplier_lies_between_a_half_and_two() -> None:
    for level in Level:
        found = options_atr(100.0, AtrReading("ok", 99, atr=2.0, rating=level), 5)
        assert found.options_multiplier is not None and 0.5 <= found.options_multiplier <= 2.0


def test_the_matrix_of_real_bars(apple: pl.DataFrame) -> None:
    found = matrix_atr(apple)
    close, base, moves = apple["close"][-1], sum(apple["close"][-50:]) / 50, apple.select(x=atr(14))["x"][-1]

    assert found.ladder == pytest.approx({level: base + level * moves for level in (0, 4, 7, 8, 9, 10, 12)})
    assert (found.entry_level, found.target_level) == (close, pytest.approx(base + 7 * moves))
    assert found.stop_level == pytest.approx(max(close - 1.5 * moves, 0.9 * close))
    assert found.atr_distance == pytest.approx((close - base) / moves)
    assert found.zone == zone_of(found.atr_distance)
    assert found.weekly_atr is not None and found.weekly_atr > moves


def test_in_the_buy_zone_risk_to_reward_is_at_least_one_and_a_half() -> None:
    """R:R = (7 - d) / 1.5 while the floor of 10 % does not bind; d ≤ 4 gives 2 and more."""
    closes = [100.0 + 0.05 * number for number in range(120)]
    frame = pl.DataFrame({"close": closes}).with_columns(
        session=pl.date_range(date(2010, 1, 4), date(2010, 1, 4) + timedelta(days=119), eager=True),
        open=pl.col("close"), high=pl.col("close") + 1.0, low=pl.col("close") - 1.0, volume=pl.lit(1.0),
    )  # fmt: skip

    found = matrix_atr(frame)

    assert found.zone == "BUY" and found.atr_distance is not None
    assert found.risk_reward_ratio == pytest.approx((7 - found.atr_distance) / 1.5)
    assert found.risk_reward_ratio >= 1.5


def test_a_week_is_its_first_open_its_extremes_and_its_last_close() -> None:
    days = [date(2010, 1, 7), date(2010, 1, 8), date(2010, 1, 11), date(2010, 1, 12)]
    frame = pl.DataFrame(
        {"session": days, "open": [1.0, 2.0, 3.0, 4.0], "high": [5.0, 9.0, 6.0, 7.0], "low": [0.5, 0.7, 2.0, 1.0],
         "close": [2.0, 3.0, 4.0, 5.0], "volume": [1.0, 2.0, 3.0, 4.0]}
    )  # fmt: skip

    assert weekly(frame).rows() == [
        (date(2010, 1, 8), 1.0, 9.0, 0.5, 3.0, 3.0),
        (date(2010, 1, 12), 3.0, 7.0, 1.0, 5.0, 7.0),
    ]


def test_a_week_ends_on_friday_also_where_weekends_trade() -> None:
    """10 to 12 July 2026 are Friday, Saturday and Sunday: the weekend opens the next week, as weeks that end on Friday have it."""
    days = [date(2026, 7, number) for number in (9, 10, 11, 12, 13, 17, 18)]
    closes = [float(number) for number in range(7)]
    frame = pl.DataFrame({"session": days, **dict.fromkeys(("open", "high", "low", "close"), closes), "volume": [1.0] * 7})

    assert weekly(frame).select("session", "open", "close").rows() == [
        (date(2026, 7, 10), 0.0, 1.0),
        (date(2026, 7, 17), 2.0, 5.0),
        (date(2026, 7, 18), 6.0, 6.0),
    ]


HELD = [Exposed("AAPL", 120, 3.82, 200.0), Exposed("NVDA", 80, 6.40, 120.0), Exposed("VTI", 150, 2.60, 280.0)]
PAIRS = [("AAPL", "NVDA"), ("NVDA", "VTI"), ("AAPL", "VTI")]


def test_the_worked_example_of_a_portfolio() -> None:
    found = portfolio_atr(HELD, 186_949.08, dict.fromkeys(PAIRS, 0.6))

    assert found.gross == pytest.approx(1_360.40)
    assert found.gross_pct == pytest.approx(0.728, abs=5e-4)
    assert found.diversified == pytest.approx(1_166.26, abs=5e-3)
    assert found.diversified_pct == pytest.approx(0.624, abs=5e-4)


def test_shorts_offset_longs_that_move_with_them() -> None:
    pair = [Exposed("AAPL", 100, 2.0, 100.0), Exposed("MSFT", -100, 2.0, 100.0)]

    found = portfolio_atr(pair, 10_000.0, {("MSFT", "AAPL"): 1.0})

    assert (found.gross, found.diversified) == (400.0, 0.0)


def test_a_missing_correlation_is_named_and_nothing_is_made_up() -> None:
    found = portfolio_atr(HELD, 186_949.08, dict.fromkeys(PAIRS[:2], 0.6))

    assert (found.status, found.diversified, found.without_correlation) == ("insufficient_data", None, (("AAPL", "VTI"),))
    assert found.gross == pytest.approx(1_360.40)


def test_heat_counts_positions_with_a_stop_long_and_short() -> None:
    held = [
        Exposed("A", 100, 1.0, 50.0, stop=45.0),
        Exposed("B", -10, 1.0, 20.0, stop=23.0),
        Exposed("C", 7, 1.0, 9.0),
        Exposed("D", 5, 1.0, 8.0, stop=9.0),
    ]

    assert portfolio_atr(held, 1_000.0, {}).heat == 530.0


def test_correlation_needs_forty_common_returns() -> None:
    days = pl.date_range(date(2010, 1, 1), date(2010, 3, 31), eager=True)
    left = pl.DataFrame({"session": days, "close": [100.0 + 5 * math.sin(number) for number in range(days.len())]})

    assert correlation(left, left) == pytest.approx(1.0)
    assert correlation(left, left.with_columns(close=10_000.0 / pl.col("close"))) == pytest.approx(-1.0)
    assert correlation(left, left.head(40)) is None
    assert correlation(left, left.with_columns(close=pl.lit(5.0))) is None
