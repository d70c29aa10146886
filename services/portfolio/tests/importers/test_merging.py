"""Two kinds of files of one account for the same days: merged row by row, whichever comes first, and refused where they contradict each other."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import END, FEBRUARY, JANUARY

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.portfolio.import_report import ImportTold
from quantmatrix.portfolio.importing import File, check_files
from quantmatrix.portfolio.statement_store import StatementStore

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)
TRADE = """<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="{symbol}" multiplier="1" transactionID="{id}" ibExecID="0001.{id}"
 dateTime="{at}" buySell="{side}" quantity="{quantity}" tradePrice="{price}" proceeds="{proceeds}" ibCommission="{fee}"
 ibCommissionCurrency="USD" levelOfDetail="EXECUTION" />\n"""
CASH = """<CashTransaction accountId="U0000001" currency="USD" symbol="{symbol}" description="{text}" settleDate="{on}" amount="{amount}"
 type="{kind}" transactionID="{id}" levelOfDetail="DETAIL" />\n"""


def trade(number: int, at: str, symbol: str, quantity: int, price: str, proceeds: str, fee: str) -> str:
    side = "BUY" if quantity > 0 else "SELL"
    return TRADE.format(symbol=symbol, id=number, at=at, side=side, quantity=quantity, price=price, proceeds=proceeds, fee=fee)


def cash(number: int, on: str, kind: str, amount: str, symbol: str = "", text: str = "") -> str:
    return CASH.format(symbol=symbol, id=number, on=on, kind=kind, amount=amount, text=text)


# The same two months as the Activity Statements tell: the purchase in two executions, the deposit a day later, the tax on its day.
BOUGHT = trade(1, "20240110;100000", "ABC", 60, "20", "-1200", "-0.6") + trade(2, "20240110;100003", "ABC", 40, "20", "-800", "-0.4")
SOLD = trade(3, "20240212;100000", "ABC", -40, "25", "1000", "-1")
OTHER = trade(4, "20240213;100000", "XYZ", 50, "10", "-500", "-1")
PAID = (
    cash(5, "20240103", "Deposits/Withdrawals", "10000")
    + cash(6, "20240125", "Dividends", "30", "ABC", "ABC CASH DIVIDEND")
    + cash(7, "20240125", "Withholding Tax", "-4.5", "ABC", "ABC CASH DIVIDEND - US TAX")
)


def flex(*rows: str) -> str:
    trades = "".join(row for part in rows for row in part.splitlines(keepends=True))
    return f"""<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1">
<FlexStatement accountId="U0000001" fromDate="20240101" toDate="20240229" period="x" whenGenerated="20240301;101010">
<AccountInformation accountId="U0000001" currency="USD" />
<Trades>
{trades}</Trades>
</FlexStatement></FlexStatements></FlexQueryResponse>
"""


WHOLE = flex(BOUGHT, SOLD, OTHER, PAID)


@pytest.fixture
async def connection(database: Any) -> Any:
    return await database.connect("portfolio")


async def keep(connection: Any, *texts: str) -> list[ImportTold]:
    found = []
    for text in texts:
        (checked,) = check_files([File("file", text.encode())])
        found.append((await StatementStore(connection).keep(checked, FIRST_ADMINISTRATOR, AT)).report)
    return found


async def ledger(connection: Any) -> dict[str, Any]:
    """What the account comes to, whatever executions its lots were bought in."""
    held = await connection.fetch("select symbol, quantity, basis, realised from position order by symbol")
    moved = await connection.fetch("select kind, sum(amount) as amount from cash_entry group by kind order by kind")
    return {"held": [tuple(row) for row in held], "moved": [tuple(row) for row in moved]}


WANTED = {
    "held": [("ABC", Decimal(60), Decimal("1200.6"), Decimal("198.6")), ("XYZ", Decimal(50), Decimal(501), Decimal(0))],
    "moved": [
        ("commission", Decimal(-3)), ("deposit", Decimal(10000)), ("dividend", Decimal(30)), ("trade", Decimal(-1500)),
        ("withholding_tax", Decimal("-4.5")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("order", [(JANUARY, FEBRUARY, WHOLE), (WHOLE, JANUARY, FEBRUARY), (FEBRUARY, WHOLE, JANUARY)])
async def test_what_both_kinds_tell_is_booked_once_in_any_order(connection: Any, order: tuple[str, ...]) -> None:
    told = await keep(connection, *order)

    assert [one["state"] for one in told] == ["completed"] * 3, [one["why"] for one in told]
    assert await ledger(connection) == WANTED
    assert sum(one["ignored_by_rule"].get("booked before from another kind of file", 0) for one in told) in (6, 7)
    assert all(one["booked"] + one["ignored"] + one["not_understood"] == one["rows"] for one in told)


async def test_what_only_the_second_kind_tells_is_added(connection: Any) -> None:
    interest = cash(8, "20240205", "Broker Interest Received", "2.5")

    *_, last = await keep(connection, JANUARY, FEBRUARY, flex(BOUGHT, SOLD, OTHER, PAID, interest))

    assert (last["booked"], last["duplicates"]) == (1, 7)
    assert await connection.fetchval("select sum(amount) from cash_entry where kind = 'interest'") == Decimal("2.5")


async def test_equal_rows_of_one_day_are_each_matched_once(connection: Any) -> None:
    """Two fees of one amount on a day in the one kind, three in the other: three are booked."""
    fees = "Fees,Header,Subtitle,Currency,Date,Description,Amount\n" + 2 * "Fees,Data,Other Fees,USD,2024-01-05,OPRA,-1.5\n"
    three = "".join(cash(10 + number, "20240105", "Other Fees", "-1.5", text="OPRA") for number in range(3))

    *_, last = await keep(connection, JANUARY + fees + END, flex(BOUGHT, SOLD, OTHER, PAID, three))

    assert last["ignored_by_rule"]["booked before from another kind of file"] == 7
    assert await connection.fetchval("select sum(amount) from cash_entry where kind = 'fee'") == Decimal("-4.5")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            WHOLE.replace('tradePrice="25" proceeds="1000"', 'tradePrice="25.5" proceeds="1020"'),
            "trade of -40 ABC for 1020 USD, fee 1 USD on 2024-02-12 here, trade of -40 ABC for 1000 USD, fee 1 USD on 2024-02-12 booked",
        ),
        (
            WHOLE.replace('symbol="XYZ"', 'symbol="XYZ.OLD"'),
            "trade of 50 XYZ.OLD for -500 USD, fee 1 USD on 2024-02-13 here, trade of 50 XYZ for -500 USD",
        ),
        (
            WHOLE.replace('amount="30"', 'amount="31"'),
            "dividend of ABC 31 USD on 2024-01-25 here, dividend of ABC 30 USD on 2024-01-25 booked",
        ),
        (
            WHOLE.replace('ibCommission="-0.6"', 'ibCommission="-0.9"'),
            "trade of 100 ABC for -2000 USD, fee 1.3 USD on 2024-01-10 here, trade of 100 ABC for -2000 USD, fee 1 USD",
        ),
    ],
)
async def test_kinds_that_contradict_each_other_are_not_both_booked(connection: Any, text: str, why: str) -> None:
    *_, last = await keep(connection, JANUARY, FEBRUARY, text)

    assert (last["status"], last["state"]) == ("rejected", "failed")
    assert why in last["why"]
    assert await ledger(connection) == WANTED
    assert await connection.fetchval("select count(*) from statement_import") == 2


async def test_a_file_that_is_taken_back_leaves_what_the_other_kind_tells(connection: Any) -> None:
    await keep(connection, JANUARY, FEBRUARY, WHOLE)

    await StatementStore(connection).forget(FIRST_ADMINISTRATOR, [sha256(text.encode()).hexdigest() for text in (JANUARY, FEBRUARY)])

    assert await ledger(connection) == WANTED
    assert await connection.fetchval("select count(*) from statement_entry where same_as is not null") == 0


async def test_kinds_that_print_other_things_are_still_refused(connection: Any) -> None:
    history = (
        "Statement,Header,Field Name,Field Value\nStatement,Data,Title,Transaction History\n"
        'Statement,Data,Period,"January 1, 2024 - January 31, 2024"\nSummary,Header,Field Name,Field Value\nSummary,Data,Base Currency,USD\n'
        "Transaction History,Header,Date,Account,Description,Transaction Type,Symbol,Quantity,Price,Gross Amount ,Commission,Net Amount\n"
        "Transaction History,Data,2024-01-02,U0000001,Electronic Fund Transfer,Deposit,-,-,-,10000.0,-,10000.0\n"
    )

    *_, last = await keep(connection, JANUARY, history)

    assert last["why"].startswith("days of this account are booked from another kind of file already (ibkr_activity")
