"""Options as identities: the OCC's symbols, and what an order meets where bid and ask are quoted."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from quantmatrix.common.names import Side
from quantmatrix.common.options import Kind, OptionTerms, cash_bound, cash_bound_by, price_met, terms_of, worth_at_the_end
from quantmatrix.common.values import Money, Price, Quantity

ROOTS = some.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True)
DATES = some.dates(date(2000, 1, 1), date(2068, 12, 31))
STRIKES = some.integers(1, 99_999_999).map(lambda thousandths: Price(Decimal(thousandths) / 1000))


def test_the_examples_of_the_occ_read_as_they_are_printed() -> None:
    terms = OptionTerms("SPX", date(2014, 11, 22), "put", Price.parse("19.5"))

    assert terms.symbol == "SPX   141122P00019500"
    assert terms_of("LAMR  150117C00052500") == OptionTerms("LAMR", date(2015, 1, 17), "call", Price.parse("52.5"))


@given(ROOTS, DATES, some.sampled_from(["call", "put"]), STRIKES)
def test_every_contract_is_read_from_its_symbol(root: str, expires: date, kind: str, strike: Price) -> None:
    terms = OptionTerms(root, expires, kind, strike)  # type: ignore[arg-type]  # one of the two

    assert terms_of(terms.symbol) == terms and len(terms.symbol) == 21


@pytest.mark.parametrize(
    "symbol", ["", "AAPL", "AAPL  240231C00195000", "AAPL  240621X00195000", "AAPL  240621C00000000", "aapl  240621C00195000"]
)
def test_what_is_no_contract_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match=r"names no contract|no symbol of an option"):
        terms_of(symbol)


@pytest.mark.parametrize(
    ("side", "bid", "session", "met"),
    [
        ("BUY", "1", 3, "1.1"),
        ("SELL", "1", 3, "1"),
        ("BUY", "0", 3, "1.1"),
        ("SELL", "0", 3, None),
        ("SELL", "0", 17, "1.5"),
        ("SELL", None, 17, "1.5"),
        ("SELL", "0.9", 17, "0.9"),
        ("SELL", None, 16, None),
        ("SELL", None, 21, "1.5"),
        ("BUY", None, 17, None),
        ("SELL", "0", 16, None),
    ],
)
def test_purchases_pay_the_ask_and_sales_get_the_bid(side: str, bid: str | None, session: int, met: str | None) -> None:
    """The contract expires on Saturday the 18th; its last day is the Friday before. The stock closes 1.50 above the strike."""
    terms = OptionTerms("ABC", date(2003, 1, 18), "call", Price(10))

    market = (Price.parse(bid), Price.parse("1.1")) if bid is not None else None

    found = price_met(Side(side), market, terms, date(2003, 1, session), Price.parse("11.5"), closing=side == "SELL")

    assert found == (Price.parse(met) if met is not None else None)


@pytest.mark.parametrize("session", [16, 17, 21])
def test_what_was_sold_is_not_settled_by_its_own_purchase_and_what_opens_never(session: int) -> None:
    """Whoever has sold a contract is assigned at its end; a purchase that finds nobody before leaves it at that."""
    terms = OptionTerms("ABC", date(2003, 1, 18), "put", Price(13))
    told = (Side.BUY, None, terms, date(2003, 1, session), Price.parse("11.5"))

    assert price_met(*told, closing=True) is None
    assert price_met(*told, closing=False) is None
    assert price_met(Side.SELL, (Price(0), Price(1)), terms, date(2003, 1, 17), Price.parse("11.5"), closing=False) is None


def test_a_sold_put_binds_a_hundred_times_its_strike_and_nothing_else_binds_cash() -> None:
    put, call = "AAPL  240621P00175000", "AAPL  240621C00175000"

    assert cash_bound(put, Quantity(2), "USD") == Money(35_000, "USD")
    assert cash_bound("AAPL1 240621P00175000", Quantity(1), "USD") == Money(17_500, "USD")
    assert cash_bound(call, Quantity(1), "USD") is None and cash_bound("AAPL", Quantity(1), "USD") is None
    told = [(put, Quantity(-2)), (put, Quantity(3)), (call, Quantity(-1)), ("AAPL", Quantity(-5)), ("MSFT  240621P00400000", Quantity(-1))]
    assert cash_bound_by(told, "USD") == Money(75_000, "USD")


@pytest.mark.parametrize(
    ("kind", "close", "worth"),
    [("call", "11.5", "1.5"), ("call", "10", "0"), ("call", "8", "0"), ("put", "8", "2"), ("put", "10", "0"), ("put", "11.5", "0")],
)
def test_a_contract_is_worth_what_it_is_in_the_money_by_at_its_end_and_nothing_is_known_without_a_close(
    kind: Kind, close: str, worth: str
) -> None:
    terms = OptionTerms("ABC", date(2003, 1, 17), kind, Price(10))

    assert worth_at_the_end(terms, date(2003, 1, 17), Price.parse(close)) == Price.parse(worth)
    assert worth_at_the_end(terms, date(2003, 1, 16), Price.parse(close)) is None
    assert worth_at_the_end(terms, date(2003, 1, 17), None) is None
