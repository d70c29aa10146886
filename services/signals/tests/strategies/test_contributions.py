"""The allocating strategies: the contract with a whole portfolio, and a year of contributions in a backtest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError
from services.signals.tests.backtest.making import FREE, history
from services.signals.tests.strategies.test_slot import BARS, SPLITS

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.domain.decisions import FLAT, Holding, Portfolio
from quantmatrix.signals.domain.series import Series
from quantmatrix.signals.strategies.dca_aggressive import AggressiveContributions
from quantmatrix.signals.strategies.dca_conservative import ConservativeContributions, ConservativeContributionsParameters
from quantmatrix.signals.testing import StrategyContract

ONE, BASE = Quantity(1), Money(25_000, "USD")


class Whole(StrategyContract):
    """Bars of a stock stand for the first symbol; of the others nothing is held."""

    bars = BARS
    splits = SPLITS

    def portfolio(self, known: Series, holding: Holding) -> Portfolio:
        symbols = list(self.strategy.parameters().weights)  # type: ignore[attr-defined]  # both have weights
        close = Price.parse(f"{known.frame.item(-1, 'close') / known.factor:.6f}")
        values = {symbol: Money(1_000, "USD") for symbol in symbols}
        values[symbols[0]] = notional(close, holding.quantity, ONE, "USD")
        return Portfolio(symbols[0], BASE, BASE, values, dict.fromkeys(symbols, Price(50)) | {symbols[0]: close})


class TestConservative(Whole):
    strategy = ConservativeContributions


class TestAggressive(Whole):
    strategy = AggressiveContributions


def flat(symbol: str, prices: Mapping[date, str]) -> History:
    bars = [PastBar(day, *(Price.parse(price),) * 4, Quantity(10**6)) for day, price in prices.items()]
    return history(*bars, symbol=symbol)


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(days=number) for number in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


DAYS = weekdays(date(2010, 1, 4), 260)


def fills(prices: Mapping[str, Mapping[date, str]], **parameters: object) -> list[tuple[date, str, int]]:
    result = backtest(ConservativeContributions, [flat(symbol, found) for symbol, found in prices.items()], Job(parameters, BASE, FREE))
    return [(one.session, one.symbol, int(one.quantity.value) * one.side.sign) for one in result.outcome.fills]


STEADY = {"VTI": dict.fromkeys(DAYS, "100"), "VXUS": dict.fromkeys(DAYS, "50"), "BND": dict.fromkeys(DAYS, "25")}


def test_the_capital_is_deployed_in_ten_contributions_and_then_kept() -> None:
    made = fills(STEADY)

    assert made[:3] == [(DAYS[1], "BND", 10), (DAYS[1], "VTI", 15), (DAYS[1], "VXUS", 15)]
    assert Counter(symbol for _, symbol, _ in made) == {"VTI": 10, "VXUS": 10, "BND": 10}
    assert all(quantity > 0 for _, _, quantity in made)
    sessions = sorted({day for day, _, _ in made})
    assert [day.month for day in sessions] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert all(
        day == next(one for one in DAYS[1:] if (one.year, one.month) == (day.year, day.month) and one > _first(day)) for day in sessions
    )


def _first(day: date) -> date:
    """The month's first session, on whose close the contribution is decided."""
    return next(one for one in DAYS if (one.year, one.month) == (day.year, day.month))


def test_a_broken_band_sells_and_the_proceeds_are_spread_later() -> None:
    """The first fund doubles when all is deployed: 75 % against 60 % is sold down, and bought elsewhere on the next due day."""
    doubled = {day: "100" if number < 205 else "200" for number, day in enumerate(DAYS)}

    made = [one for one in fills(STEADY | {"VTI": doubled}) if one[0] > DAYS[205]]

    ((sold_on, _, sold),) = [one for one in made if one[1] == "VTI"]
    bought = {(day > sold_on, symbol): quantity for day, symbol, quantity in made if symbol != "VTI"}
    assert sold < 0 and min(bought.values()) > 0
    assert bought[True, "VXUS"] > 10 * bought.get((False, "VXUS"), 0)
    assert [one for one in fills(STEADY | {"VTI": doubled}, no_sell=True) if one[2] < 0] == []


def test_a_symbol_without_a_price_keeps_its_part_in_cash_and_stops_nobody() -> None:
    late = dict.fromkeys(DAYS[50:], "25")

    made = fills(STEADY | {"BND": late})
    without = fills({"VTI": STEADY["VTI"], "VXUS": STEADY["VXUS"]})

    first = min(day for day, _, _ in made)
    assert first < DAYS[50] <= min(day for day, symbol, _ in made if symbol == "BND")
    assert {symbol for day, symbol, _ in without if day == first} == {"VTI", "VXUS"}
    worth = {symbol: quantity * Decimal(STEADY[symbol][first]) for day, symbol, quantity in without if day == first}
    agreed = {"VTI": Decimal(1_500), "VXUS": Decimal(750)}  # 60 and 30 % of a tenth of 25,000; the tenth for BND stays cash
    for symbol, amount in worth.items():
        assert 0 <= agreed[symbol] - amount < Decimal(STEADY[symbol][first])


@pytest.mark.parametrize("cash", ["0", "-60.38", "9.99"])
def test_without_cash_it_buys_nothing(cash: str) -> None:
    made = ConservativeContributions(ConservativeContributionsParameters())
    contract = TestConservative()
    shown = contract.shown(made, next(iter(contract.cuts())), FLAT)
    assert shown.portfolio is not None and made.decide(shown)

    poor = replace(shown, portfolio=replace(shown.portfolio, cash=Money.parse(cash, "USD")))

    assert [one for one in made.decide(poor) if one.side is Side.BUY] == []


def test_an_agreed_amount_and_weekly_contributions() -> None:
    made = fills(STEADY, contribution=500, frequency="weekly")

    assert [quantity for _, symbol, quantity in made if symbol == "VTI"][:2] == [3, 3]
    assert (sorted({day for day, _, _ in made})[1] - DAYS[1]).days == 7


@pytest.mark.parametrize("weights", [{"VTI": 0.5, "BND": 0.4}, {"VTI": 1.2, "BND": -0.2}])
def test_weights_that_do_not_sum_to_one_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="sum to 1"):
        ConservativeContributionsParameters(weights=weights)


def test_it_decides_nothing_without_the_whole_portfolio() -> None:
    made = ConservativeContributions(ConservativeContributionsParameters())
    contract = TestConservative()
    series = next(iter(contract.cuts()))
    shown = contract.shown(made, series, FLAT)

    assert [one.side for one in made.decide(shown)] == [Side.BUY]
    assert made.decide(type(shown)(shown.row, shown.close, FLAT, False, BASE, shown.door)) == ()
