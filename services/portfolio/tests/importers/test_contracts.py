"""Every importer passes the contract, and reads what is particular about its broker."""

from decimal import Decimal

import pytest
from services.portfolio.tests.importers import samples
from services.portfolio.tests.importers.activity_samples import STATEMENT

from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio import importers
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.importing import File, Status, check_files, importer_for
from quantmatrix.portfolio.testing import ImporterContract

EVERY = {
    "ibkr_activity": STATEMENT,
    "ibkr_flex_xml": samples.FLEX_XML,
    "ibkr_flex_csv": samples.FLEX_CSV,
    "ibkr_transactions": samples.TRANSACTIONS,
    "tastytrade": samples.TASTY_NEWER,
    "etrade": samples.ETRADE_V2,
    "coinbase_fills": samples.COINBASE_FILLS,
    "coinbase_retail": samples.COINBASE_RETAIL,
    "alpaca": samples.ALPACA,
    "generic": samples.GENERIC,
}


def entries(name: str, text: str) -> list[Entry]:
    return list(load(importers, name).IMPORTER().read(text.encode()).entries)


def line_of(text: str, part: str) -> int:
    return next(line for line, found in enumerate(text.splitlines(), start=1) if part in found)


class TestFlexXml(ImporterContract):
    importer = load(importers, "ibkr_flex_xml").IMPORTER()
    file_name = "flex.xml"
    sample = samples.FLEX_XML.encode()
    rows = 18
    damaged = sample.replace(b'amount="2.5"', b'amount="2,5"')
    damaged_line = line_of(samples.FLEX_XML, 'amount="2.5"')
    stranger = b"<html><body>no</body></html>"


class TestFlexCsv(ImporterContract):
    importer = load(importers, "ibkr_flex_csv").IMPORTER()
    file_name = "flex.csv"
    sample = samples.FLEX_CSV.encode()
    rows = 6
    damaged = sample.replace(b'"20250103"', b'"20251303"')
    damaged_line = 8
    stranger = b"Date,Type,Sub Type\n1,2,3\n"


class TestTransactionHistory(ImporterContract):
    importer = load(importers, "ibkr_transactions").IMPORTER()
    file_name = "history.csv"
    sample = samples.TRANSACTIONS.encode()
    rows = 11
    damaged = sample.replace(b"1001.00,2002.0", b"1001.00,nan")
    damaged_line = line_of(samples.TRANSACTIONS, "2002.0")
    stranger = STATEMENT.encode()


class TestTastytrade(ImporterContract):
    importer = load(importers, "tastytrade").IMPORTER()
    file_name = "history.csv"
    sample = samples.TASTY_NEWER.encode()
    rows = 8
    damaged = sample.replace(b'"-10,300.00"', b'"-1,0300.00"')
    damaged_line = 4
    stranger = b"Date,Type,Amount\n1,2,3\n"


class TestEtrade(ImporterContract):
    importer = load(importers, "etrade").IMPORTER()
    file_name = "transactions.csv"
    sample = samples.ETRADE_V2.encode()
    rows = 6
    damaged = sample.replace(b"1074.05", b"1074.05.1")
    damaged_line = 5
    stranger = b"For Account:,####3525\n\nDate,What\n"


class TestCoinbaseFills(ImporterContract):
    importer = load(importers, "coinbase_fills").IMPORTER()
    file_name = "fills.csv"
    sample = samples.COINBASE_FILLS.encode()
    rows = 2
    damaged = sample.replace(b",BUY,", b",HOLD,")
    damaged_line = 3
    stranger = b"portfolio,trade id,product\n"


class TestCoinbaseRetail(ImporterContract):
    importer = load(importers, "coinbase_retail").IMPORTER()
    file_name = "report.csv"
    sample = samples.COINBASE_RETAIL.encode()
    rows = 4
    damaged = sample.replace("€67.01".encode(), "€Infinity".encode())
    damaged_line = 7
    stranger = b"Timestamp,Asset\n1,2\n"


class TestAlpaca(ImporterContract):
    importer = load(importers, "alpaca").IMPORTER()
    file_name = "activities.json"
    sample = samples.ALPACA.encode()
    rows = 5
    damaged = sample.replace(b'"net_amount": "4.2"', b'"net_amount": "1e999"')
    damaged_line = 3
    stranger = b'{"activity_type": "FILL"}'


class TestGeneric(ImporterContract):
    importer = load(importers, "generic").IMPORTER()
    file_name = "mine.csv"
    sample = samples.GENERIC.encode()
    rows = 4
    damaged = sample.replace(b"dividend", b"present")
    damaged_line = 4
    stranger = b"date,kind,amount\n"


def test_every_importer_in_the_slot_has_a_sample_here() -> None:
    assert sorted(EVERY) == names_in(importers)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_the_kind_of_a_file_is_recognised_by_exactly_one(name: str) -> None:
    assert importer_for(File("anything", EVERY[name].encode())).name == name


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_file_agrees_with_itself_and_its_rows_add_up(name: str) -> None:
    (result,) = check_files([File("one", EVERY[name].encode())])

    assert result.statement is not None
    assert result.status is not Status.REJECTED, result.why
    assert len(result.statement.booked_lines) + len(result.statement.ignored) + len(result.statement.unread) == result.statement.rows


@pytest.mark.parametrize("name", sorted(EVERY))
def test_importing_beside_itself_brings_nothing_new(name: str) -> None:
    """The same rows with another line at the end: another file, of which every entry is known."""
    first, second = check_files([File("one", EVERY[name].encode()), File("two", EVERY[name].encode() + b"\n")])
    assert first.statement is not None and second.statement is not None

    assert first.duplicates == 0
    assert second.duplicates == len(second.statement.booked_lines) > 0


def test_flex_cancellations_name_what_they_cancel_and_rebookings_stay_apart() -> None:
    pypl = [entry for entry in entries("ibkr_flex_xml", samples.FLEX_XML) if entry.symbol == "PYPL"]

    assert [(str(entry.quantity), entry.cancels) for entry in pypl] == [("10", None), ("-10", "0003.01"), ("10", None)]
    assert len({entry.broker_key for entry in pypl}) == 3


def test_flex_accounts_and_periods_come_from_every_statement_in_the_file() -> None:
    statement = load(importers, "ibkr_flex_xml").IMPORTER().read(samples.FLEX_XML.encode())

    assert statement.accounts == ("U0000001", "U0000002")
    assert (statement.first.isoformat(), statement.last.isoformat()) == ("2025-01-01", "2025-01-31")


def test_flex_closings_agree_with_the_printed_basis() -> None:
    (result,) = check_files([File("flex.xml", samples.FLEX_XML.encode())])

    assert result.closings is not None and result.positions is not None
    assert (result.closings.checked, result.closings.equal) == (1, 1)
    assert result.positions.differences == ()


def test_tastytrade_costs_have_one_sign_in_both_shapes_and_the_shapes_merge() -> None:
    older, newer = check_files([File("old", samples.TASTY_OLDER.encode()), File("new", samples.TASTY_NEWER.encode())])
    assert older.statement is not None and newer.statement is not None
    costs = [
        entry.fee for one in (older, newer) if one.statement for entry in one.statement.entries if entry.symbol == "PLTR 240816P00026000"
    ]

    assert [str(fee) for fee in costs if fee] == ["1.152 USD", "1.15 USD"]
    assert newer.duplicates == 1


def test_tastytrade_removals_take_their_side_from_what_was_held() -> None:
    by_kind = {entry.kind: entry.quantity for entry in entries("tastytrade", samples.TASTY_NEWER)}
    (unknown,) = [entry for entry in entries("tastytrade", samples.TASTY_OLDER) if entry.kind is EntryKind.EXPIRY]

    assert (by_kind[EntryKind.EXPIRY], by_kind[EntryKind.ASSIGNMENT]) == (Quantity(1), Quantity(1))
    assert unknown.quantity is None


def test_tastytrade_splits_move_units_and_no_cash() -> None:
    legs = [entry for entry in entries("tastytrade", samples.TASTY_OLDER) if entry.kind is EntryKind.CORPORATE_ACTION]

    assert [(str(leg.quantity), leg.amount) for leg in legs] == [("-400", None), ("20", None)]


def test_tastytrade_tax_is_told_from_a_dividend_by_its_sign() -> None:
    kinds = {str(entry.amount): entry.kind for entry in entries("tastytrade", samples.TASTY_NEWER) if entry.symbol == "PULS"}

    assert kinds == {"38.12 USD": EntryKind.DIVIDEND, "-5.72 USD": EntryKind.WITHHOLDING_TAX}


def test_etrade_amounts_are_told_without_their_commission_and_reinvestments_are_purchases() -> None:
    bought, sold, dividend, reinvested, _, moved = entries("etrade", samples.ETRADE_V2)

    assert (bought.amount, bought.fee, bought.quantity) == (Money(-2600, "USD"), Money(Decimal("5.95"), "USD"), Quantity(10))
    assert (sold.amount, sold.quantity) == (Money(1080, "USD"), Quantity(-4))
    assert (dividend.kind, reinvested.kind, reinvested.price) == (EntryKind.DIVIDEND, EntryKind.TRADE, Price.parse("263.0769"))
    assert (moved.kind, moved.session.year, moved.account) == (EntryKind.WITHDRAWAL, 2024, "####3525")


def test_etrades_newer_shape_is_read_under_its_own_names() -> None:
    kinds = [(entry.kind, str(entry.session)) for entry in entries("etrade", samples.ETRADE_V3)]

    assert kinds == [(EntryKind.TRADE, "2025-06-12"), (EntryKind.DIVIDEND, "2025-06-25"), (EntryKind.EXPIRY, "2025-07-16")]


def test_coinbase_fills_add_up_as_published() -> None:
    sold, bought = entries("coinbase_fills", samples.COINBASE_FILLS)

    assert sold.amount == Money(Decimal("14623.48755"), "USD")
    assert bought.fee == Money(Decimal("0.0005"), "ETH")
    assert bought.amount == Money(Decimal("-0.1"), "ETH")


def test_a_coinbase_conversion_is_a_sale_and_a_purchase_and_staking_has_a_basis() -> None:
    told = [
        (entry.kind, entry.symbol, str(entry.quantity), str(entry.amount)) for entry in entries("coinbase_retail", samples.COINBASE_RETAIL)
    ]

    assert told == [
        (EntryKind.INTEREST, "ETH", "None", "0.12649 EUR"),
        (EntryKind.TRADE, "ETH", "0.000037835729", "-0.12649 EUR"),
        (EntryKind.TRANSFER, "ETH2", "-0.180914809326", "None"),
        (EntryKind.TRADE, "BTC", "-0.00363125", "338.92698 EUR"),
        (EntryKind.TRADE, "XRP", "156.145683", "-338.92698 EUR"),
        (EntryKind.TRADE, "BTC", "0.00166779", "-67.01 EUR"),
    ]


def test_coinbases_older_header_is_read_below_its_preamble() -> None:
    (sold,) = entries("coinbase_retail", samples.COINBASE_OLDER)

    assert (sold.amount, sold.fee, sold.quantity) == (Money(25000, "USD"), Money(100, "USD"), Quantity(Decimal("-0.5")))


def test_alpaca_numbers_are_exact_and_options_have_their_multiplier() -> None:
    bought, short, dividend, withdrawn, expired = entries("alpaca", samples.ALPACA)

    assert (bought.amount, short.amount) == (Money(-1005, "USD"), Money(250, "USD"))
    assert (dividend.kind, withdrawn.kind, expired.kind) == (EntryKind.DIVIDEND, EntryKind.WITHDRAWAL, EntryKind.EXPIRY)


def test_the_plain_csv_works_out_amounts_and_keeps_a_basis_that_is_told() -> None:
    bought, _, _, transferred = entries("generic", samples.GENERIC)

    assert bought.amount == Money(-1000, "USD")
    assert (transferred.basis, str(transferred.acquired_on)) == (Money(450, "USD"), "2020-01-02")


def test_closings_of_what_was_held_before_the_file_wait_for_its_basis() -> None:
    """Without opening inventory in front, 100 bought in the file would be used up, and the basis be wrong without an error."""
    rows = samples.FLEX_CSV.splitlines(keepends=True)
    earlier = (
        rows[2].replace('"2","102","20250130;125517"', '"9","109","20250102;100000"').replace('"-6081.5","917.48"', '"-5000","1998.98"')
    )
    text = "".join([*rows[:2], earlier, *rows[2:]])

    (result,) = check_files([File("flex.csv", text.encode())])

    assert result.closings is not None
    assert (result.closings.checked, result.closings.equal, result.closings.pending) == (1, 1, 1)


RECORDS = """"BOF","U0000001","trades","1","20250101","20250131","20250201;041910","100","100"
"BOA","U0000001"
"BOS","TRNT","Trades; trade date basis"
{trades}"EOS","TRNT","2"
"EOA","U0000001"
"EOF"
"""


def test_flex_record_marks_give_the_period_and_are_no_rows() -> None:
    trades = "".join(samples.FLEX_CSV.splitlines(keepends=True)[:3])
    marked = "".join(
        f'"{"HEADER" if number == 0 else "DATA"}","TRNT",{line}' for number, line in enumerate(trades.splitlines(keepends=True))
    )
    importer = load(importers, "ibkr_flex_csv").IMPORTER()

    statements = [importer.read(text.encode()) for text in (RECORDS.format(trades=trades), RECORDS.format(trades=marked), marked)]

    assert [one.rows for one in statements] == [2, 2, 2]
    assert [(str(one.first), str(one.last)) for one in statements[:2]] == [("2025-01-01", "2025-01-31")] * 2
    assert importer_for(File("x", marked.encode())).name == "ibkr_flex_csv"


def test_a_flex_query_without_a_needed_column_says_which() -> None:
    text = samples.FLEX_CSV.replace('"CurrencyPrimary"', '"Model"', 1)

    (result,) = check_files([File("x", text.encode())])

    assert result.why == "line 1: the section trades has no column currencyprimary; add it to the query and export again"
