"""Imported entries as rows of a table, and back to the very same values."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, optional, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed

_FIELDS = """broker_key text, account text, line integer, section text, kind text, session date, at timestamptz, symbol text, asset text,
quantity numeric, price numeric, multiplier numeric, amount numeric, currency text, fee numeric, fee_currency text, basis numeric, realised numeric,
basis_currency text, acquired_on date, cancels text, text text, printed jsonb, same_as text"""
_NAMES = ", ".join(field.split()[0] for field in _FIELDS.split(","))
_TYPES = [field.split()[1] for field in _FIELDS.split(",")]


async def entries_of(
    connection: Connection, user_id: UserId, number: str, broker: str | None = None, but: UUID | None = None
) -> list[Entry]:
    """Everything that was imported under a broker's number, of one broker or of all, by day and line; what two kinds of files tell once.

    but: an import whose entries are left out.
    """
    rows = await connection.fetch(
        """select * from statement_entry where user_id = $1 and account = $2 and ($3::text is null or broker = $3) and same_as is null
           and ($4::uuid is null or import_id <> $4) order by session, import_id, line, broker_key""",
        user_id, number, broker, but,
    )  # fmt: skip
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


async def add_entries(
    connection: Connection, user_id: UserId, import_id: UUID, broker: str, entries: Sequence[Entry], same: Mapping[str, str]
) -> list[Entry]:
    """Store the entries whose keys are new; those of them that are booked. same: keys of rows that another kind of file tells of, with its own."""
    columns = list(zip(*(_values(entry, same.get(entry.broker_key)) for entry in entries), strict=True)) or [()] * len(_TYPES)
    said = ", ".join(f"${4 + place}::{kind}[]" for place, kind in enumerate(_TYPES))
    rows = await connection.fetch(
        f"""insert into statement_entry (user_id, import_id, broker, {_NAMES}) select $1, $2, $3, {_NAMES} from unnest({said}) as said ({_NAMES})
            on conflict do nothing returning account, broker_key, same_as""",
        user_id, import_id, broker, *columns,
    )  # fmt: skip
    booked = {(row["account"], row["broker_key"]) for row in rows if row["same_as"] is None}
    return [entry for entry in entries if (entry.account, entry.broker_key) in booked]


def _values(entry: Entry, same_as: str | None) -> tuple[object, ...]:
    """An entry's columns, in the order of their names."""
    basis, amount, fee = entry.basis or entry.realised, entry.amount, entry.fee
    return (
        entry.broker_key, entry.account, entry.place.line, entry.place.section, entry.kind.value, entry.session, entry.at, entry.symbol,
        entry.asset, _number(entry.quantity), _number(entry.price), _number(entry.multiplier), _amount(amount), _currency(amount),
        _amount(fee), _currency(fee), _amount(entry.basis), _amount(entry.realised), _currency(basis), entry.acquired_on, entry.cancels,
        entry.text, None if entry.printed is None else json.dumps(_printed(entry.printed)), same_as,
    )  # fmt: skip


def _number(value: Quantity | Price | None) -> Decimal | None:
    return None if value is None else value.value


def _amount(value: Money | None) -> Decimal | None:
    return None if value is None else value.amount


def _currency(value: Money | None) -> str | None:
    return None if value is None else value.currency


def _text(value: Price | None) -> str | None:
    return None if value is None else str(value)


def _printed(printed: Printed) -> dict[str, object]:
    return {
        "close_price": _text(printed.close_price),
        "marked": plain(printed.marked.amount) if printed.marked is not None else None,
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
