"""Cycles of profit: the worked example, losses, and sizes by confidence."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money
from quantmatrix.signals.domain.envelope import Envelope, complete_cycle
from quantmatrix.signals.domain.sizing import Trending, fair_share, size_factor

TARGET, REINVEST = Decimal("0.20"), Decimal("0.80")


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def test_ten_thousand_with_twenty_and_eighty_percent() -> None:
    envelope = Envelope(usd("10000"), usd("0"))
    seen = []
    for _ in range(4):
        booked = complete_cycle(envelope, envelope.trigger(TARGET), TARGET, REINVEST)
        assert booked is not None
        envelope = booked.after
        seen.append((str(envelope.base.amount), str(envelope.reserve.amount), str(envelope.trigger(TARGET).amount)))

    assert seen[:3] == [("11600.00", "400.00", "13920.00"), ("13456.00", "864.00", "16147.20"), ("15608.96", "1402.24", "18730.75")]
    assert seen[3][:2] == ("18106.39", "2026.60")


def test_a_million_needs_thirty_two_cycles() -> None:
    envelope = Envelope(usd("10000"), usd("0"))
    while envelope.base < usd("1000000"):
        booked = complete_cycle(envelope, envelope.trigger(TARGET), TARGET, REINVEST)
        assert booked is not None
        envelope = booked.after

    assert envelope.cycle == 32


@pytest.mark.parametrize("equity", ["11999.99", "9000", "0"])
def test_below_the_target_nothing_is_booked_and_losses_sweep_nothing(equity: str) -> None:
    assert complete_cycle(Envelope(usd("10000"), usd("0")), usd(equity), TARGET, REINVEST) is None


@pytest.mark.parametrize(("target", "reinvest"), [("0", "0.8"), ("-0.1", "0.8"), ("0.2", "1.1"), ("0.2", "-0.1")])
def test_a_cycle_without_sense_is_refused(target: str, reinvest: str) -> None:
    with pytest.raises(ValueError, match="profit target is above zero"):
        complete_cycle(Envelope(usd("1"), usd("0")), usd("2"), Decimal(target), Decimal(reinvest))


@given(st.integers(100, 10**9), st.integers(1, 100), st.integers(0, 100), st.integers(0, 10**6))
def test_no_cent_of_a_cycle_is_lost(base: int, target: int, reinvest: int, over: int) -> None:
    envelope = Envelope(Money(Decimal(base) / 100, "USD"), usd("0"))
    equity = envelope.trigger(Decimal(target) / 100) + Money(Decimal(over) / 100, "USD")

    booked = complete_cycle(envelope, equity, Decimal(target) / 100, Decimal(reinvest) / 100)

    assert booked is not None
    assert booked.reinvested + booked.reserved == booked.profit == equity - envelope.base
    assert booked.after.base + booked.after.reserve == equity


@pytest.mark.parametrize(("confidence", "agreement", "size"), [(0.99, 1.0, "288"), (0.96, 0.5, "232"), (0.92, 0.25, "190.67")])
def test_a_fair_share_of_a_thousand_among_three(confidence: float, agreement: float, size: str) -> None:
    assert fair_share(usd("1000"), 3, confidence, agreement) == usd(size)


def test_a_fair_share_has_a_cap_and_needs_figures_between_0_and_1() -> None:
    assert fair_share(usd("1000"), 1, 1.0, 1.0) == usd("350")
    with pytest.raises(ValueError, match="between 0 and 1"):
        fair_share(usd("1000"), 3, 85.0, 1.0)


@pytest.mark.parametrize(
    ("regime", "volatility", "confidence", "factor"),
    [("STRONG_TRENDING", 0.5, 0.9, 1.98), ("TRENDING", 2.9, 0.6, 1.2), ("RANGING", 3.0, 0.59, 0.512), ("CHOPPY", 5.0, 0.1, 0.3)],
)
def test_a_bots_size_has_three_factors_and_two_bounds(regime: str, volatility: float, confidence: float, factor: float) -> None:
    assert size_factor(Trending(regime), volatility, confidence) == pytest.approx(factor)
