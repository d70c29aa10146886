"""Imported entries as rows of a table, and back to the very same values."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, optional, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed

FIELDS = """broker_key text, account text, line integer, section text, kind text, session date, at timestamptz, symbol text, asset text,
quantity numeric, price numeric, multiplier numeric, amount numeric, currency text, fee numeric, fee_currency text, basis numeric, realised numeric,
basis_currency text, acquired_on date, cancels text, text text, printed jsonb, same_as text"""
NAMES = ", ".join(field.split()[0] for field in FIELDS.split(","))


async def entries_of(connection: Connection, user_id: UserId, number: str, broker: str | None = None) -> list[Entry]:
    """Everything that was imported under a broker's number, of one broker or of all, by day and line; what two kinds of files tell once."""
    rows = await connection.fetch(
        """select * from statement_entry where user_id = $1 and account = $2 and ($3::text is null or broker = $3) and same_as is null
           order by session, import_id, line, broker_key""",
        user_id,
        number,
        broker,
    )
    return [_entry(row) for row in rows]


async def untold_entries_of(connection: Connection, user_id: UserId, broker: str, number: str, kinds: Sequence[str]) -> list[Entry]:
    """What files of these kinds brought and no other kind of file tells of as well."""
    rows = await connection.fetch(
        """select e.* from statement_entry e join statement_import i using (import_id)
           where e.user_id = $1 and e.broker = $2 and e.account = $3 and i.kind = any($4::text[]) and e.same_as is null
           and not exists (select from statement_entry o where o.user_id = $1 and o.broker = $2 and o.account = $3 and o.same_as = e.broker_key)
           order by e.session, e.line, e.broker_key""",
        user_id, broker, number, list(kinds),
    )  # fmt: skip
    return [_entry(row) for row in rows]


def entry_row(entry: Entry, same_as: str | None) -> dict[str, object]:
    """An entry as JSON, numbers as text. same_as: the key of the row of another kind of file that tells the same."""
    basis = entry.basis or entry.realised
    printed = entry.printed
    return {
        "broker_key": entry.broker_key,
        "account": entry.account,
        "line": entry.place.line,
        "section": entry.place.section,
        "kind": entry.kind.value,
        "session": entry.session.isoformat(),
        "at": entry.at.isoformat() if entry.at else None,
        "symbol": entry.symbol,
        "asset": entry.asset,
        "quantity": _text(entry.quantity),
        "price": _text(entry.price),
        "multiplier": _text(entry.multiplier),
        "amount": _amount(entry.amount),
        "currency": entry.amount.currency if entry.amount is not None else None,
        "fee": _amount(entry.fee),
        "fee_currency": entry.fee.currency if entry.fee is not None else None,
        "basis": _amount(entry.basis),
        "realised": _amount(entry.realised),
        "basis_currency": basis.currency if basis is not None else None,
        "acquired_on": entry.acquired_on.isoformat() if entry.acquired_on else None,
        "cancels": entry.cancels,
        "text": entry.text,
        "printed": None if printed is None else _printed(printed),
        "same_as": same_as,
    }


def _text(value: Quantity | Price | None) -> str | None:
    return None if value is None else str(value)


def _amount(value: Money | None) -> str | None:
    return None if value is None else plain(value.amount)


def _printed(printed: Printed) -> dict[str, object]:
    return {
        "close_price": _text(printed.close_price),
        "marked": _amount(printed.marked),
        "marked_currency": printed.marked.currency if printed.marked is not None else None,
        "codes": list(printed.codes),
        "price_step": _text(printed.price_step),
    }


def _entry(row: asyncpg.Record) -> Entry:
    printed = json.loads(row["printed"]) if row["printed"] else None
    return Entry(
        EntryKind(row["kind"]), row["broker_key"], Place(row["line"], row["section"]), row["account"], row["session"], row["at"],
        _money(row["amount"], row["currency"]), _money(row["fee"], row["fee_currency"]), row["symbol"],
        None if row["quantity"] is None else Quantity(row["quantity"]), None if row["price"] is None else Price(row["price"]),
        _money(row["basis"], row["basis_currency"]), _money(row["realised"], row["basis_currency"]), row["acquired_on"], row["cancels"],
        row["text"], row["asset"], None if row["multiplier"] is None else Quantity(row["multiplier"]),
        None if printed is None else _read_printed(printed),
    )  # fmt: skip


def _money(amount: Any, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount, currency)


def _read_printed(told: dict[str, Any]) -> Printed:
    marked = None if told["marked"] is None else Money.parse(told["marked"], told["marked_currency"])
    return Printed(optional(Price.parse, told["close_price"]), marked, tuple(told["codes"]), optional(Price.parse, told["price_step"]))
