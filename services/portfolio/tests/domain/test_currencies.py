"""Currencies: each leg at its own rate, price and currency apart (worked examples F1 to F4)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, fill, instrument, lot, on, usd

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AssetClass
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.book import cash_moved
from quantmatrix.portfolio.domain.currencies import MissingRateError, Rates, at_one_rate, cash_by_currency, effects, taxed
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import UnknownBasisError, book_fill

BOUGHT, NOW = on("2023-01-03"), on("2024-02-01")


def francs(amount: str) -> Money:
    return Money(Decimal(amount), "CHF")


def test_price_and_currency_effect_sum_to_the_total() -> None:
    """F1: 89.12 USD at 0.9238, now 116.45 at 0.8854: 24.197982 and -3.422208, in total 20.775774; fee 1 USD at the trade's rate."""
    rates = Rates("CHF", {("USD", BOUGHT): Decimal("0.9238"), ("USD", NOW): Decimal("0.8854")})
    found = effects(usd("89.12"), usd("116.45"), BOUGHT, NOW, rates)

    assert (found.price, found.currency, found.total) == (francs("24.197982"), francs("-3.422208"), francs("20.775774"))
    assert found.total - rates.converted(usd(1), BOUGHT) == francs("19.851974")


def _blx() -> tuple[list[Decimal], Money, Money]:
    """The legs of O11 at their rates: 1.1251 and 1.1874 dollars for a euro."""
    return [Decimal("1.1251"), Decimal("1.1874")], usd("2064.61"), usd("2667.92")


def test_the_gain_for_tax_takes_each_leg_at_its_own_rate() -> None:
    """F2: BLX, (2,000 - 0.05 + 64.66) / 1.1251 - 2,667.92 / 1.1874 = -411.81 EUR."""
    (sold_at, bought_at), brought, _ = _blx()
    day = DAY + timedelta(days=9)
    one = Decimal(1)
    rates = Rates("EUR", {("USD", DAY): one / bought_at, ("USD", day): one / sold_at})
    sale = book_fill(fill(9, -100, "20.6461"), [lot("stock", 100, "2667.92")])
    assert sale.closings[0].proceeds == brought

    assert taxed(sale.closings[0], rates).rounded(2) == Money(Decimal("-411.81"), "EUR")


def test_a_broker_prints_the_net_gain_at_one_rate() -> None:
    """F3: the same trade shows -603.31 / 1.12325 = -537.11 EUR, which is not the figure for tax."""
    rates = Rates("EUR", {("USD", NOW): Decimal(1) / Decimal("1.12325")})

    assert at_one_rate(usd("-603.31"), NOW, rates).rounded(2) == Money(Decimal("-537.11"), "EUR")


def test_a_conversion_is_a_trade_with_lots() -> None:
    """F4: 1,000 EUR bought at 1.10 and sold at 1.15 dollars gain 50; cash is kept per currency."""
    euro = instrument("EURUSD", AssetClass.CURRENCY)
    trades = [fill(1, 1_000, "1.10", of=euro), fill(2, -1_000, "1.15", of=euro)]
    ledger = booked([Event(derived_id("event", one.fill_id), one) for one in trades])

    assert ledger.realised("USD") == usd(50) == ledger.cash["USD"]
    assert cash_by_currency([*(cash_moved(one) for one in trades), francs("3"), francs("4")]) == {"USD": usd(50), "CHF": francs("7")}


def test_accounts_of_several_currencies_keep_them_apart() -> None:
    swiss = instrument("SWISS", currency="CHF")
    trades = [fill(1, 10, "10"), fill(2, 10, "20", of=swiss), fill(3, -10, "25", of=swiss), fill(4, -10, "11")]
    ledger = booked([Event(one.fill_id, one) for one in trades])

    assert ledger.cash == {"USD": usd(10), "CHF": francs("50")}
    assert (ledger.realised("USD"), ledger.realised("CHF")) == (usd(10), francs("50"))


def test_the_rate_of_another_day_is_never_taken() -> None:
    rates = Rates("CHF", {("USD", BOUGHT): Decimal("0.9238")})

    with pytest.raises(MissingRateError, match="no rate of USD in CHF is known for 2024-02-01"):
        rates.converted(usd(1), NOW)
    assert rates.converted(francs("5"), NOW) == francs("5")


def test_a_pending_gain_has_no_taxed_figure() -> None:
    sale = book_fill(fill(9, -100, "20"), [lot("stock", 100, None)])

    with pytest.raises(UnknownBasisError):
        taxed(sale.closings[0], Rates("USD", {}))


amounts = st.decimals("0.01", "100000", places=2)
quotes = st.decimals("0.0001", "200", places=6)


@settings(max_examples=200, deadline=None)
@given(amounts, amounts, quotes, quotes)
def test_the_effects_always_sum_to_what_the_legs_make(cost: Decimal, value: Decimal, then: Decimal, now: Decimal) -> None:
    days: tuple[date, date] = (BOUGHT, NOW)
    rates = Rates("CHF", {("USD", days[0]): then, ("USD", days[1]): now})
    found = effects(Money(cost, "USD"), Money(value, "USD"), *days, rates)

    assert found.total == rates.converted(Money(value, "USD"), NOW) - rates.converted(Money(cost, "USD"), BOUGHT)
    assert abs(found.currency.amount - cost * (now - then)) <= Decimal("1e-10")
