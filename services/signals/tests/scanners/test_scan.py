"""Scans over a universe: filters, presets, order, symbols that cannot be read; scores, alerts and a morning's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from quantmatrix.signals.domain.series import series_from
from quantmatrix.signals.scanners.holdings import Urgency, alerts_of, morning, most_urgent
from quantmatrix.signals.scanners.reading import Reading, TooShortError, assessment, read_instrument
from quantmatrix.signals.scanners.scan import BATCH, PRESETS, Filter, Scan, scan
from quantmatrix.signals.scanners.watchlist import components, watch, watchlist


@pytest.fixture(scope="module")
def apple(reference: Any) -> pl.DataFrame:
    return series_from(reference.bars, reference.splits).frame


def rising(slope: float = 0.05, swing: float = 2.0, bars: int = 220) -> pl.DataFrame:
    days = pl.date_range(date(2010, 1, 4), date(2010, 1, 4) + timedelta(days=bars - 1), eager=True)
    closes = pl.Series([100.0 + slope * number for number in range(bars)])
    return pl.DataFrame(
        {"session": days, "open": closes, "high": closes + swing, "low": closes - swing, "close": closes, "volume": [1e6] * bars}
    )


ONE = Reading(
    symbol="AAA", session=date(2024, 3, 5), close=100.0, volume=1e6, change_pct=1.5, atr_distance=3.0, atr_pct=4.0, aligned=True,
    position_20d=85.0, rsi=60.0, sma50=90.0, zone="BUY", score=0.9, sector="Technology",
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, True),
        ({"min_atr_distance": 3.0, "max_atr_distance": 3.0}, True),
        ({"min_atr_distance": 3.01}, False),
        ({"max_atr_distance": 2.99}, False),
        ({"min_atr_pct": 4.1}, False),
        ({"max_atr_pct": 3.9}, False),
        ({"require_ma_alignment": True}, True),
        ({"min_price_position_20d": 86}, False),
        ({"min_price": 101}, False),
        ({"max_price": 99}, False),
        ({"min_volume": 1_000_001}, False),
        ({"sectors": ("Energy",)}, False),
        ({"sectors": ("Technology",)}, True),
        ({"include_symbols": ("BBB",)}, False),
        ({"exclude_symbols": ("AAA",)}, False),
        ({"min_confidence": 0.01}, False),
        ({"min_confidence": 0.0}, True),
    ],
)
def test_a_filter_keeps_what_fits(wanted: dict[str, Any], kept: bool) -> None:
    assert Filter.model_validate(wanted).keeps(ONE) is kept


def test_a_figure_that_is_not_known_fits_no_bound() -> None:
    assert not Filter.model_validate({"min_price_position_20d": 0}).keeps(replace(ONE, position_20d=None))
    assert not Filter.model_validate({"require_ma_alignment": True}).keeps(replace(ONE, aligned=None))


@pytest.mark.parametrize("wanted", [{"min_confidence": 2}, {"min_price": float("nan")}, {"min_price": -1}, {"max_pe": 20}])
def test_a_filter_that_makes_no_sense_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate(wanted)


@pytest.mark.parametrize(
    ("preset", "fits", "misses"),
    [
        ("entry_setup", {}, {"atr_distance": 4.1}),
        ("entry_setup", {"position_20d": 60.0}, {"position_20d": 59.9}),
        ("breakout_candidates", {"atr_distance": 6.0}, {"atr_distance": 8.1}),
        ("value", {"atr_distance": 0.0, "atr_pct": 2.0}, {"atr_distance": 0.1}),
        ("momentum", {"atr_distance": 8.0, "atr_pct": 5.0}, {"atr_distance": 8.0, "atr_pct": 4.9}),
    ],
)
def test_the_presets(preset: str, fits: dict[str, float], misses: dict[str, float]) -> None:
    assert PRESETS[preset].keeps(replace(ONE, **fits))  # type: ignore[arg-type]
    assert not PRESETS[preset].keeps(replace(ONE, **misses))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("distance", "percent", "position", "aligned", "score"),
    [
        (3.0, 4.0, 87.5, True, 1.0),
        (5.0, 2.0, 60.0, False, 0.8),
        (8.0, 7.0, 20.0, False, 0.25),
        (-1.0, 2.0, None, None, 0.1),
        (4.0, 3.0, 50.0, False, 1.0),
    ],
)
def test_the_score_of_a_stock(distance: float, percent: float, position: float | None, aligned: bool | None, score: float) -> None:
    assert assessment(distance, percent, position, is_aligned=aligned) == pytest.approx(score)


@pytest.mark.parametrize(
    ("zone", "recommendation"),
    [("BELOW_BASE", "SELL"), ("BUY", "BUY"), ("HOLD", "HOLD"), ("SCALE_OUT", "SCALE_OUT"), ("EXTENDED", "SCALE_OUT")],
)
def test_the_zone_names_the_recommendation_and_not_the_score(zone: str, recommendation: str) -> None:
    assert replace(ONE, zone=zone, score=0.5).recommendation == recommendation


def test_a_reading_of_real_bars_has_every_figure(apple: pl.DataFrame) -> None:
    found = read_instrument("AAPL", apple, "Technology")

    assert (found.session, found.close) == (apple["session"][-1], apple["close"][-1])
    assert found.change_pct == pytest.approx(100 * (apple["close"][-1] / apple["close"][-2] - 1))
    assert None not in (found.position_20d, found.rsi, found.aligned)
    with pytest.raises(TooShortError, match="49 bars, a reading needs 50"):
        read_instrument("AAPL", apple.head(49))


def test_a_bad_symbol_stops_no_scan(apple: pl.DataFrame) -> None:
    universe = {
        "AAPL": apple,
        "SHORT": apple.head(20),
        "FLAT": rising(0.0, 0.0),
        "BROKEN": apple.drop("close"),
        "NAN": rising().with_columns(close=pl.lit(float("nan"))),
        "UP": rising(),
    }

    found = scan(
        [*universe, "ABSENT"], lambda batch: {symbol: universe[symbol] for symbol in batch if symbol in universe}, Filter.model_validate({})
    )

    assert {one.symbol for one in found.hits} == {"AAPL", "UP"} and found.scanned == 2
    why = {one.symbol: one.why for one in found.unread}
    assert set(why) == {"SHORT", "FLAT", "BROKEN", "NAN", "ABSENT"}
    assert "20 bars" in why["SHORT"] and "close" in why["BROKEN"] and why["ABSENT"] == "there are no bars"


def test_hits_come_by_distance_in_batches_and_each_symbol_once() -> None:
    asked: list[int] = []
    slopes = {f"S{number:03}": 0.02 + 0.001 * (number * 37 % 101) for number in range(120)}

    def bars(batch: Sequence[str]) -> Mapping[str, pl.DataFrame]:
        asked.append(len(batch))
        return {symbol: rising(slopes[symbol]) for symbol in batch}

    found = scan([*slopes, *slopes], bars, Filter.model_validate({}))

    assert asked == [BATCH, BATCH, 20]
    distances = [one.atr_distance for one in found.hits]
    assert len(distances) == 120 and distances == sorted(distances)
    assert len(found.top) == 5


def test_the_scan_of_the_schedule_keeps_entries_that_are_sure_enough() -> None:
    found = scan(["UP", "DOWN"], lambda batch: {"UP": rising(), "DOWN": rising(-0.05)}, PRESETS["atr_matrix"])

    (hit,) = found.hits
    assert hit.symbol == "UP" and hit.entry is not None and hit.confidence >= 0.6
    assert found.scanned == 2


def test_a_watchlist_ranks_by_weight_and_shares_what_is_missing() -> None:
    universe: dict[str, dict[str, float | None]] = {
        "BEST": {"volume": 9.0, "volatility": 9.0, "momentum": 9.0, "sentiment": 9.0, "volume_momentum": 9.0},
        "LOUD": {"volume": 9.0, "volatility": 1.0, "momentum": 1.0, "sentiment": 1.0, "volume_momentum": 1.0},
        "MUTE": {"volume": 1.0, "volatility": 9.0, "momentum": 9.0, "sentiment": None, "volume_momentum": 9.0},
        "NONE": {"volume": None, "volatility": None},
    }

    found = {one.symbol: one for one in watchlist(universe)}

    assert set(found) == {"BEST", "LOUD", "MUTE"}
    assert (found["BEST"].score, found["LOUD"].score) == (100.0, 30.0)
    assert found["MUTE"].score == pytest.approx(100 * 55 / 85) and found["MUTE"].missing == ("sentiment",)
    assert [one.symbol for one in watchlist(universe, top=1)] == ["BEST"]


def test_the_points_of_a_watchlist_add_up_to_its_score_and_a_bad_symbol_is_told_beside(apple: pl.DataFrame) -> None:
    universe = {"AAPL": apple, "UP": rising(), "BROKEN": apple.drop("volume"), "SHORT": rising(bars=3), "EMPTY": apple.head(0)}

    found = watch([*universe, "ABSENT"], lambda batch: {one: universe[one] for one in batch if one in universe}, {"UP": 0.5})

    assert {one.symbol for one in found.watched} == {"AAPL", "UP"} == set(found.figures)
    for one in found.watched:
        assert sum(one.points.values()) == pytest.approx(one.score) and set(one.points).isdisjoint(one.missing)
        assert found.sessions[one.symbol] == universe[one.symbol]["session"][-1]
    by_symbol = {one.symbol: one for one in found.watched}
    assert by_symbol["AAPL"].missing == ("sentiment",) and by_symbol["UP"].points["sentiment"] == 15.0
    assert by_symbol["AAPL"].points["volume"] == pytest.approx(100 * 30 / 85), "Apple trades more money than 1e6 units at 100"
    why = {one.symbol: one.why for one in found.unread}
    assert set(why) == {"BROKEN", "SHORT", "EMPTY", "ABSENT"} and "volume" in why["BROKEN"] and "3 bars" in why["SHORT"]


def test_the_components_of_a_watchlist_come_from_bars(apple: pl.DataFrame) -> None:
    found = components(apple)

    assert found["sentiment"] is None
    assert found["momentum"] == pytest.approx(100 * (apple["close"][-1] / apple["close"][-21] - 1))
    assert found["volume_momentum"] == pytest.approx((apple["volume"][-5:].mean() or 0) / (apple["volume"][-20:].mean() or 1))
    assert components(apple.head(10))["volatility"] is None


def codes(cost: float, **changed: Any) -> list[str]:
    return [one.alert.value for one in alerts_of(replace(ONE, **{"aligned": None, **changed}), cost)]


@pytest.mark.parametrize(
    ("cost", "changed", "expected"),
    [
        (100.0, {}, []),
        (109.0, {}, ["STOP_LOSS"]),
        (83.0, {}, ["PROFIT_TAKING"]),
        (100.0, {"zone": "SCALE_OUT", "atr_distance": 8.0}, ["SCALE_OUT"]),
        (100.0, {"sma50": 101.0}, ["TECHNICAL_BREAK"]),
        (100.0, {"rsi": 29.9}, ["OVERSOLD"]),
        (100.0, {"rsi": 70.1}, ["OVERBOUGHT"]),
        (100.0, {"aligned": True}, ["MA_ALIGNMENT"]),
    ],
)
def test_alerts_of_a_holding(cost: float, changed: dict[str, Any], expected: list[str]) -> None:
    assert codes(cost, **changed) == expected


def test_an_entry_well_below_the_cost_is_an_opportunity(apple: pl.DataFrame) -> None:
    entry = read_instrument("UP", rising()).entry

    assert codes(105.5, entry=entry) == ["DCA_OPPORTUNITY"]
    assert codes(105.0, entry=entry) == []


def test_the_ten_most_urgent_are_told() -> None:
    told = [
        one for number in range(20) for one in alerts_of(replace(ONE, symbol=f"S{number:02}", rsi=20.0), 109.0 if number > 14 else 100.0)
    ]

    found = most_urgent(told)

    assert len(found) == 10
    assert [one.urgency for one in found[:5]] == [Urgency.CRITICAL] * 5
    assert [one.symbol for one in found[5:7]] == ["S00", "S01"]


def test_a_morning_has_indices_setups_and_counts() -> None:
    entry = read_instrument("UP", rising()).entry
    hits = tuple(replace(ONE, symbol=f"S{number}", entry=entry if number % 2 else None) for number in range(12))

    found = morning(Scan(hits, (), 40), {"SPY": ONE, "QQQ": replace(ONE, change_pct=None), "XLK": ONE})

    assert found.index_moves == {"SPY": 1.5}
    assert [one.symbol for one in found.setups] == ["S1", "S3", "S5", "S7"]
    assert (found.scanned, found.hits, found.unread) == (40, 12, 0)
    assert found.setups[0].risk_reward >= 2.0 and len(found.setups[0].targets) == 2
