"""Small databases of older systems, made for one test each; names and numbers are made up."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from quantmatrix.operations.legacy.layout import recognise
from quantmatrix.operations.legacy.migrating import reported
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.report import Report
from quantmatrix.operations.legacy.source import Snapshot, rows_of

TABLES: dict[str, dict[str, str]] = {
    "bots": {
        "id": "integer primary key", "name": "varchar unique", "pair": "varchar", "status": "varchar", "position_size_usd": "double precision",
        "signal_config": "text", "current_position_size": "double precision",
    },
    "trades": {
        "id": "integer primary key", "bot_id": "integer", "product_id": "varchar", "side": "varchar", "size": "double precision",
        "price": "double precision", "fee": "double precision", "commission": "double precision", "order_id": "varchar",
        "status": "varchar", "size_usd": "double precision", "size_in_quote": "boolean", "average_entry_price": "numeric(20,8)",
        "combined_signal_score": "double precision", "signal_scores": "text", "created_at": "timestamp", "filled_at": "timestamp",
    },
    "raw_trades": {
        "fill_id": "varchar", "order_id": "varchar", "product_id": "varchar", "side": "varchar", "size": "double precision",
        "size_in_quote": "boolean", "price": "double precision", "commission": "double precision", "created_at": "text", "synced_at": "timestamp",
    },
    "bot_signal_history": {"id": "integer primary key", "bot_id": "integer", "timestamp": "timestamp", "price": "double precision"},
    "accounts": {
        "id": "integer primary key", "account_name": "varchar", "account_number": "varchar", "broker": "varchar", "account_type": "varchar",
        "api_credentials": "text",
    },
    "holdings": {
        "id": "integer primary key", "account_id": "integer", "symbol": "varchar(50)", "quantity": "double precision",
        "average_cost": "double precision", "currency": "varchar", "contract_type": "varchar",
    },
    "transactions": {
        "id": "integer primary key", "account_id": "integer", "external_id": "varchar", "order_id": "varchar", "execution_id": "varchar",
        "symbol": "varchar(50)", "transaction_type": "varchar", "action": "varchar", "quantity": "double precision",
        "price": "double precision", "amount": "double precision", "commission": "double precision", "fees": "double precision",
        "net_amount": "double precision", "currency": "varchar", "contract_type": "varchar", "transaction_date": "timestamp",
        "source": "varchar",
    },
    "dividends": {
        "id": "integer primary key", "account_id": "integer", "external_id": "varchar", "symbol": "varchar", "ex_date": "date",
        "pay_date": "date", "total_dividend": "double precision", "tax_withheld": "double precision", "currency": "varchar",
        "dividend_type": "varchar",
    },
    "tax_lots": {"id": "integer primary key", "account_id": "integer", "symbol": "varchar", "quantity": "double precision"},
    "portfolio_snapshots": {
        "id": "integer primary key", "account_id": "integer", "snapshot_date": "timestamp", "realized_pnl": "double precision",
    },
}  # fmt: skip

Cells = Mapping[str, object]
Database = Mapping[str, Iterable[Cells]]


def order(number: int, **cells: object) -> dict[str, object]:
    """A filled order in `trades`: 1 BTC for 100 dollars, of bot 1, unless `cells` say otherwise."""
    made = {
        "id": number, "bot_id": 1, "product_id": "BTC-USD", "side": "buy", "size": 1.0, "price": 100.0, "fee": 0.0, "commission": 0.5,
        "order_id": f"order-{number}", "status": "filled", "size_in_quote": False, "created_at": f"2024-03-{number:02} 10:00:00",
        "filled_at": f"2024-03-{number:02} 10:00:05",
    }  # fmt: skip
    return made | cells


def fill(fill_id: str, order_number: int, **cells: object) -> dict[str, object]:
    """The exchange's own row of a fill of that order."""
    made = {
        "fill_id": fill_id, "order_id": f"order-{order_number}", "product_id": "BTC-USD", "side": "BUY", "size": 1.0, "size_in_quote": False,
        "price": 100.0, "commission": 0.5, "created_at": f"2024-03-{order_number:02}T10:00:05Z",
    }  # fmt: skip
    return made | cells


def execution(number: int, **cells: object) -> dict[str, object]:
    """A row of `transactions`: 10 ABC bought at 20 dollars in account 1, unless `cells` say otherwise."""
    made = {
        "id": number, "account_id": 1, "execution_id": f"execution-{number}", "symbol": "ABC", "transaction_type": "BUY", "action": "BOT",
        "quantity": 10.0, "price": 20.0, "commission": 1.0, "fees": 0.0, "currency": "USD", "contract_type": "STK",
        "transaction_date": f"2024-03-{number:02} 15:00:00", "source": "official_statement",
    }  # fmt: skip
    return made | cells


ACCOUNT: Cells = {"id": 1, "account_name": "a name", "account_number": "U0000001", "broker": "IBKR", "api_credentials": "a secret"}
BOT: Cells = {"id": 1, "name": "one", "pair": "BTC-USD", "signal_config": '{"RSI": {"weight": 0.4, "period": 14}}'}


def crypto(*orders: Cells, fills: Iterable[Cells] = (), bots: Iterable[Cells] = (BOT,)) -> dict[str, list[Cells]]:
    return {"bots": list(bots), "trades": list(orders), "raw_trades": list(fills), "bot_signal_history": [{"id": 1, "bot_id": 1}]}


def stocks(*executions: Cells, **tables: Iterable[Cells]) -> dict[str, list[Cells]]:
    return {"accounts": [ACCOUNT], "transactions": list(executions), **{name: list(rows) for name, rows in tables.items()}}


def columns_of(table: str) -> dict[str, str]:
    return TABLES.get(table, {"id": "integer primary key"})


def create(table: str) -> str:
    return f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns_of(table).items())})"


def write(path: Path, database: Database) -> Path:
    """The database as a SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        for table, rows in database.items():
            connection.execute(create(table))
            for row in rows:
                marks = ", ".join("?" for _ in row)
                connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values()))
        connection.commit()
    return path


def snapshot(database: Database) -> Snapshot:
    """The database as it is read, without a file."""
    held = {table: [dict.fromkeys(columns_of(table)) | dict(row) for row in rows] for table, rows in database.items()}
    known = recognise({table: frozenset(columns_of(table)) for table in held})
    return Snapshot(
        known,
        {table: rows_of(table, held[table]) for table in known.read},
        {table: len(rows) for table, rows in held.items()},
    )


def report(database: Database, choices: Choices | None = None) -> Report:
    return reported("a database", snapshot(database), choices or Choices())[0]


def files(database: Database, choices: Choices | None = None) -> dict[str, bytes]:
    return reported("a database", snapshot(database), choices or Choices())[1]


def instrument(told: Report, symbol: str, account: str | None = None) -> Any:
    (found,) = (one for one in told["instruments"] if one["symbol"] == symbol and account in (None, one["account"]))
    return found


def steps(told: Report, symbol: str, figure: str = "realised") -> dict[str, str]:
    """What each cause adds to a figure of an instrument, where it adds something."""
    return {step["cause"]: step[figure] for step in instrument(told, symbol)["differences"] if step[figure] != "0"}
