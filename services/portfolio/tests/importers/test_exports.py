"""Shapes that exports have elsewhere: queries with section marks, net amounts alone, contracts of other exchanges, files that begin with the end."""

from datetime import date
from decimal import Decimal

import pytest

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Statement
from quantmatrix.portfolio.domain.statements_replay import replayed
from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importing import File, check_files, importer_for

TRANSACTIONS = """Statement,Header,Field Name,Field Value
Statement,Data,Title,Transaction History
Statement,Data,Period,"August 14, 2026 - September 14, 2026"
Summary,Header,Field Name,Field Value
Summary,Data,Base Currency,AUD
Transaction History,Header,Date,Account,Description,Transaction Type,Symbol,Quantity,Price,Price Currency,Gross Amount ,Commission,Net Amount
"""
QUERY = """"BOF","U0000001","Activity","1","20260101","20260331","20260401;060712","100","100"
"BOA","U0000001",20260101,20260331
"BOS","NAV","Net Asset Value in Base"
"ClientAccountID","CurrencyPrimary","Total","ReportDate"
"U0000001","EUR","12345.67","20260331"
"EOS","NAV","1","0"
"BOS","CPOV","Change in Position Values"
"AssetClass","PriorPeriodValue","Transactions","MTMPriorPeriodPositions"
"TOTAL","1","2","3"
"EOS","CPOV","1","0"
"BOS","TRNT","Trades"
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","TradeID","DateTime","Quantity","TradePrice","Proceeds","Taxes","IBCommission","IBCommissionCurrency","Buy/Sell","Notes/Codes","Multiplier","LevelOfDetail"
"U0000001","EUR","OPT","P ABCE  20260320 69 M","ABC 20MAR26 69 P","11","20260224;100000","-1","1.75","175","0","-1.1","EUR","SELL","","100","EXECUTION"
"U0000001","EUR","OPT","P ABCE  20260320 69 M","ABC 20MAR26 69 P","12","20260320;162000","1","0","0","0","0","EUR","BUY","A","100","EXECUTION"
"U0000001","EUR","STK","ABC","EXAMPLE AG","13","20260320;162000","100","69","-6900","-20.7","0","EUR","BUY","A","1","EXECUTION"
"U0000001","EUR","STK","ABC","EXAMPLE AG","14","20260325;100000","-100","70","7000","0","-3.5","EUR","SELL","","1","EXECUTION"
"EOS","TRNT","4","0"
"BOS","TTAX","Transaction Fees"
"ClientAccountID","CurrencyPrimary","Symbol","Date","TaxDescription","TaxAmount","TradeID","Source","LevelOfDetail"
"U0000001","EUR","ABC","20260320","Stamp duty","-20.7","13","TRADE","DETAIL"
"U0000001","EUR","ABC","20260320","Stamp duty","-20.7","","","SUMMARY"
"U0000001","EUR","ABC","20260325","Tax of the day","-0.35","14","STANDALONE","DETAIL"
"EOS","TTAX","3","0"
"EOA","U0000001"
"EOF","U0000001"
"""


def check(text: str) -> ImportTold:
    found = told(check_files([File("file.csv", text.encode())])[0])
    assert found["booked"] + found["ignored"] + found["not_understood"] == found["rows"]
    return found


def read(text: str) -> Statement:
    file = File("file.csv", text.encode())
    return importer_for(file).read(file.body)


def gains(statement: Statement) -> list[Decimal]:
    return [closing.realised.amount for closing in replayed(statement).closings if closing.realised is not None]


def one(entries: tuple[Entry, ...], kind: EntryKind) -> Entry:
    (found,) = [entry for entry in entries if entry.kind is kind]
    return found


def test_a_section_is_begun_by_its_mark_whatever_its_columns_are() -> None:
    found = check(QUERY)

    assert (found["status"], found["not_understood"], found["entries"]) == ("reconciled", 1, {"trade": 4, "fee": 1})
    assert found["rows_not_understood"][0]["why"] == "a section that is not known"


def test_a_tax_in_the_costs_of_its_trade_is_not_paid_twice_and_one_beside_them_is_paid() -> None:
    found = check(QUERY)

    assert found["ignored_by_rule"]["a tax that is part of the costs of its trade"] == 1
    assert found["ignored_by_rule"]["a summary over transaction taxes"] == 1
    assert one(read(QUERY).entries, EntryKind.FEE).amount == Money(Decimal("-0.35"), "EUR")


def test_a_contract_under_the_symbol_of_its_exchange_leaves_its_premium_to_the_stock() -> None:
    """Put 69 sold for 175 - 1.10; 100 bought for 6,900 + 20.70 of duty and sold for 7,000 - 3.50: 6,996.50 - (6,920.70 - 173.90) = 249.70."""
    statement = read(QUERY)

    assert {entry.symbol for entry in statement.entries if entry.asset == "OPT"} == {"ABC 20MAR26 69 P"}
    assert gains(statement) == [Decimal(0), Decimal("249.70")]


def test_a_row_that_prints_its_net_amount_alone_is_read() -> None:
    text = TRANSACTIONS + (
        "Transaction History,Data,2026-09-13,U***00001,ABC(US0000000001) Cash Dividend SGD 0.103 per Share,Dividend,ABC,-,-,-,-,-,92.7\n"
        "Transaction History,Data,2026-09-12,U***00001,Monthly fee,Other Fee,-,-,-,-,-,-,-11.5\n"
        "Transaction History,Data,2026-09-11,U***00001,Charged,Other Fee,-,-,-,-,-,-1.5,-11.5\n"
    )

    found = check(text)

    assert (found["status"], found["booked"]) == ("reconciled", 3)
    assert [entry.amount.amount for entry in read(text).entries if entry.amount] == [Decimal("92.7"), Decimal("-11.5"), Decimal(-10)]
    assert check(text.replace(",-11.5\n", ",-\n", 1))["status"] == "rejected"


def test_an_assignment_of_the_transaction_history_leaves_its_premium_to_the_stock() -> None:
    """Put 20 sold for 140 - 1.40 and assigned: 100 cost 2,800 - 138.60; sold for 3,000 - 1: gain 337.60."""
    text = TRANSACTIONS + (
        "Transaction History,Data,2026-09-10,U***00001,EXAMPLE,Sell,AAA,-100.0,22.0,USD,3000.0,-1.0,2999.0\n"
        "Transaction History,Data,2026-09-09,U***00001,Buy 100 EXAMPLE (Assignment),Assignment,AAA,100.0,20.0,USD,-2800.0,-,-2800.0\n"
        "Transaction History,Data,2026-09-09,U***00001,AAA 09SEP26 20 P,Assignment,AAA   260909P00020000,1.0,-,USD,-,-,0\n"
        "Transaction History,Data,2026-09-01,U***00001,AAA 09SEP26 20 P,Sell,AAA   260909P00020000,-1.0,1,USD,140,-1.4,138.6\n"
    )

    assert check(text)["status"] == "reconciled"
    assert gains(read(text)) == [Decimal(0), Decimal("337.6")]


ETRADE = """For Account:,####0001

TransactionDate,TransactionType,SecurityType,Symbol,Quantity,Amount,Price,Commission,Description

03/31/23,Sold,EQ,FAS,-4,227.61,56.905,0,EXAMPLE
03/31/23,Bought,EQ,FAS,4,-227.64,56.91,0,EXAMPLE
03/30/23,Sold,EQ,SQQQ,-5,148.83,29.767,0,EXAMPLE
03/29/23,Bought,EQ,SQQQ,5,-150.53,30.105,0,EXAMPLE
"""


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_bought_and_sold_on_one_day_is_booked_in_the_order_of_the_day(turned: bool) -> None:
    """E*TRADE prints the latest first. A file that somebody sorted oldest first is taken as it is."""
    lines = ETRADE.splitlines(keepends=True)
    text = "".join([*lines[:4], *reversed(lines[4:])]) if turned else ETRADE

    replay = replayed(read(text))

    assert [(closing.closed_on, closing.quantity.value > 0, closing.realised.amount) for closing in replay.closings if closing.realised] == [
        (date(2023, 3, 30), True, Decimal("-1.70")), (date(2023, 3, 31), True, Decimal("-0.03")),
    ]  # fmt: skip
    assert not any(replay.held(key) for key in replay.lots)


def test_corporate_actions_of_one_day_stay_together_when_a_file_is_turned_around() -> None:
    text = TRANSACTIONS + (
        "Transaction History,Data,2026-09-09,U***00001,ABC(US1) Split 1 for 10 (ABC.OLD),Corporate Action,ABC,-100.0,-,-,-,-,0\n"
        "Transaction History,Data,2026-09-09,U***00001,ABC(US1) Split 1 for 10 (ABC),Corporate Action,ABC,10.0,-,-,-,-,0\n"
        "Transaction History,Data,2026-09-01,U***00001,EXAMPLE,Buy,ABC,100.0,2.0,USD,-280.0,-1.0,-281.0\n"
    )

    replay = replayed(read(text))

    assert [(lot.quantity.value, lot.basis.amount) for lots in replay.lots.values() for lot in lots if lot.basis] == [
        (Decimal(10), Decimal(281))
    ]


COINBASE = """
Transactions
User,Nobody,00000000-0000-0000-0000-000000000000
ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes
a1,2025-01-17 16:57:02 UTC,Exchange Withdrawal,USD,250,USD,$1.00,$250.00,$250.00,$0.00,
a2,2025-01-16 16:57:02 UTC,Exchange Deposit,USD,{sign}100,USD,$1.00,$100.00,$100.00,$0.00,
a3,2025-01-15 16:57:02 UTC,Withdrawal,USD,{sign}40,USD,$1.00,$40.00,$40.00,$0.00,
a4,2025-01-14 16:57:02 UTC,Pro Withdrawal,BTC,0.5,USD,$1.00,$40.00,$40.00,$0.00,
a5,2025-01-13 16:57:02 UTC,Send,BTC,{sign}0.25,USD,,,,,
"""


@pytest.mark.parametrize("sign", ["", "-"])
def test_money_taken_out_of_the_exchange_arrives(sign: str) -> None:
    """With signs as without: what is withdrawn from the exchange comes here, and what is deposited there leaves."""
    entries = read(COINBASE.format(sign=sign)).entries

    assert [entry.amount.amount for entry in entries if entry.amount is not None] == [Decimal(250), Decimal(-100), Decimal(-40)]
    assert [entry.quantity.value for entry in entries if entry.quantity is not None] == [Decimal("0.5"), Decimal("-0.25")]


def test_the_sign_decides_where_the_name_does_not() -> None:
    """`Withdrawal` is the type of coins that leave and, in a file with signs, of coins that come."""
    text = COINBASE.format(sign="-") + "a6,2025-01-12 16:57:02 UTC,Withdrawal,BTC,0.75,USD,,,,,\n"

    assert [entry.quantity.value for entry in read(text).entries if entry.quantity is not None][-1] == Decimal("0.75")


NEWER = COINBASE.split("a1,", 1)[0] + (
    "b1,2025-01-02 10:00:00 UTC,Buy,MATIC,100,USD,$0.50,$50.00,$51.00,$1.00,\n"
    "b2,2025-01-03 10:00:00 UTC,Asset Migration,MATIC,-100,USD,$0.50,-$50.00,-$50.00,$0.00,\n"
    "b3,2025-01-03 10:00:00 UTC,Asset Migration,POL,100,USD,$0.50,$50.00,$50.00,$0.00,\n"
    "b4,2025-01-04 10:00:00 UTC,Retail Staking Transfer,POL,-40,USD,$0.50,-$20.00,-$20.00,$0.00,\n"
    "b5,2025-01-05 10:00:00 UTC,Convert,POL,-100,USD,$0.60,-$60.00,-$60.00,$0.00,Converted 100 POL to 0.02 ETH\n"
    "b6,2025-01-05 10:00:00 UTC,Convert,ETH,0.02,USD,$3000.00,$60.00,$60.00,$0.00,Converted 100 POL to 0.02 ETH\n"
)


def test_a_conversion_told_in_two_rows_is_booked_once_and_a_migrated_coin_keeps_its_basis() -> None:
    """51 for 100 MATIC, which became 100 POL, given for 60 of ETH: a gain of 9."""
    found, replay = check(NEWER), replayed(read(NEWER))

    held = {key[1]: replay.held(key).value for key in replay.lots if replay.held(key)}
    assert (found["not_understood"], found["ignored_by_rule"]["a move within Coinbase"]) == (0, 1)
    assert held == {"ETH": Decimal("0.02")}
    assert [closing.realised.amount for closing in replay.closings if closing.realised] == [Decimal(9)]


BOUGHT = 'accountId="U0000001" currency="EUR" assetCategory="STK" symbol="F1F" tradePrice="5.4" multiplier="1" dateTime="20241202;062611"'
CANCELLED = f"""<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1">
<FlexStatement accountId="U0000001" {{days}} whenGenerated="20250102;072914"><Trades>
<Trade {BOUGHT} tradeID="46" transactionType="ExchTrade" quantity="450" proceeds="-2430" ibCommission="-2.4" ibCommissionCurrency="EUR" buySell="BUY" transactionID="152" ibExecID="0000d349.01.01" notes="" />
<Trade {BOUGHT} tradeID="" transactionType="TradeCancel" quantity="-450" proceeds="2430" ibCommission="0" ibCommissionCurrency="EUR" buySell="BUY (Ca.)" origTradeID="46" origTransactionID="0" transactionID="153" ibExecID="" notes="Ca" />
</Trades></FlexStatement></FlexStatements></FlexQueryResponse>"""  # noqa: E501 - elements as the broker writes them


@pytest.mark.parametrize(("days", "first"), [('fromDate="20241201" toDate="20241230"', date(2024, 12, 1)), ("", date(2024, 12, 2))])
def test_a_trade_that_was_cancelled_by_its_number_is_none(days: str, first: date) -> None:
    """What stays of it is its commission. A query without days has those of its rows."""
    statement = read(CANCELLED.format(days=days))

    replay = replayed(statement)

    assert (statement.first, check(CANCELLED.format(days=days))["status"]) == (first, "reconciled")
    assert (replay.closings, [key for key in replay.lots if replay.held(key)]) == ([], [])
