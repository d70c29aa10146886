"""Black's model of 1976 for European options on a forward: price, Greeks, and the volatility that a price implies.

Statistics: floats. Years are actual days over 365, rates are continuous, volatilities are fractions a year.
"""

import math
from dataclasses import dataclass

from quantmatrix.common.options import Kind

VOLATILITY_LEAST, VOLATILITY_MOST = 1e-4, 10.0
SOLVED_TO, STEPS_MAX = 1e-12, 200
DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Greeks:
    """delta and gamma by the forward; vega for a change of volatility by 1 (100 points); theta for a year, at a fixed forward."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


def forward_of(spot: float, years: float, rate: float = 0.0, dividend_yield: float = 0.0) -> float:
    """The forward price that spot, interest and dividend yield make."""
    return spot * math.exp((rate - dividend_yield) * years)


def black76(kind: Kind, forward: float, strike: float, years: float, volatility: float, rate: float = 0.0) -> Greeks:
    """Price and Greeks of one option (Black, The pricing of commodity contracts, 1976). Raises ValueError unless all but the rate are above zero."""
    if min(forward, strike, years, volatility) <= 0:
        raise ValueError(f"forward, strike, years and volatility are above zero, got {forward}, {strike}, {years}, {volatility}")
    spread = volatility * math.sqrt(years)
    high = math.log(forward / strike) / spread + spread / 2
    low, discount, sign = high - spread, math.exp(-rate * years), 1 if kind == "call" else -1
    price = discount * sign * (forward * _normal(sign * high) - strike * _normal(sign * low))
    density = math.exp(-high * high / 2) / math.sqrt(2 * math.pi)
    return Greeks(
        price=price,
        delta=discount * sign * _normal(sign * high),
        gamma=discount * density / (forward * spread),
        vega=discount * forward * density * math.sqrt(years),
        theta=rate * price - discount * forward * density * volatility / (2 * math.sqrt(years)),
    )


def implied_volatility(kind: Kind, price: float, forward: float, strike: float, years: float, rate: float = 0.0) -> float | None:
    """The volatility at which the model gives this price, by bisection; None when no volatility does.

    A price at or below what exercising now is worth, or above what the option can ever pay, implies none.
    """
    if min(forward, strike, years) <= 0:
        return None
    low, high = VOLATILITY_LEAST, VOLATILITY_MOST
    if not black76(kind, forward, strike, years, low, rate).price < price < black76(kind, forward, strike, years, high, rate).price:
        return None
    for _ in range(STEPS_MAX):
        middle = (low + high) / 2
        if high - low < SOLVED_TO:
            return middle
        if black76(kind, forward, strike, years, middle, rate).price < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _normal(x: float) -> float:
    """The standard normal distribution function; erfc keeps its far tails exact."""
    return math.erfc(-x / math.sqrt(2)) / 2
