"""Layouts of other countries and years: what they print in other places is read for what it is."""

from decimal import Decimal

import pytest
from services.portfolio.tests.importers.layout_samples import ACTIONS, CASH, FEES, LEVIES, TRADES, cash, order, statement

from quantmatrix.portfolio.domain.statements import EntryKind, Statement
from quantmatrix.portfolio.domain.statements_identities import Cause
from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importers.ibkr_activity import ActivityImporter
from quantmatrix.portfolio.importers.ibkr_activity.levies import RESTATED
from quantmatrix.portfolio.importing import File, check_files

STAMP = 'Transaction Fees,Data,Stocks,GBP,"2024-02-05, 09:06:18",AWE,UK Stamp Tax,{units},0.988,{amount},'
BOUGHT = order("AWE", '"10,000"', "0.988", "-9880", "-54.34", currency="GBP")
STAMPS = "\n".join([LEVIES, STAMP.format(units='"8,900"', amount="-43.966"), STAMP.format(units='"1,100"', amount="-5.434")])
PAID = "\n".join([CASH, cash("GBP", "20000", "10065.66", purchases="-9880", commissions="-4.94", levies="-49.40")])


def check(text: str) -> ImportTold:
    found = told(check_files([File("file.csv", text.encode())])[0])
    assert found["booked"] + found["ignored"] + found["not_understood"] == found["rows"]
    return found


def read(text: str) -> Statement:
    return ActivityImporter().read(text.encode())


@pytest.mark.parametrize("sections", [(PAID, TRADES, BOUGHT, STAMPS), (TRADES, BOUGHT, STAMPS), (STAMPS, TRADES, BOUGHT)])
def test_a_stamp_duty_inside_the_commission_is_not_paid_twice(sections: tuple[str, ...]) -> None:
    """4.94 of commission and 49.40 of duty are the 54.34 of the trade's column; the section breaks them down."""
    found = check(statement(*sections, base="GBP"))

    assert (found["status"], found["entries"]) == ("reconciled", {"trade": 1})
    assert found["ignored_by_rule"][RESTATED] == 2


def test_a_tax_beside_the_commission_is_paid() -> None:
    """The French tax is charged in the evening for the day, and is larger than the commission of the trade."""
    tax = 'Transaction Fees,Data,Stocks,EUR,"2024-02-05, 20:20:00",ALO,French Daily Trade Charge Tax,40,19.29,-3.09,'
    bought = order("ALO", "40", "19.29", "-771.6", "-3", currency="EUR")
    report = "\n".join([CASH, cash("EUR", "1000", "222.31", purchases="-771.6", commissions="-3", levies="-3.09")])

    for sections in ((report, TRADES, bought, LEVIES, tax), (TRADES, bought, LEVIES, tax)):
        found = check(statement(*sections, base="EUR"))
        assert (found["status"], found["entries"]) == ("reconciled", {"trade": 1, "fee": 1})


def test_where_the_moment_does_not_tell_the_cash_report_does() -> None:
    """The same duty with the evening's time: by the cash report the column had it already."""
    late = STAMPS.replace("09:06:18", "20:20:00")

    assert check(statement(PAID, TRADES, BOUGHT, late, base="GBP"))["entries"] == {"trade": 1}
    assert check(statement(TRADES, BOUGHT, late, base="GBP"))["entries"] == {"trade": 1, "fee": 2}


GST_FEE = "Fees,Data,Other Fees,AUD,2024-02-10,Withdrawal Fee,-15"
GST_BOUGHT = order("BHP", "100", "45", "-4500", "-6.6", currency="AUD")


def gst(tax: str, end: str) -> str:
    return "\n".join([CASH, cash("AUD", "5000", end, purchases="-4500", commissions="-6", other_fees="-15", gst=tax)])


def test_sales_tax_on_a_commission_is_in_it_and_on_a_fee_is_told_by_no_row() -> None:
    """Ten percent of 6 stand in the 6.60 of the trade; ten percent of the fee of 15 are paid and in no row."""
    found = check(statement(gst("-2.1", "476.9"), TRADES, GST_BOUGHT, FEES, GST_FEE, base="AUD"))

    (difference,) = found["cash"]["differences"]
    assert (found["status"], difference["cause"], difference["difference"]) == (
        "reconciled with 1 explained differences", Cause.UNTOLD_TAX.value, "-1.5",
    )  # fmt: skip


def test_more_than_the_sales_tax_is_a_contradiction() -> None:
    found = check(statement(gst("-2.1", "474.3"), TRADES, GST_BOUGHT, FEES, GST_FEE, base="AUD"))
    dropped = check(statement(gst("-2.1", "476.9"), TRADES, GST_BOUGHT, FEES, base="AUD"))

    assert [one["cause"] for one in found["cash"]["differences"]] == [None]
    assert dropped["cash"]["differences"][0]["cause"] in (None, Cause.NOT_EXPORTED.value)


HELD = " - Held with Example Broker (U.K.) Limited carried by Example Broker LLC"


def test_the_custodian_behind_an_asset_class_is_no_class_of_its_own() -> None:
    """Statements of some years name it behind every class: pounds sold for dollars stay a conversion, options stay options."""
    forex = TRADES.replace("C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L", ",Proceeds,Comm in GBP,,,MTM in GBP")
    pounds = f'Trades,Data,Order,Forex{HELD},USD,GBP.USD,"2024-02-01, 09:00:00","-1,000",1.25,,1250,-2,,,0,'
    bought = order("ABC", "10", "20", "-200", "-1", asset=f"Stocks{HELD}")
    told_of = statement(TRADES, bought, forex, pounds, base="GBP")

    entries = read(told_of).entries

    assert [(entry.kind, entry.asset) for entry in entries] == [(EntryKind.TRADE, "Stocks"), (EntryKind.CONVERSION, "Forex")]
    assert [entry.broker_key for entry in entries] == [entry.broker_key for entry in read(told_of.replace(HELD, "")).entries]


def test_a_line_of_the_block_in_base_currency_counts_for_no_other_currency() -> None:
    """The summary in base currency may name a currency beside a line: it is the sum over all, once more."""
    base = cash("Base Currency Summary", "100", "85", other_fees="-15").replace("Other Fees,Base Currency Summary", "Other Fees,USD")
    report = "\n".join([CASH, base, cash("USD", "100", "85", other_fees="-15", collateral="900")])

    (summary,) = read(statement(report, FEES, "Fees,Data,Other Fees,USD,2024-02-10,Snapshot,-15")).figures.cash

    assert [(line.name, line.amount.amount) for line in summary.lines] == [("Other Fees", -15)]


MERGER = (
    'Corporate Actions,Data,Stocks,USD,2024-02-20,"2024-02-19, 20:25:00",'
    '"ABC(US0000000001) Merged(Acquisition) for USD 30.00 per Share (ABC, ABC CORP, US0000000001)",-10,300,0,99,'
)


def test_cash_of_a_merger_is_among_the_sales() -> None:
    bought = order("ABC", "10", "20", "-200", "-1")
    report = "\n".join([CASH, cash("USD", "1000", "1099", purchases="-200", sales="300", commissions="-1")])

    whole = check(statement(report, TRADES, bought, ACTIONS, MERGER))
    subtotal = "Trades,SubTotal,,Stocks,USD,ABC,,10,,,-200,-1,,0,0,"
    without_actions = check(statement(report, TRADES, bought, subtotal))
    without_the_row = check(statement(report, TRADES, bought))
    without_the_trade = check(statement(report, TRADES, ACTIONS, MERGER))

    assert (whole["status"], whole["cash"]["equal"]) == ("reconciled", 1)
    assert [one["cause"] for one in without_actions["cash"]["differences"]] == [Cause.NOT_EXPORTED.value]
    assert without_actions["status"] == "reconciled with 1 explained differences"
    assert (without_the_trade["status"], without_the_row["status"]) == ("rejected", "rejected")


def test_older_names_of_lines_belong_to_the_same_rows() -> None:
    report = "\n".join([CASH, cash("USD", "1000", "799", net_purchases="-200", commissions="-1")])
    bought = order("ABC", "10", "20", "-200", "-1")

    assert check(statement(report, TRADES, bought))["status"] == "reconciled"
    dropped = check(statement(report, TRADES, order("ABC", "1", "20", "-20", "-1")))
    assert dropped["status"] == "rejected"
    assert "Net Trades (Purchase)" in dropped["why"]


def test_columns_of_other_years_are_read_under_their_names() -> None:
    accruals = "\n".join([
        "Change in Dividend Accruals,Header,Asset Category,Currency,Symbol,Date,Ex Date,Pay Date,Quantity,Tax,Fee,Gross Rate,Gross Amnt,Net Amnt,Code",
        "Change in Dividend Accruals,Data,Starting Dividend Accruals in USD,,,,,,,,,,,0,",
        "Change in Dividend Accruals,Data,Stocks,USD,ABC,2024-02-01,2024-01-30,2024-04-02,10,0,0,0.5,5,5,Po",
        "Change in Dividend Accruals,Data,Ending Dividend Accruals in USD,,,,,,,,,,,5,",
    ])  # fmt: skip
    report = "\n".join([CASH, cash("USD", "1000", "799", purchases="-200", commissions="-1")])

    found = check(statement(report, TRADES.replace("Comm/Fee", "Comm/Tax"), order("ABC", "10", "20", "-200", "-1"), accruals))

    assert (found["status"], found["cash"]["equal"], found["identities"]["I9"]["equal"]) == ("reconciled", 1, 1)


def test_an_option_on_an_index_is_settled_in_a_section_of_its_own() -> None:
    sections = [
        "Option Cash Settlements,Header,Currency,Date,Description,Amount",
        "Option Cash Settlements,Data,USD,2024-02-16,Exercise ( XSP 16FEB24 500 P ),350",
        "Price Adjustments,Header,Currency,Date,Description,Amount",
        "Price Adjustments,Data,USD,2024-02-19,Correction of a price,-2",
    ]

    entries = read(statement(*sections)).entries

    assert [(entry.kind, entry.symbol, entry.amount.amount) for entry in entries if entry.amount] == [
        (EntryKind.ADJUSTMENT, "XSP 16FEB24 500 P", 350), (EntryKind.ADJUSTMENT, None, -2),
    ]  # fmt: skip


def test_a_sum_of_a_foreign_currency_is_held_against_rows_only_where_it_is_in_it() -> None:
    """15 dollars of fees are 13.50 in base currency; which of both a lone sum is, the file does not say."""
    fees = [FEES, "Fees,Data,Other Fees,USD,2024-02-10,Snapshot,-15"]
    said, summed = "Fees,Data,Total,,,,-13.5", ["Fees,Data,Total,,,,-15", "Fees,Data,Total in EUR,,,,-13.5"]

    alone, both = check(statement(*fees, said, base="EUR")), check(statement(*fees, *summed, base="EUR"))
    wrong = check(statement(*fees, said, summed[1], base="EUR"))

    assert (alone["status"], alone["totals"]["checked"], both["status"], both["totals"]["equal"]) == ("reconciled", 0, "reconciled", 1)
    assert wrong["status"] == "rejected"


FUTURES = TRADES.replace("Proceeds", "Notional Value")


@pytest.mark.parametrize(
    ("header", "row", "multiplier"),
    [
        (FUTURES, 'Futures,USD,MESM4,"2024-02-05, 07:01:59",1,7644,7644,-38220,-0.61,38220.61,0,0,O', 5),
        (FUTURES, 'Futures,USD,METK6,"2024-02-05, 07:01:59",1,2400,2400,-240,-1.5,241.5,0,0,O', Decimal("0.1")),
        (TRADES, 'Equity and Index Options,EUR,ABC 15MAR24 30 C,"2024-02-05, 10:00:00",-2,1.5,1.5,30,-1.4,-28.6,0,0,O', 10),
        (TRADES, 'Equity and Index Options,USD,ABC 15MAR24 30 C,"2024-02-05, 10:00:00",2,0,0,0,0,0,0,0,C;Ep', 100),
    ],
)
def test_a_contract_whose_size_is_not_told_has_the_one_that_its_value_tells(header: str, row: str, multiplier: Decimal) -> None:
    """Exports without the section about instruments print contracts all the same."""
    text = statement(header, f"Trades,Data,Order,{row}")

    (entry,) = read(text).entries

    assert (check(text)["status"], entry.multiplier.value if entry.multiplier else None) == ("reconciled", multiplier)


def test_a_contract_whose_size_is_told_must_be_worth_it() -> None:
    instruments = [
        "Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Underlying,Listing Exch,Multiplier,Expiry,Delivery Month,Type,Strike,Code",
        "Financial Instrument Information,Data,Futures,MESM4,MES JUN24,1,MES,CME,50,2024-06-21,2024-06,,,",
    ]
    row = 'Trades,Data,Order,Futures,USD,MESM4,"2024-02-05, 07:01:59",1,7644,7644,-38220,-0.61,38220.61,0,0,O'

    assert check(statement(FUTURES, row, *instruments))["status"] == "rejected"


INSTRUMENTS = "Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Underlying,Listing Exch,Multiplier,Type,Code"
CONTRACTS = INSTRUMENTS.replace("Security ID,", "").replace("Multiplier,Type", "Multiplier,Expiry,Delivery Month,Type,Strike")
OPEN = "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code"


def test_a_share_that_was_renamed_is_one_share() -> None:
    """Bought under the old symbol, sold in part and held under the new one; only the list of instruments tells that it is one."""
    sold = 'Trades,Data,Order,Stocks,USD,NEWT,"2024-03-05, 10:00:00",-4,25,25,100,-1,-80.4,18.6,0,C'
    held = "Open Positions,Data,Summary,Stocks,USD,NEWT,6,1,20.1,120.6,25,150,29.4,"
    both = 'Financial Instrument Information,Data,Stocks,"OLDT, NEWT",EXAMPLE,1,US0000000001,OLDT,NASDAQ,1,COMMON,'

    found = check(statement(TRADES, order("OLDT", "10", "20", "-200", "-1"), sold, OPEN, held, INSTRUMENTS, both))
    apart = check(statement(TRADES, order("OLDT", "10", "20", "-200", "-1"), sold, OPEN, held, INSTRUMENTS))

    assert (found["status"], found["closings_checked"], found["closings_equal"], found["closings_pending"]) == ("reconciled", 1, 1, 0)
    assert apart["closings_pending"] == 1


def test_an_adjusted_contract_is_closed_under_its_new_root() -> None:
    opened = (
        'Trades,Data,Order,Equity and Index Options,USD,QZD 15MAR24 12.5 P,"2024-01-22, 10:00:00",-10,1.41,1.41,1410,-7.06,-1402.94,0,0,O'
    )
    closed = 'Trades,Data,Order,Equity and Index Options,USD,QZD1 15MAR24 12.5 P,"2024-03-15, 16:20:00",10,0,0,0,0,1402.94,1402.94,0,C;Ep'
    both = (
        'Financial Instrument Information,Data,Equity and Index Options,"QZD   240315P00012500, QZD1  240315P00012500",'
        "QZD 15MAR24 12.5 P,2,QZD,CBOE,100,2024-03-15,2024-03,P,12.5,"
    )

    found = check(statement(TRADES, opened, closed, CONTRACTS, both))

    assert (found["status"], found["closings_checked"], found["closings_equal"]) == ("reconciled", 1, 1)


def test_what_was_held_under_the_old_symbol_is_what_is_held_before_under_the_new_one() -> None:
    held = "Open Positions,Data,Summary,Stocks,USD,OLDT,10,1,20.1,201,20,200,-1,"
    first = statement(TRADES, order("OLDT", "10", "20", "-200", "-1"), OPEN, held)
    marked = (
        "Mark-to-Market Performance Summary,Header,Asset Category,Symbol,Prior Quantity,Current Quantity,Prior Price,Current Price,Code"
    )
    marks = "Mark-to-Market Performance Summary,Data,Stocks,NEWT,10,10,20,21,"
    both = 'Financial Instrument Information,Data,Stocks,"OLDT, NEWT",EXAMPLE,1,US0000000001,NEWT,NASDAQ,1,COMMON,'
    second = statement(marked, marks, OPEN, held.replace("OLDT", "NEWT"), INSTRUMENTS, both).replace(
        "January 1, 2024 - March 31", "April 1, 2024 - June 30"
    )

    reports = [told(one) for one in check_files([File("first.csv", first.encode()), File("second.csv", second.encode())])]

    assert [one["status"] for one in reports] == ["reconciled", "reconciled"]
    assert reports[1]["identities"]["I8"]["equal"] == 1


def test_interest_of_bonds_is_no_interest_of_the_broker_that_rows_lack() -> None:
    """Both lines are made by the rows of one section; what differs here is the gain of futures alone."""
    report = "\n".join([CASH, cash("USD", "1000", "1121.5", sales="100")]).replace(
        "Cash Report,Data,Trades (Sales),USD,100,100,0,",
        "Cash Report,Data,Cash Settling MTM,USD,100,0,0,\nCash Report,Data,Bond Interest Paid and Received,USD,16.5,0,0,\n"
        "Cash Report,Data,Broker Interest Paid and Received,USD,5,0,0,",
    )
    interest = [
        "Interest,Header,Currency,Date,Description,Amount", "Interest,Data,USD,2024-02-05,Purchase Accrued Interest ABC,-20",
        "Interest,Data,USD,2024-03-15,Bond Coupon Payment (ABC),36.5", "Interest,Data,USD,2024-03-20,USD Credit Interest for Feb-2024,5",
    ]  # fmt: skip

    found = check(statement(report, *interest))

    assert [(one["difference"], one["note"]) for one in found["cash"]["differences"]] == [("100", "")]
    assert found["status"] == "reconciled"
