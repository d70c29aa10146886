"""The basis that brokers print beside our own: what a report with the broker's figures says, and where both differ."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import usd
from services.portfolio.tests.reports.disposing import bought, disposed, plain, sold, total

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.reports.form_8949 import rows_of
from quantmatrix.portfolio.reports.printed_basis import Printed, differences_of, with_printed

SALE = FillId(derived_id("sale"))


def printed(basis: str, gain: str | None = None) -> dict[FillId, Printed]:
    return {SALE: Printed(usd(basis), None if gain is None else usd(gain), "line 7")}


def test_what_the_broker_adds_for_a_wash_sale_inside_an_order_is_its_adjustment() -> None:
    """GM of a real statement: proceeds 155,370 - 19.961286, basis 166,891.55075, realised -6,755.345284 instead of -11,541.512036."""
    one = plain("155350.038714", "162105.384", fill_id=SALE)

    (told,) = with_printed([one], [one], printed("166891.55075", "-6755.345284"))
    (row,) = rows_of([told])

    assert (told.basis, told.gain, told.disallowed) == (usd("166891.55075"), usd("-6755.345284"), usd("4786.166752"))
    assert (row.code, row.cost, row.adjustment, row.gain) == ("W", usd("166891.55"), usd("4786.17"), usd("-6755.34"))


def test_an_adjustment_of_a_gain_is_no_wash_sale() -> None:
    """ARKK called: 8,000 - 0.0166 - 3,860.30, and the call's premium of 162.94576 in the gain, which the broker leaves out of the basis."""
    one = plain("7999.9834", "3697.35424", fill_id=SALE)

    (told,) = with_printed([one], [one], printed("3860.30", "4302.62916"))

    assert (rows_of([told])[0].code, told.disallowed, told.gain) == ("O", usd("162.94576"), usd("4302.62916"))


def test_a_lot_without_a_basis_gets_what_the_others_leave_of_the_printed_one() -> None:
    known, waiting = plain("1000", "600", fill_id=SALE), plain("500", None, fill_id=SALE)

    told = with_printed([known, waiting], [known, waiting], printed("950", "550"))

    assert sorted((one.basis, one.gain, one.disallowed) for one in told if one.basis is not None) == [
        (usd("350"), usd("150"), usd("0")),
        (usd("600"), usd("400"), usd("0")),
    ]


def test_what_no_file_prints_keeps_our_basis_and_our_wash_sales_and_says_so() -> None:
    """W1: 100 for 1,000 sold for 750, and bought again for 800."""
    washed = disposed(bought("2024-01-02", 100, "10"), sold("2024-02-01", 100, "7.50"), bought("2024-02-10", 100, "8"))

    told = with_printed(washed, washed, {})

    assert [(one.basis_by, one.disallowed) for one in told] == [("own", usd(250))]
    assert rows_of(told)[0].code == "W"


def test_our_wash_sales_are_not_put_on_top_of_printed_figures() -> None:
    made = plain("750", "1000", fill_id=SALE)
    washed = replace(made, disallowed=usd(250))

    (told,) = with_printed([washed], [made], printed("1000", "-250"))

    assert (told.gain, told.disallowed, told.basis_by) == (usd(-250), usd(0), "broker")


@given(
    st.lists(st.tuples(st.integers(1, 900), st.one_of(st.none(), st.integers(0, 10**6))), min_size=1, max_size=6),
    st.decimals(0, 10**6, places=4),
    st.decimals(-(10**6), 10**6, places=4),
)
def test_the_parts_always_sum_to_what_is_printed(parts: list[tuple[int, int | None]], basis: Decimal, gain: Decimal) -> None:
    made = [
        plain("100", None if cost is None else str(cost), fill_id=SALE, quantity=Quantity(units), symbol=f"A{place}")
        for place, (units, cost) in enumerate(parts)
    ]

    told = with_printed(made, made, printed(str(basis), str(gain)))

    assert total([one.basis for one in told]) == basis
    assert abs(total([one.gain for one in told]) - gain) < Decimal("0.005")


def test_only_trades_that_differ_by_a_cent_are_listed_with_both_figures() -> None:
    same = plain("1000", "600", fill_id=SALE)

    assert differences_of([same], printed("600.004", "400")) == []
    (basis,) = differences_of([same], printed("600.01", "399.99"))
    (gain,) = differences_of([same], printed("600", "250"))
    (waiting,) = differences_of([plain("1000", None, fill_id=SALE)], printed("600", "400"))

    assert (basis.own, basis.broker, basis.difference) == (usd(600), usd("600.01"), usd("0.01"))
    assert (gain.own_gain, gain.broker_gain, gain.difference) == (usd(400), usd(250), usd(0))
    assert (waiting.own, waiting.own_gain, waiting.difference, waiting.reference) == (None, None, None, "line 7")
