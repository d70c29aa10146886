"""Wash sales: the examples of Publication 550, of revenue rulings, and at the edges."""

from datetime import timedelta
from decimal import Decimal

import pytest
from services.portfolio.tests.domain.making import DAY, STOCK, fill, usd
from services.portfolio.tests.domain.tax.washing import cents, held, rows

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, AssetClass, InstrumentId
from quantmatrix.portfolio.domain.events import Event, ShareSplit
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import Split
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment, gains, holdings_of, is_security
from quantmatrix.portfolio.domain.tax.wash_sales import WashRules, disallowed_inside, wash_sales
from quantmatrix.portfolio.domain.terms import Term


def test_a_loss_followed_by_a_purchase() -> None:
    """W1: buy 100 for 1,000, sell for 750, within 30 days buy 100 for 800: 250 disallowed, basis 1,050."""
    report = wash_sales([held("old", 100, "1000", "2014-05-01", "2014-07-01", "750"), held("new", 100, "800", "2014-07-05")])

    assert rows(report, "old") == [(100, 1000, 250, "2014-05-01")]
    assert rows(report, "new") == [(100, 1050, 0, "2014-05-05")]
    assert report.lines[0].gain == usd(0)
    assert report.lines[0].replaced_by == derived_id("lot", "new") and report.lines[1].replaces == derived_id("lot", "old")


def test_a_loss_after_purchases_that_cover_part_of_it() -> None:
    """W2: 750 disallowed, 250 allowed; bases 3,250 and 1,375; adjusted dates 2013-09-05 and 2013-09-13."""
    report = wash_sales(
        [
            held("first", 100, "5000", "2013-09-26", "2014-01-09", "4000"),
            held("second", 50, "2750", "2013-12-19"),
            held("third", 25, "1125", "2013-12-27"),
        ]
    )

    assert sorted(rows(report, "first")) == [(25, 1250, 0, "2013-09-26"), (25, 1250, 250, "2013-09-26"), (50, 2500, 500, "2013-09-26")]
    assert rows(report, "second", "third") == [(50, 3250, 0, "2013-09-05"), (25, 1375, 0, "2013-09-13")]
    assert sum(line.gain.amount for line in report.lines if line.gain) == -250


def test_replacements_are_matched_in_the_order_they_were_bought() -> None:
    """W3: a loss of 1,000 on 100; 50 bought on each of four days: 500 to each of the first two."""
    later = [held(f"b{day}", 50, "1000", f"2014-02-{day}") for day in (14, 12, 13, 11)]
    report = wash_sales([*later, held("sold", 100, "5000", "2013-09-26", "2014-02-06", "4000")])

    assert rows(report, "b11", "b12", "b13", "b14") == [
        (50, 1500, 0, "2013-10-01"),
        (50, 1500, 0, "2013-10-02"),
        (50, 1000, 0, "2014-02-13"),
        (50, 1000, 0, "2014-02-14"),
    ]


def test_a_disallowed_loss_is_not_netted_with_gains_of_the_same_sale() -> None:
    """W4: blocks at 158, 100 and 95, all sold at 125; 250 bought: 3,300 disallowed, 100 of the new with it, 150 without."""
    blocks = [
        held(f"block {basis}", 100, basis, f"2008-01-0{day}", "2013-12-27", "12500")
        for day, basis in ((5, "15800"), (6, "10000"), (7, "9500"))
    ]
    report = wash_sales([*blocks, held("new", 250, "25000", "2014-01-09")])

    assert rows(report, "block 15800") == [(100, 15800, 3300, "2008-01-05")]
    assert rows(report, "new") == [(100, 13300, 0, "2008-01-18"), (150, 15000, 0, "2014-01-09")]
    assert sum(line.gain.amount for line in report.lines if line.gain) == 2500 + 3000


@pytest.mark.parametrize(
    ("sold", "bought", "washed"),
    [
        ("2014-06-01", "2014-05-01", False),
        ("2014-06-01", "2014-05-02", True),
        ("2014-06-01", "2014-07-01", True),
        ("2014-06-01", "2014-07-02", False),
        ("2024-03-01", "2024-01-30", False),
        ("2024-03-01", "2024-01-31", True),
    ],
)
def test_the_window_has_thirty_calendar_days_on_both_sides(sold: str, bought: str, washed: bool) -> None:
    """W5, and both ends included; a leap year counts its days."""
    report = wash_sales([held("old", 100, "1000", "2013-01-02", sold, "900"), held("new", 100, "900", bought)])

    assert rows(report, "old")[0][2] == (100 if washed else 0)


def test_the_rest_of_the_same_lot_replaces_nothing_unless_one_says_so() -> None:
    """W6: 200 bought together, 100 sold (Fairmark; a secondary page argues the opposite)."""
    lots = [held("lot", 100, "5000", "2014-06-01", "2014-06-12", "4000"), held("lot", 100, "5000", "2014-06-01")]

    assert [cents(line.disallowed) for line in wash_sales(lots).lines] == [0, 0]
    assert sum(cents(line.disallowed) for line in wash_sales(lots, WashRules(same_lot=True)).lines) == 1000


def test_what_is_sold_at_its_cost_takes_no_replacement() -> None:
    """Neither is it flagged; the replacement is there for the loss that follows."""
    even = held("even", 10, "100", "2014-01-02", "2014-02-03", "100")
    loss = held("loss", 10, "100", "2014-01-03", "2014-02-04", "99.50")
    call = held("call", 10, "50", "2014-02-10", security=InstrumentId("CALL"))
    report = wash_sales([even, loss, held("new", 10, "100", "2014-02-10"), call])

    assert rows(report, "even", "loss", "new") == [
        (10, 100, 0, "2014-01-02"),
        (10, 100, Decimal("0.50"), "2014-01-03"),
        (10, Decimal("100.50"), 0, "2014-01-09"),
    ]
    assert [line.replaced_by for line in report.lines if line.holding == even] == [None]
    assert [flag.loss for flag in report.flags] == [loss]


def test_a_larger_replacement_is_divided() -> None:
    """W7: 10 sold at a loss of 100, 18 bought for 300: 10 with 166.67 + 100, and 8 with 133.33."""
    report = wash_sales([held("old", 10, "1000", "2014-01-02", "2014-02-03", "900"), held("new", 18, "300", "2014-02-10")])

    assert sorted(rows(report, "new"), reverse=True) == [(10, Decimal("266.67"), 0, "2014-01-09"), (8, Decimal("133.33"), 0, "2014-02-10")]


def test_a_chain_of_losses_ends_in_the_last_lot() -> None:
    """W8: A loses 100 into B, B (300 + 100, sold for 220) loses 180 into C (500): 680; the days of both are carried on."""
    report = wash_sales(
        [
            held("a", 10, "400", "2012-05-14", "2012-06-13", "300"),
            held("b", 10, "300", "2012-06-28", "2012-07-20", "220"),
            held("c", 10, "500", "2012-08-11"),
        ]
    )

    assert rows(report, "a", "b", "c") == [
        (10, 400, 100, "2012-05-14"),
        (10, 400, 180, "2012-05-29"),
        (10, 680, 0, "2012-06-20"),
    ]
    assert [line.gain for line in report.lines if line.gain is not None] == [usd(0), usd(0)]


def test_a_replacement_in_a_retirement_account_loses_the_loss_for_good() -> None:
    """W9: Revenue Ruling 2008-5. Basis 1,000, sold for 600, an IRA buys: 400 disallowed, its basis is not increased."""
    ira = held("ira", 100, "650", "2007-12-21", account_id=AccountId("IRA"), treatment=Treatment.TAX_DEFERRED)
    report = wash_sales([held("old", 100, "1000", "2007-01-03", "2007-12-20", "600"), ira])

    assert rows(report, "old", "ira") == [(100, 1000, 400, "2007-01-03"), (100, 650, 0, "2007-12-21")]
    assert [line.permanent for line in report.lines] == [True, False]


def test_a_loss_in_a_retirement_account_is_no_loss() -> None:
    ira = held("ira", 100, "1000", "2014-05-01", "2014-07-01", "750", treatment=Treatment.TAX_DEFERRED)

    assert [line.disallowed for line in wash_sales([ira, held("new", 100, "800", "2014-07-05")]).lines] == [usd(0), usd(0)]


def test_what_a_broker_disallows_inside_one_order() -> None:
    """W10: GM, 3,000 sold: -6,755.345284 printed; disallowed and taken up again inside the order: 4,786.16675 (to 5 digits)."""
    found = disallowed_inside(usd("155370"), usd("-19.961286"), usd("-166891.55075"), usd("-6755.345284"))

    assert found.rounded(5) == usd("4786.16675")


def test_option_losses_beside_share_purchases_of_any_account_are_flagged_and_not_booked() -> None:
    """W11: NVDA and TTD calls expired at a loss on 2025-03-21; the IRA bought the shares on 2025-02-28 and 03-03."""

    def call(name: str, family: str) -> Holding:
        return held(name, 1, "500", "2025-01-15", "2025-03-21", "0", security=InstrumentId(name), family=family)

    def shares(name: str, family: str, bought: str) -> Holding:
        return held(name, 10, "1000", bought, security=InstrumentId(family), family=family, treatment=Treatment.TAX_DEFERRED)

    report = wash_sales(
        [
            call("NVDA149C", "NVDA"),
            call("NVDA150C", "NVDA"),
            call("TTD80C", "TTD"),
            shares("one", "NVDA", "2025-02-28"),
            shares("two", "NVDA", "2025-03-03"),
            shares("three", "TTD", "2025-02-28"),
            shares("too early", "TTD", "2025-02-18"),
        ]
    )

    assert sorted((flag.loss.security, str(flag.acquired.acquired_on)) for flag in report.flags) == [
        ("NVDA149C", "2025-02-28"),
        ("NVDA149C", "2025-03-03"),
        ("NVDA150C", "2025-02-28"),
        ("NVDA150C", "2025-03-03"),
        ("TTD80C", "2025-02-28"),
    ]
    assert all(not line.disallowed for line in report.lines)


def test_replacements_are_found_in_the_other_accounts_of_a_person() -> None:
    other = held("other", 100, "800", "2014-07-05", account_id=AccountId("B"))
    report = wash_sales([held("old", 100, "1000", "2014-05-01", "2014-07-01", "750"), other])

    assert rows(report, "other") == [(100, 1050, 0, "2014-05-05")]


def test_what_was_sold_before_replaces_nothing() -> None:
    """Bought and sold again at a gain before the loss: those units are not there to carry it."""
    early = held("early", 100, "800", "2014-06-10", "2014-06-20", "900", place=0)
    report = wash_sales([held("old", 100, "1000", "2014-05-01", "2014-07-01", "750", place=1), early])

    assert rows(report, "old")[0][2] == 0


def test_a_loss_on_a_short_sale_is_washed_by_another_short_sale() -> None:
    """IRC 1091(e): only by another short sale, not by a purchase."""
    loss = held("short", 100, "-1000", "2014-05-01", "2014-07-01", "-1250", is_short=True)
    again = held("again", 100, "-1200", "2014-07-05", is_short=True)
    report = wash_sales([loss, again, held("long", 100, "1250", "2014-07-03")])

    assert rows(report, "short", "again", "long") == [
        (100, -1000, 250, "2014-05-01"),
        (100, 1250, 0, "2014-07-03"),
        (100, -950, 0, "2014-05-05"),
    ]


def test_losses_that_wait_for_a_basis_or_a_date_are_listed() -> None:
    pending = held("pending", 100, None, "2014-05-01", "2014-07-01", "750")
    undated = held("undated", 100, "1000", None, "2014-07-01", "750")
    report = wash_sales([pending, undated, held("new", 100, "800", "2014-07-05")])

    assert set(report.undecided) == {pending, undated}
    assert {line.holding for line in report.lines} >= {pending, undated}
    assert all(not line.disallowed for line in report.lines)
    assert [line.term for line in report.lines if line.holding == undated] == [Term.UNKNOWN]


def test_a_holding_period_that_was_taken_over_makes_a_gain_long_term() -> None:
    report = wash_sales(
        [held("old", 10, "400", "2012-01-03", "2012-12-20", "300"), held("new", 10, "300", "2013-01-02", "2013-03-01", "500")]
    )
    (line,) = (one for one in report.lines if one.holding.lot_id == derived_id("lot", "new"))

    assert (line.term, line.gain) == (Term.LONG, usd(100))
    assert line.holding.term is Term.SHORT


def test_a_ledgers_lots_become_holdings_in_todays_units() -> None:
    """50 sold at a loss before a split 2 for 1 are 100 of today, and the 60 bought after it replace 60 of them."""
    split = ShareSplit(STOCK.instrument_id, Split(DAY + timedelta(days=20), 2, 1))
    fills = (fill(1, 100, "10"), fill(10, -50, "8", "1"), fill(25, 60, "5"))
    ledger = booked([*(Event(one.fill_id, one) for one in fills), Event(derived_id("split"), split)])
    found = holdings_of(AccountId("A"), ledger, Treatment.TAXABLE, [split])
    report = wash_sales(found)

    assert sorted(one.quantity.value for one in found) == [60, 100, 100]
    assert [line.disallowed for line in report.lines if line.disallowed] == [usd("60.6")]
    assert gains(found, "USD") == {Treatment.TAXABLE: usd(-101), Treatment.TAX_DEFERRED: usd(0)}


def test_gains_of_a_tax_deferred_account_are_summed_apart() -> None:
    ledger = booked([Event(one.fill_id, one) for one in (fill(1, 10, "10"), fill(2, -10, "12"))])

    assert gains(holdings_of(AccountId("A"), ledger, Treatment.TAX_DEFERRED), "USD") == {
        Treatment.TAXABLE: usd(0),
        Treatment.TAX_DEFERRED: usd(20),
    }


@pytest.mark.parametrize("asset_class", list(AssetClass))
def test_coins_currencies_and_futures_are_no_securities(asset_class: AssetClass) -> None:
    assert is_security(asset_class) is (asset_class in (AssetClass.STOCK, AssetClass.FUND, AssetClass.OPTION))
