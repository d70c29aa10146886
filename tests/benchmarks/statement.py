"""A statement as large as the largest real one, read, checked, booked and stored, beside a bare reader and a bare copy of its rows."""

import csv
import io
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.database import Own, connect
from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor
from quantmatrix.portfolio.importing import File
from quantmatrix.portfolio.statement_imports import Wish, import_files
from quantmatrix.portfolio.statement_store import StatementStore

ROWS = 2_018
RUNS = 3
Made = TypeVar("Made")
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
_FIRST = date(2025, 1, 2)
_CLOSES_FROM = 3
_CASH = 160
_SYMBOLS = 90
_WHO = ["ClientAccountID", "AccountAlias", "Model", "CurrencyPrimary", "FXRateToBase", "AssetClass", "SubCategory", "Symbol", "Description"]
_SECURITY = ["Conid", "SecurityID", "SecurityIDType", "CUSIP", "ISIN", "FIGI", "ListingExchange", "UnderlyingConid", "UnderlyingSymbol",
             "Issuer", "Multiplier", "Strike", "Expiry", "Put/Call", "PrincipalAdjustFactor"]  # fmt: skip
_TRADE = ["TradeID", "RelatedTradeID", "DateTime", "TradeDate", "SettleDateTarget", "TransactionType", "Exchange", "Quantity", "TradePrice",
          "TradeMoney", "Proceeds", "Taxes", "IBCommission", "IBCommissionCurrency", "NetCash", "ClosePrice", "Open/CloseIndicator",
          "Notes/Codes", "CostBasis", "FifoPnlRealized", "MtmPnl", "Buy/Sell", "ClearingFirmID", "TransactionID", "IBExecID",
          "IBOrderID", "OrderTime", "OpenDateTime", "LevelOfDetail", "OrderType", "TraderID", "IsAPIOrder", "AccruedInterest"]  # fmt: skip
_MOVED = ["Date/Time", "SettleDate", "Amount", "Type", "TradeID", "Code", "TransactionID", "ReportDate", "ActionID", "LevelOfDetail"]
COLUMNS = len(_WHO) + len(_SECURITY) + len(_TRADE)


@dataclass(frozen=True)
class Imported:
    """Seconds by the clock and of this process's processor for one file, and those of the floor beside it."""

    rows: int
    size: int
    booked: int
    seconds: float
    worked_s: float
    floor_s: float


def flex_csv() -> str:
    """A Flex query of one account: executions that open and close, the lots they close, and cash; the same every time."""
    out = io.StringIO()
    table = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    trades = _trades()
    names = [*_WHO, *_SECURITY, *_TRADE]
    table.writerow(names)
    table.writerows([one.get(name, "") for name in names] for one in trades)
    names = [*_WHO, *_SECURITY, *_MOVED]
    table.writerow(names)
    table.writerows([_cash(number).get(name, "") for name in names] for number in range(ROWS - len(trades)))
    return out.getvalue()


def _trades() -> list[dict[str, str]]:
    held: list[list[tuple[int, Decimal]]] = [[] for _ in range(_SYMBOLS)]
    found: list[dict[str, str]] = []
    number = 0
    while len(found) < ROWS - _CASH:
        security, turn = number * 7 % _SYMBOLS, number // _SYMBOLS
        price = Decimal(20 + security) + Decimal(number * 13 % 997) / 100
        at = datetime(2025, 1, 2, 10, tzinfo=UTC) + timedelta(minutes=number * 260)
        if turn % _CLOSES_FROM == _CLOSES_FROM - 1 and held[security]:
            units, cost = held[security].pop(0)
            found.append(_trade(number, security, at, -units, price, -cost))
            found.append(_closed(found[-1], at, units, cost))
        else:
            units = 10 + number % 90
            held[security].append((units, units * price + 1))
            found.append(_trade(number, security, at, units, price, units * price + 1))
        number += 1
    return found[: ROWS - _CASH]


def _security(number: int) -> dict[str, str]:
    symbol = f"SY{number:02}"
    return {
        "ClientAccountID": "U0000001", "CurrencyPrimary": "USD", "FXRateToBase": "1", "AssetClass": "STK", "SubCategory": "COMMON",
        "Symbol": symbol, "Description": f"EXAMPLE COMPANY {number:02} INC", "Conid": str(10_000 + number), "SecurityID": f"US00000000{number:02}",
        "SecurityIDType": "ISIN", "ISIN": f"US00000000{number:02}", "ListingExchange": "NASDAQ", "Multiplier": "1",
    }  # fmt: skip


def _trade(number: int, security: int, at: datetime, units: int, price: Decimal, basis: Decimal) -> dict[str, str]:
    proceeds = -units * price
    return _security(security) | {
        "TradeID": str(700_000 + number), "DateTime": f"{at:%Y%m%d;%H%M%S}", "TradeDate": f"{at:%Y%m%d}", "SettleDateTarget": f"{at:%Y%m%d}",
        "TransactionType": "ExchTrade", "Exchange": "ISLAND", "Quantity": str(units), "TradePrice": str(price),
        "TradeMoney": str(-proceeds), "Proceeds": str(proceeds), "Taxes": "0", "IBCommission": "-1", "IBCommissionCurrency": "USD",
        "NetCash": str(proceeds - 1), "ClosePrice": str(price), "Open/CloseIndicator": "O" if units > 0 else "C", "Notes/Codes": "P",
        "CostBasis": str(basis), "FifoPnlRealized": str(proceeds - 1 + basis) if units < 0 else "0", "MtmPnl": "0",
        "Buy/Sell": "BUY" if units > 0 else "SELL", "TransactionID": str(28_000_000 + number), "IBExecID": f"0000e0d5.{number:08x}.01.01",
        "IBOrderID": str(500_000 + number // 2), "OrderTime": f"{at:%Y%m%d;%H%M%S}", "LevelOfDetail": "EXECUTION", "OrderType": "LMT",
        "IsAPIOrder": "N", "AccruedInterest": "0",
    }  # fmt: skip


def _closed(trade: dict[str, str], at: datetime, units: int, cost: Decimal) -> dict[str, str]:
    kept = {name: trade[name] for name in (*_security(0), "TradeDate", "Exchange", "TradePrice", "FifoPnlRealized", "Buy/Sell")}
    return kept | {
        "DateTime": f"{at:%Y%m%d;%H%M%S}", "Quantity": str(units), "CostBasis": str(cost), "OpenDateTime": f"{at:%Y%m%d;%H%M%S}",
        "LevelOfDetail": "CLOSED_LOT",
    }  # fmt: skip


def _cash(number: int) -> dict[str, str]:
    day = _FIRST + timedelta(days=number * 2)
    return _security(number % _SYMBOLS) | {
        "Date/Time": f"{day:%Y%m%d};202000", "SettleDate": f"{day:%Y%m%d}", "Amount": str(Decimal(500 + number * 37) / 100), "Type": "Dividends",
        "TransactionID": str(29_000_000 + number), "ReportDate": f"{day:%Y%m%d}", "LevelOfDetail": "DETAIL",
        "Description": f"SY{number % _SYMBOLS:02}(US00000000{number % _SYMBOLS:02}) CASH DIVIDEND USD 0.15 PER SHARE (Ordinary Dividend)",
    }  # fmt: skip


async def imported(folder: Path) -> Imported:
    """Import the file into an empty ledger and take it back, in turn with the floor; the best of three."""
    supervisor = Supervisor(Places(folder / "statement"), Plan(services=()))
    await supervisor.start()
    try:
        connection = await connect(supervisor.postgres.url("portfolio"), service="portfolio")
        try:
            return await _measured(connection, flex_csv().encode())
        finally:
            await connection.close()
    finally:
        await supervisor.stop()


async def _measured(connection: Own, body: bytes) -> Imported:
    floors, took, worked = [], [], []
    booked = 0
    for _ in range(RUNS):
        floors.append((await _timed(_copied(connection, body)))[0])
        seconds, cpu, (report,) = await _timed(import_files([File("flex.csv", body)], Wish(FIRST_ADMINISTRATOR), connection, AT))
        if report["status"] != "reconciled":
            raise ArithmeticError(f"the statement is {report['status']}: {report['why']}")
        took.append(seconds)
        worked.append(cpu)
        booked = report["booked"]
        await StatementStore(connection).forget(FIRST_ADMINISTRATOR, [report["sha256"]])
    return Imported(ROWS, len(body), booked, min(took), min(worked), min(floors))


async def _copied(connection: Own, body: bytes) -> None:
    """The floor: the rows as a bare reader has them, copied into a bare table, committed."""
    rows = [cells for cells in csv.reader(io.StringIO(body.decode())) if len(cells) == COLUMNS]
    names = [f"c{number}" for number in range(COLUMNS)]
    async with connection.transaction():
        await connection.execute(f"create temporary table floor ({', '.join(f'{name} text' for name in names)}) on commit drop")
        await connection.copy_records_to_table("floor", records=rows, columns=names)


async def _timed(work: Awaitable[Made]) -> tuple[float, float, Made]:
    """Seconds by the clock and of this process's processor, and what was made."""
    began, worked = time.perf_counter(), time.process_time()
    made = await work
    return time.perf_counter() - began, time.process_time() - worked, made
