"""The four advising rules, cell by cell, at their limits."""

from datetime import date

import pytest
from pydantic import ValidationError

from quantmatrix.signals.advising import AdviceParameters
from quantmatrix.signals.domain.advice import BILLION, Frequency, Kept, Style, advise, looked_at_next, within


@pytest.mark.parametrize(
    ("style", "cap_bn", "gain", "growth", "action", "percent", "confidence"),
    [
        ("conservative", 51, -15.1, False, "BUY", 10, 0.85),
        ("conservative", 51, -15.0, False, "HOLD", 0, None),
        ("conservative", 51, 50.1, False, "REDUCE", 25, None),
        ("conservative", 50, -25.1, False, "BUY", 5, 0.70),
        ("conservative", 2, -16.0, False, "HOLD", 0, None),
        ("conservative", 2, 75.1, False, "REDUCE", 30, None),
        ("conservative", 1.9, -90.0, False, "HOLD", 0, None),
        ("conservative", 1.9, 100.1, False, "SELL", 50, None),
        ("standard", 11, -20.1, False, "BUY", 15, 0.80),
        ("standard", 11, 900.0, False, "HOLD", 0, None),
        ("standard", 10, -20.1, False, "HOLD", 0, None),
        ("standard", 10, -30.1, False, "BUY", 10, None),
        ("standard", 10, 200.1, False, "REDUCE", 20, None),
        ("aggressive", 100, -15.1, True, "BUY", 20, 0.85),
        ("aggressive", 100, -50.0, False, "HOLD", 0, None),
        ("aggressive", 1.9, -25.1, False, "BUY", 15, None),
        ("aggressive", 100, 300.1, True, "REDUCE", 30, None),
        ("aggressive", 100, 300.1, False, "HOLD", 0, None),
        ("balanced", 1, -20.1, False, "BUY", 10, 0.75),
        ("balanced", 1, 40.1, False, "REDUCE", 15, 0.80),
        ("balanced", 1, 40.0, False, "HOLD", 0, None),
    ],
)
def test_a_rule_advises(
    style: str, cap_bn: float, gain: float, growth: bool, action: str, percent: float, confidence: float | None
) -> None:
    found = advise(Style(style), Kept(cap_bn * BILLION, gain, growth))

    assert (found.action, found.percent, found.confidence) == (action, percent, confidence)
    assert f"{gain:+.1f} %" in found.reason


@pytest.mark.parametrize(
    ("style", "cap_bn", "gain", "urgency"),
    [("conservative", 51, -15.1, "HIGH"), ("conservative", 51, 50.1, None), ("conservative", 50, -25.1, None), ("standard", 51, -20.1, None),
     ("balanced", 51, -20.1, None), ("conservative", 51, 0.0, None)],
)  # fmt: skip
def test_what_is_large_and_cheap_is_urgent_to_the_conservative_rule(style: str, cap_bn: float, gain: float, urgency: str | None) -> None:
    found = advise(Style(style), Kept(cap_bn * BILLION, gain))

    assert found.urgency == urgency
    assert within(found, gain, increase_max_pct=5, profit_from_pct=100).urgency == urgency


@pytest.mark.parametrize(
    ("style", "gain", "increase", "profit", "action", "percent"),
    [
        ("aggressive", -16.0, 15, 50, "BUY", 15),
        ("aggressive", -16.0, 25, 50, "BUY", 20),
        ("conservative", -16.0, 5, 50, "BUY", 5),
        ("balanced", 45.0, 15, 50, "HOLD", 0),
        ("balanced", 50.0, 15, 50, "REDUCE", 15),
        ("balanced", 45.0, 15, 20, "REDUCE", 15),
        ("conservative", 51.0, 15, 100, "HOLD", 0),
    ],
)
def test_bounds_cut_purchases_and_hold_profits_back(
    style: str, gain: float, increase: float, profit: float, action: str, percent: float
) -> None:
    told = advise(Style(style), Kept(60 * BILLION, gain, is_growth_sector=True))

    found = within(told, gain, increase_max_pct=increase, profit_from_pct=profit)

    assert (found.action, found.percent) == (action, percent)
    assert (found.reason == told.reason) is ((found.action, found.percent) == (told.action, told.percent))


@pytest.mark.parametrize(
    ("frequency", "after", "session"),
    [
        ("daily", date(2026, 11, 25), date(2026, 11, 27)),
        ("weekly", date(2026, 11, 23), date(2026, 11, 30)),
        ("monthly", date(2026, 11, 27), date(2026, 12, 1)),
        ("monthly", date(2026, 12, 24), date(2027, 1, 4)),
    ],
    ids=["over Thanksgiving", "the next Monday", "the first of December", "over New Year"],
)
def test_an_advice_is_looked_at_again_in_the_first_session_of_the_next_day_week_or_month(
    frequency: str, after: date, session: date
) -> None:
    assert looked_at_next(Frequency(frequency), after) == session


@pytest.mark.parametrize(
    "given",
    [
        {"max_position_increase": 4.9},
        {"max_position_increase": 25.1},
        {"profit_taking": 19},
        {"profit_taking": 101},
        {"rebalance_frequency": "hourly"},
        {"unknown": 1},
        {"profit_taking": float("nan")},
    ],
)
def test_what_is_out_of_bounds_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AdviceParameters.model_validate(given)

    assert AdviceParameters.model_validate({}).model_dump() == {
        "rebalance_frequency": "monthly", "max_position_increase": 15.0, "profit_taking": 50.0,
    }  # fmt: skip
