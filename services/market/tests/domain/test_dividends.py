"""Dividends derived from an adjusted column undo exactly what the adjustment did."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import InstrumentId
from quantmatrix.market.domain.dividends import derive_dividends
from quantmatrix.market.domain.listing import split
from quantmatrix.market.testing import bar

ABC = InstrumentId("ABC")
START = date(2024, 3, 1)


def day(number: int) -> date:
    return START + timedelta(days=number)


def adjusted(closes: list[Decimal], dividends: dict[int, Decimal], splits: dict[int, int]) -> dict[date, Decimal]:
    """What a vendor would print: every close before an ex-date times (1 - dividend / close of the day before), halved by splits."""
    factor, found = Decimal(1), {}
    for number in range(len(closes) - 1, -1, -1):
        found[day(number)] = closes[number] * factor
        if number in splits:
            factor /= splits[number]
        if number in dividends:
            factor *= 1 - dividends[number] / closes[number - 1]
    return found


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.decimals("20", "400", places=2), min_size=6, max_size=6),
    st.dictionaries(st.integers(1, 5), st.decimals("0.05", "3", places=2), max_size=2),
    st.dictionaries(st.integers(1, 5), st.sampled_from([2, 3]), max_size=1),
)
def test_what_the_vendor_took_out_is_found_again(closes: list[Decimal], dividends: dict[int, Decimal], splits: dict[int, int]) -> None:
    dividends = {number: amount for number, amount in dividends.items() if number not in splits}
    bars = [bar("ABC", day(number), str(close)) for number, close in enumerate(closes)]
    facts = [split(ABC, day(number), times, 1, "a test") for number, times in splits.items()]

    found = derive_dividends(ABC, bars, adjusted(closes, dividends, splits), facts, "a test")

    assert {(one.effective, one.amount.value) for one in found if one.amount} == {
        (day(number), amount) for number, amount in dividends.items()
    }
    assert all(one.derived for one in found)


def test_the_rounding_of_the_adjusted_column_is_no_dividend() -> None:
    bars = [bar("ABC", day(number), "50") for number in range(3)]

    assert derive_dividends(ABC, bars, {day(0): Decimal("49.995"), day(1): Decimal("49.998"), day(2): Decimal(50)}, [], "a test") == []
