"""Realised gains by year and by lot, and the table in the shape of Form 8949."""

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import STOCK, fill, usd
from services.portfolio.tests.reports.disposing import TAXABLE, bought, disposed, ledger, plain, sold, total

from quantmatrix.common.ids import derived_id
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.events import Event, ShareSplit
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import Split
from quantmatrix.portfolio.domain.tax.holdings import Treatment, holdings_of
from quantmatrix.portfolio.domain.tax.wash_sales import wash_sales
from quantmatrix.portfolio.domain.terms import Term
from quantmatrix.portfolio.reports.disposals import disposals_of, realised_by_year
from quantmatrix.portfolio.reports.form_8949 import HEADER, form_8949, rows_of
from quantmatrix.portfolio.reports.tables import csv_of, harmless


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_short_and_long_gains_of_two_years() -> None:
    # 100 bought at 10 on 2023-01-03, 50 at 12 on 2024-03-01; 60 sold at 15 on 2023-06-01 (short), 60 at 20 on 2024-06-03: 40 long
    # and 20 short.
    found = realised_by_year(
        disposed(
            bought("2023-01-03", 100, "10"), sold("2023-06-01", 60, "15"), bought("2024-03-01", 50, "12"), sold("2024-06-03", 60, "20")
        )
    )

    assert [one.year for one in found] == [2024, 2023]
    assert (found[0].long.gain, found[0].short.gain, found[0].gain) == (usd(400), usd(160), usd(560))
    assert (found[1].short.gain, found[1].long.count, found[1].pending) == (usd(300), 0, 0)


def test_w1_a_washed_loss_is_in_no_gain_and_makes_the_next_basis_larger() -> None:
    # W1 of Publication 550: bought for 1,000, sold for 750, 100 bought back for 800 within 30 days; then sold for 1,200.
    found = disposed(
        bought("2024-01-02", 100, "10"), sold("2024-02-01", 100, "7.50"), bought("2024-02-15", 100, "8"), sold("2024-06-03", 100, "12")
    )
    loss, gain = found

    assert (loss.disallowed, loss.gain) == (usd(250), usd(0))
    assert (gain.basis, gain.added, gain.gain) == (usd(1_050), usd(250), usd(150))
    assert realised_by_year(found)[0].gain == usd(150)
    row = table(form_8949(found))[0]
    assert (row["(d) Proceeds"], row["(e) Cost or other basis"], row["(f) Code"], row["(g) Adjustment"], row["(h) Gain or loss"]) == (
        "750.00", "1000.00", "W", "250.00", "0.00",
    )  # fmt: skip


def test_gains_of_a_tax_deferred_account_are_apart_and_on_no_form() -> None:
    fills = (bought("2024-01-02", 10, "10"), sold("2024-06-03", 10, "15"))
    found = [*disposed(*fills), *disposed(*fills, treatment=Treatment.TAX_DEFERRED)]

    assert [(one.treatment, one.gain) for one in realised_by_year(found)] == [
        (Treatment.TAXABLE, usd(50)),
        (Treatment.TAX_DEFERRED, usd(50)),
    ]
    assert len(rows_of(found)) == 1


def test_a_short_sale_shows_what_it_brought_and_what_covering_cost() -> None:
    found = disposed(sold("2024-01-02", 10, "12", "1"), bought("2024-02-01", 10, "9", "1"))

    (row,) = rows_of(found)
    assert (row.proceeds, row.cost, row.gain) == (usd("119.00"), usd("91.00"), usd("28.00"))
    assert row.part == "I" and "short sale" in row.description
    assert row.acquired_on == row.disposed_on == date(2024, 2, 1)
    assert realised_by_year(found)[0].short.proceeds == usd(119)


def test_a_pending_gain_is_listed_and_in_no_total() -> None:
    found = [plain("100", None, Term.UNKNOWN, acquired_on=None), plain("100", "60")]

    rows = table(form_8949(found))
    assert [row["Part"] for row in rows] == ["I", "I", "unknown", "unknown"]
    assert rows[2]["(e) Cost or other basis"] == "" and rows[2]["(h) Gain or loss"] == "" and rows[2]["(b) Date acquired"] == ""
    assert (rows[1]["(h) Gain or loss"], rows[3]["(h) Gain or loss"]) == ("40.00", "0.00")
    assert realised_by_year(found)[0].pending == 1


def test_only_the_year_that_was_asked_for_is_on_the_form() -> None:
    found = [plain("100", "60", day="2023-12-29"), plain("100", "60", day="2024-01-02")]

    assert [row.disposed_on.year for row in rows_of(found, 2024)] == [2024]
    assert len(rows_of(found)) == 2


def test_the_header_is_that_of_the_form() -> None:
    assert form_8949([]) == csv_of(HEADER, [])
    assert [name[:3] for name in HEADER[1:9]] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)", "(g)", "(h)"]


amounts = st.decimals("-99999", "99999", places=6)


@given(st.lists(st.tuples(amounts, amounts, st.decimals("0", "500", places=6)), max_size=20))
def test_every_row_and_total_of_the_form_adds_up_to_the_cent(given_rows: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    found = [plain(str(p), str(b), disallowed=usd(str(d)), acquired_on=None, permanent=bool(n)) for n, (p, b, d) in enumerate(given_rows)]

    rows = table(form_8949(found))
    lines = [row for row in rows if row["Lot"]]
    for row in rows:
        adjustment = Decimal(row["(g) Adjustment"] or 0)
        assert Decimal(row["(d) Proceeds"]) - Decimal(row["(e) Cost or other basis"]) + adjustment == Decimal(row["(h) Gain or loss"])
    for name in ("(d) Proceeds", "(e) Cost or other basis", "(h) Gain or loss"):
        assert sum(Decimal(row[name]) for row in rows if not row["Lot"]) == sum(Decimal(row[name]) for row in lines)
    assert len(lines) == len(given_rows)


trades = st.lists(
    st.tuples(st.integers(0, 500), st.integers(-40, 40).filter(bool), st.integers(1, 90), st.integers(0, 3)), min_size=2, max_size=16
)


@given(trades)
def test_what_the_years_say_is_what_the_ledger_realised_apart_from_washed_losses(dealt: list[tuple[int, int, int, int]]) -> None:
    fills = [fill(day * 100 + number, quantity, str(price), str(fee), date.fromordinal(738_000 + day), minute=number)
             for number, (day, quantity, price, fee) in enumerate(dealt)]  # fmt: skip
    found = disposed(*fills)
    ledger_gain = total([one.realised for one in ledger(*fills).closings])

    years = realised_by_year(found)
    assert total([one.gain for one in years]) == total([one.gain for one in found])
    assert total([one.gain for one in found]) == ledger_gain + total([one.disallowed for one in found]) - total(
        [one.added for one in found]
    )
    assert sum(one.short.count + one.long.count + one.unknown.count for one in years) == len(found)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        '"=1',
        "'=1",
        "\n=cmd|' /C calc'!A0",
        "|calc",
        "%0A=1",
        "\u00a0=1",
        "=HYPERLINK(1)",
    ],
)
def test_text_that_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert harmless(text).startswith("'")
    assert table(csv_of(("name", "amount"), [(text, Decimal(-5))])) == [{"name": "'" + text, "amount": "-5"}]


def test_numbers_dates_and_plain_text_stay_what_they_are() -> None:
    cells = ('ABC, Inc. "B"', usd("-1.50"), Decimal("-0.00"), Quantity(-3), date(2024, 1, 2), None, 7)

    assert csv_of(("a",), [cells]).splitlines()[1] == '"ABC, Inc. ""B""",-1.5,0.00,-3,2024-01-02,,7'


def test_a_symbol_from_a_hostile_file_runs_nothing() -> None:
    evil = replace(plain("100", "60"), symbol="=cmd|' /C calc'!A0", account_id="@evil")  # type: ignore[arg-type]

    for row in csv.reader(io.StringIO(form_8949([evil]))):
        assert not [cell for cell in row if cell[:1] in "=+@|%" and cell]


def test_units_are_those_of_the_day_of_the_sale_also_before_a_split() -> None:
    # 10 sold on 06-03, before four came for one on 07-01; 3 of them are replaced by 12 of today's units: parts of 3 and 7.
    split = ShareSplit(STOCK.instrument_id, Split(date(2024, 7, 1), 4, 1))
    fills = (bought("2024-01-02", 20, "10"), sold("2024-06-03", 10, "8"), bought("2024-06-20", 3, "8"))
    events = [Event(one.fill_id, one, place) for place, one in enumerate(fills)]
    made = booked([*events, Event(derived_id("split"), split)])
    holdings = holdings_of(TAXABLE, made, Treatment.TAXABLE, [split])

    found = disposals_of(wash_sales(holdings).lines, made.lots, {TAXABLE: made.closings})

    assert sorted(one.quantity for one in found) == [Quantity(3), Quantity(7)]
    assert sorted(row.description for row in rows_of(found)) == ["3 ABC", "7 ABC"]
    assert total([one.disallowed for one in found]) == Decimal(6)


def test_currencies_have_totals_of_their_own() -> None:
    euro = replace(plain("10", "4"), currency="EUR", proceeds=Money(10, "EUR"), basis=Money(4, "EUR"), disallowed=Money(0, "EUR"))

    rows = table(form_8949([plain("100", "60"), euro]))
    assert [(row["Currency"], row["(h) Gain or loss"]) for row in rows if not row["Lot"]] == [("EUR", "6.00"), ("USD", "40.00")]
