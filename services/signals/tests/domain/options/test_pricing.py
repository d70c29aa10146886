"""Black's model against a second library, a textbook, and its own identities."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantmatrix.signals.domain.options.pricing import black76, forward_of, implied_volatility

_FILE = Path(__file__).parents[2] / "reference" / "black76_quantlib.csv"
with _FILE.open(encoding="utf-8", newline="") as _rows:
    THEIRS = list(csv.DictReader(_rows))


def test_prices_and_greeks_are_those_of_quantlib() -> None:
    assert len(THEIRS) == 162
    for row in THEIRS:
        numbers = [float(row[name]) for name in ("forward", "strike", "years", "volatility", "rate")]
        found = black76(row["kind"], *numbers)  # type: ignore[arg-type]  # call or put, as the file has it
        for name, ours in (("price", found.price), ("delta_forward", found.delta), ("gamma_forward", found.gamma), ("vega", found.vega)):
            assert ours == pytest.approx(float(row[name]), rel=1e-9, abs=1e-12), (row, name)


def test_the_textbook_example_of_a_put_on_a_future() -> None:
    """Hull, Options, Futures and Other Derivatives: F=20, K=20, four months, 25 %, 9 %: 1.12."""
    assert black76("put", 20.0, 20.0, 4 / 12, 0.25, 0.09).price == pytest.approx(1.12, abs=5e-3)


def test_theta_is_what_a_day_takes() -> None:
    day = 1e-4
    now, later = black76("call", 100.0, 105.0, 0.25, 0.3, 0.02), black76("call", 100.0, 105.0, 0.25 - day, 0.3, 0.02)

    assert now.theta == pytest.approx((later.price - now.price) / day, rel=1e-3)


sensible = st.tuples(st.floats(20, 500), st.floats(0.7, 1.4), st.floats(0.02, 2.0), st.floats(0.05, 2.0), st.floats(0.0, 0.08))


@given(sensible)
def test_a_call_less_a_put_is_the_discounted_forward_less_the_strike(figures: tuple[float, float, float, float, float]) -> None:
    forward, moneyness, years, volatility, rate = figures
    strike = forward * moneyness
    call, put = (black76(kind, forward, strike, years, volatility, rate) for kind in ("call", "put"))

    assert call.price - put.price == pytest.approx(math.exp(-rate * years) * (forward - strike), abs=1e-9 * forward)
    assert call.delta - put.delta == pytest.approx(math.exp(-rate * years))


@given(sensible, st.sampled_from(["call", "put"]))
def test_the_implied_volatility_is_the_one_that_made_the_price(figures: tuple[float, float, float, float, float], kind: str) -> None:
    forward, moneyness, years, volatility, rate = figures
    strike = forward * moneyness
    made = black76(kind, forward, strike, years, volatility, rate)  # type: ignore[arg-type]
    assume(made.vega > 1e-3 * forward)

    assert implied_volatility(kind, made.price, forward, strike, years, rate) == pytest.approx(volatility, abs=1e-7)  # type: ignore[arg-type]


@pytest.mark.parametrize(("price", "strike"), [(9.999, 90.0), (100.1, 90.0), (0.0, 100.0), (-1.0, 100.0), (5.0, 0.0)])
def test_a_price_outside_of_all_volatilities_implies_none(price: float, strike: float) -> None:
    assert implied_volatility("call", price, 100.0, strike, 0.5) is None


@pytest.mark.parametrize("wrong", [(0.0, 100.0, 1.0, 0.2), (100.0, -1.0, 1.0, 0.2), (100.0, 100.0, 0.0, 0.2), (100.0, 100.0, 1.0, 0.0)])
def test_figures_that_make_no_option_are_refused(wrong: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        black76("call", *wrong)


def test_a_forward_carries_interest_and_dividends() -> None:
    assert forward_of(100.0, 1.0, 0.05, 0.02) == pytest.approx(100 * math.exp(0.03))
