"""The four advising rules, cell by cell, at their limits."""

import pytest

from quantmatrix.signals.domain.advice import BILLION, Kept, Style, advise


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
