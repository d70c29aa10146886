"""Quantity, price and money: exact, without a door for floats, and spelled in one way."""

import copy
import math
import operator
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantmatrix.common.values import (
    CurrencyMismatchError,
    Money,
    NotExactError,
    Price,
    Quantity,
    notional,
    optional,
    parse_decimal,
    plain,
    round_half_even,
)


def _units(number: int) -> Decimal:
    """So many units of the twelfth digit after the point, without any rounding on the way."""
    return Decimal(f"{number}e-12")


SOME = st.integers(-(10**24), 10**24)
LARGE = st.integers(10**29, 10**30 - 1)
EXACT = st.one_of(SOME, LARGE, LARGE.map(lambda number: -number)).map(_units)
SMALL = st.one_of(SOME, st.integers(10**27, 10**28)).map(_units)
"""Sums of a few of these stay admissible."""
POSITIVE = st.one_of(st.integers(1, 10**24), st.integers(10**27, 10**28)).map(_units)
KINDS = (Quantity, Price)


def half_even(value: Fraction, digits: int = 12) -> Fraction:
    """Ties to even, worked out with fractions: a second way to the same figure."""
    scaled = value * 10**digits
    return Fraction(round(scaled), 10**digits)


@given(EXACT)
def test_a_decimal_is_written_and_read_back_exactly(value: Decimal) -> None:
    assert parse_decimal(plain(value)) == value
    assert plain(parse_decimal(plain(value))) == plain(value)


@given(EXACT)
def test_a_decimal_is_spelled_without_exponent_or_needless_digits(value: Decimal) -> None:
    text = plain(value)

    assert "e" not in text.lower()
    assert text == "0" or not text.startswith(("-0.", "0", "-0")) or "." in text
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("-0", "0"), ("-0.000", "0"), ("1.500", "1.5"), ("0.000000000001", "0.000000000001"), ("100", "100")],
)
def test_spelling_by_example(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "1e3", "NaN", "inf", "1_0", "01", ".5", "1.", "--1", "1" * 19, "0.0000000000001", "１", "1२", "1.५", "1\n"],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(NotExactError):
        parse_decimal(text)


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?", fullmatch=True))
def test_whatever_is_spelled_plainly_is_admitted(kind: type[Quantity] | type[Price], text: str) -> None:
    assert kind.parse(text) == kind(Decimal(text))
    assert Fraction(kind.parse(text).value) == Fraction(text)


@pytest.mark.parametrize("wrong", [1.5, 1, None, True, Decimal(1), b"1", ["1"]])
def test_only_text_is_parsed(wrong: object) -> None:
    with pytest.raises(NotExactError, match="expected a decimal as a string"):
        parse_decimal(wrong)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong", [1.5, 0.0, math.nan, "1", None, True, Decimal("NaN"), Decimal("Infinity"), Decimal("1e18"), Decimal("1e-13")]
)
def test_nothing_inexact_becomes_a_value(kind: type, wrong: object) -> None:
    with pytest.raises(NotExactError):
        kind(wrong)
    with pytest.raises(NotExactError):
        Money(wrong, "USD")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_does_not_change_and_knows_its_kind(kind: type) -> None:
    value = kind(3)

    with pytest.raises(AttributeError):
        value.value = Decimal(4)
    assert kind(Decimal("3.00")) == value
    assert hash(kind(Decimal("3.00"))) == hash(value)
    assert value != 3
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    assert (bool(kind(0)), bool(value)) == (False, True)


def test_quantities_and_prices_do_not_mix() -> None:
    assert Quantity(1) != Price(1)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(TypeError):
            compare(Quantity(1), Price(1))


def test_money_knows_its_currency_and_does_not_change() -> None:
    five = Money(5, "USD")

    assert five == Money.parse("5.00", "USD") != Money(5, "EUR")
    assert len({five, Money(Decimal("5.0"), "USD"), Money(5, "EUR")}) == 2
    assert copy.deepcopy(five) == pickle.loads(pickle.dumps(five)) == five
    with pytest.raises(AttributeError):
        five.amount = Decimal(6)
    for combine in (operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(CurrencyMismatchError, match="USD and EUR"):
            combine(five, Money(5, "EUR"))


@given(st.lists(SMALL, max_size=30))
def test_sums_are_exact_in_any_order(amounts: list[Decimal]) -> None:
    exact = sum((Fraction(amount) for amount in amounts), Fraction(0))

    for order in (amounts, amounts[::-1], sorted(amounts)):
        assert Fraction(sum((Money(amount, "USD") for amount in order), Money.zero("USD")).amount) == exact
        assert Fraction(sum((Quantity(amount) for amount in order), Quantity(0)).value) == exact


@given(SMALL, SMALL)
def test_adding_is_undone_by_subtracting(left: Decimal, right: Decimal) -> None:
    for make in (Quantity, Price, lambda value: Money(value, "USD")):
        assert make(left) + make(right) - make(right) == make(left)


@given(EXACT)
def test_a_sign_is_turned_without_rounding(value: Decimal) -> None:
    """Python's own minus and abs round to 28 digits."""
    for turned, wanted in ((-Quantity(value), -Fraction(value)), (abs(Quantity(value)), abs(Fraction(value)))):
        assert Fraction(turned.value) == wanted
    for money, wanted in ((-Money(value, "USD"), -Fraction(value)), (abs(Money(value, "USD")), abs(Fraction(value)))):
        assert Fraction(money.amount) == wanted


@pytest.mark.parametrize("make", [Quantity, Price, lambda value: Money(value, "USD")])
def test_a_sum_beyond_the_largest_value_is_refused_and_not_rounded(make: Callable[[Decimal], Quantity]) -> None:
    largest = make(Decimal("999999999999999999.999999999999"))

    with pytest.raises(NotExactError, match=r"below 10\^18"):
        largest + make(Decimal("0.000000000001"))


@given(POSITIVE, st.integers(1, 50), st.integers(1, 50))
def test_a_split_rounds_once_to_even(value: Decimal, numerator: int, denominator: int) -> None:
    exact = half_even(Fraction(value) * numerator / denominator)
    assume(abs(exact) < 10**18)

    assert Fraction(Quantity(value).scaled(numerator, denominator).value) == exact
    assert Fraction(Price(value).scaled(numerator, denominator).value) == exact


@given(st.integers(1, 10**12), st.integers(1, 20))
def test_a_split_and_its_reverse_lead_back(whole: int, ratio: int) -> None:
    assert Quantity(whole).scaled(ratio, 1).scaled(1, ratio) == Quantity(whole)


@given(SMALL, st.sampled_from(["0.01", "0.05", "0.25", "1", "0.0001", "0.125", "5"]))
def test_a_snapped_price_is_the_nearest_tick(value: Decimal, tick: str) -> None:
    size = Decimal(tick)
    snapped = Price(value).snapped_to(Price(size)).value

    assert Fraction(snapped) % Fraction(size) == 0
    assert abs(Fraction(snapped) - Fraction(value)) <= Fraction(size) / 2
    assert Price(snapped).snapped_to(Price(size)) == Price(snapped)


@given(SMALL, st.sampled_from(["1", "100", "0.001", "0.5", "0.00000001"]))
def test_a_floored_quantity_is_the_largest_lot_not_above(value: Decimal, lot: str) -> None:
    size = Decimal(lot)
    floored = Quantity(value).floored_to(Quantity(size)).value

    assert Fraction(floored) % Fraction(size) == 0
    assert 0 <= Fraction(value) - Fraction(floored) < Fraction(size)


@pytest.mark.parametrize("size", [0, -1])
def test_a_tick_or_lot_of_nothing_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Price(10).snapped_to(Price(size))
    with pytest.raises(ValueError, match="above zero"):
        Quantity(10).floored_to(Quantity(size))


@given(SMALL, st.lists(st.integers(1, 10**9), min_size=1, max_size=12))
def test_shares_handed_out_one_after_the_other_leave_nothing_over(amount: Decimal, parts: list[int]) -> None:
    left, whole = Money(amount, "USD"), sum(parts)
    handed = []
    for part in parts:
        share = left.share(Quantity(part), Quantity(whole))
        handed.append(share)
        left, whole = left - share, whole - part

    assert left == Money.zero("USD")
    assert sum(handed, Money.zero("USD")) == Money(amount, "USD")


@given(SMALL, POSITIVE, POSITIVE)
def test_a_share_is_rounded_once_to_even(amount: Decimal, part: Decimal, whole: Decimal) -> None:
    exact = Fraction(amount) * Fraction(part) / Fraction(whole)
    assume(abs(exact) < 10**17)

    assert Fraction(Money(amount, "USD").share(Quantity(part), Quantity(whole)).amount) == half_even(exact)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(1, 1000))
def test_notional_is_price_times_quantity_times_multiplier(quantity: int, cents: int, multiplier: int) -> None:
    price = Decimal(cents).scaleb(-2)
    assume(abs(price * quantity * multiplier) < 10**17)

    found = notional(Price(price), Quantity(quantity), Quantity(multiplier), "USD")

    assert Fraction(found.amount) == Fraction(price) * quantity * multiplier
    assert found.currency == "USD"


@given(EXACT, st.integers(0, 12))
def test_rounding_goes_to_the_even_neighbour(value: Decimal, digits: int) -> None:
    assert Fraction(round_half_even(value, digits)) == half_even(Fraction(value), digits)


@pytest.mark.parametrize(("amount", "cents"), [("0.005", "0"), ("0.015", "0.02"), ("0.025", "0.02"), ("-0.005", "0"), ("1.235", "1.24")])
def test_cents_by_example(amount: str, cents: str) -> None:
    assert Money(Decimal(amount), "USD").rounded(2) == Money(Decimal(cents), "USD")


@pytest.mark.parametrize("currency", ["usd", "US", "", "U$D", "ELEVENCHARS", "USD\n"])
def test_a_currency_is_a_code(currency: str) -> None:
    with pytest.raises(NotExactError, match="currency code"):
        Money(1, currency)


def test_absence_is_passed_on() -> None:
    assert optional(Price.parse, None) is None
    assert optional(Price.parse, "1.5") == Price(Decimal("1.5"))
