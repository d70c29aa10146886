"""Scores, temperature and action of bots: every worked value, signs, thresholds, dropouts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.signals.domain.bots.scores import (
    REGIME_ACTION_AT,
    Action,
    Score,
    Temperature,
    average_score,
    combined,
    macd_score,
    rsi_score,
    temperature_of,
)

WEIGHTS = {"rsi": 0.33, "average": 0.33, "macd": 0.34}


@pytest.mark.parametrize(
    ("rsi", "score"),
    [(10, 0.8333), (24, 0.60), (30, 0.50), (40, 0.25), (50, 0.0), (62, -0.30), (70, -0.50), (85, -0.75), (0, 1.0), (100, -1.0)],
)
def test_the_score_of_an_rsi(rsi: float, score: float) -> None:
    assert rsi_score(rsi).value == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize(("fast", "score"), [(101.2, 0.1194), (95.0, -0.4621), (100.0, 0.0)])
def test_the_score_of_two_averages_apart(fast: float, score: float) -> None:
    assert average_score(fast, 100.0, fast, 100.0).value == pytest.approx(score, abs=5e-5)


def test_a_fresh_cross_is_surer_than_it_is_far() -> None:
    assert average_score(100.1, 100.0, 99.9, 100.0) == Score(0.8, 0.9)
    assert average_score(99.9, 100.0, 100.1, 100.0) == Score(-0.8, 0.9)
    assert average_score(100.1, 100.0, None, None).value == pytest.approx(0.01, abs=1e-4)


def test_the_score_of_a_macd_is_the_same_at_any_price_level() -> None:
    assert macd_score(1.2, 0.9, 0.05, 4.0).value == pytest.approx(0.7373, abs=5e-5)
    assert macd_score(1.2e4, 0.9e4, 0.05e4, 4.0e4).value == macd_score(1.2, 0.9, 0.05, 4.0).value
    assert macd_score(-1.2, -0.9, -0.05, 4.0).value == pytest.approx(-0.7373, abs=5e-5)


def test_the_worked_example_of_all_three() -> None:
    scores = {"rsi": rsi_score(24.0), "average": average_score(101.2, 100.0, 101.0, 100.0), "macd": macd_score(1.2, 0.9, 0.05, 4.0)}

    found = combined(scores, WEIGHTS)

    assert found.score == pytest.approx(0.4881, abs=5e-5)
    assert (found.temperature, found.action, found.distance_to_action, found.failed) == (Temperature.HOT, Action.BUY, 0.0, ())
    assert found.confidence == pytest.approx((0.60 + 0.1194 + 0.7373) / 3, abs=5e-5)


def test_hot_0_85_is_a_purchase() -> None:
    found = combined({"rsi": Score(0.85, 0.85)}, {"rsi": 1.0})

    assert (found.temperature, found.action) == (Temperature.HOT, Action.BUY)
    assert combined({"rsi": Score(-0.85, 0.85)}, {"rsi": 1.0}).action is Action.SELL


@pytest.mark.parametrize(
    ("score", "production", "sensitive"),
    [
        (0.30, "HOT", "HOT"),
        (-0.2999, "WARM", "HOT"),
        (0.15, "WARM", "HOT"),
        (0.1499, "COOL", "HOT"),
        (0.05, "COOL", "WARM"),
        (0.0499, "FROZEN", "WARM"),
        (-0.005, "FROZEN", "COOL"),
        (0.0049, "FROZEN", "FROZEN"),
    ],
)
def test_temperature_is_the_size_of_the_score(score: float, production: str, sensitive: str) -> None:
    assert temperature_of(score) == production
    assert temperature_of(score, "sensitive") == sensitive


def test_a_failed_signal_drops_out_and_is_named() -> None:
    found = combined({"rsi": Score(0.6, 0.6), "average": None, "macd": Score(0.2, 0.2)}, WEIGHTS)

    assert found.score == pytest.approx((0.33 * 0.6 + 0.34 * 0.2) / 0.67)
    assert found.failed == ("average",)
    assert combined({"rsi": None}, {"rsi": 1.0}).action is Action.HOLD


def test_a_signal_without_weight_is_off_and_not_failed() -> None:
    found = combined({"rsi": Score(0.6, 0.6), "macd": None}, {"rsi": 0.5, "macd": 0.0})

    assert (found.score, found.failed) == (pytest.approx(0.6), ())


def test_unsure_signals_hold_however_strong_the_score() -> None:
    found = combined({"rsi": Score(0.9, 0.19)}, {"rsi": 1.0})

    assert (found.action, found.temperature) == (Action.HOLD, Temperature.HOT)


@pytest.mark.parametrize(
    ("score", "action", "distance"), [(0.30, "BUY", 0.0), (0.29, "HOLD", 0.01), (-0.30, "SELL", 0.0), (-0.1, "HOLD", 0.2)]
)
def test_hot_is_where_one_acts(score: float, action: str, distance: float) -> None:
    found = combined({"rsi": Score(score, 0.9)}, {"rsi": 1.0})

    assert found.action == action
    assert found.distance_to_action == pytest.approx(distance)


def test_a_regime_can_lower_the_thresholds() -> None:
    limit = REGIME_ACTION_AT["RANGING"]

    assert combined({"rsi": Score(0.06, 0.9)}, {"rsi": 1.0}, buy_at=limit, sell_at=-limit).action is Action.BUY


@pytest.mark.parametrize("weights", [{"rsi": 0.6, "macd": 0.5}, {"rsi": -0.1}, {"rsi": 1.1}, {"rsi": 0.0}])
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="sum to at most 1"):
        combined({"rsi": Score(0.5, 0.5)}, weights)


@given(st.floats(0, 100), st.floats(1, 49), st.floats(51, 99))
def test_an_rsi_scores_between_minus_one_and_one_and_falls(rsi: float, oversold: float, overbought: float) -> None:
    score = rsi_score(rsi, oversold, overbought).value

    assert -1.0 - 1e-12 <= score <= 1.0 + 1e-12
    assert rsi_score(min(100.0, rsi + 1.0), oversold, overbought).value <= score + 1e-12
