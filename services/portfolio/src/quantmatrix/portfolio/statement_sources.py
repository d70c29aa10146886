"""The rows of imported files behind what the ledger booked of them."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId, Side, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.reports.derivation import Execution, FileRow
from quantmatrix.portfolio.reports.printed_basis import Printed


async def rows_behind(connection: Connection, user_id: UserId, fill_ids: Collection[FillId]) -> Mapping[FillId, Execution]:
    """The rows that booked these fills, of the user's accounts that statements make; the others are left out."""
    found = {}
    for row in await connection.fetch(
        """select s.account_id, e.*, i.kind as file_kind, i.sha256 from statement_entry e
           join statement_account s on s.user_id = e.user_id and s.broker = e.broker and s.number = e.account
           join statement_import i on i.import_id = e.import_id where e.user_id = $1""",
        user_id,
    ):
        fill_id = FillId(derived_id("statement", row["account_id"], row["broker_key"]))
        if fill_id in fill_ids:
            found[fill_id] = _execution(fill_id, row)
    return found


async def printed_bases(connection: Connection, user_id: UserId) -> dict[FillId, Printed]:
    """The basis and gain that files print for closing trades, of the user's accounts that statements make.

    A trade that closes and opens has both in one printed figure and is left out. Brokers print the basis of a sale below zero.
    """
    found = {}
    for row in await connection.fetch(
        """select s.account_id, e.broker_key, e.basis, e.realised, e.basis_currency, e.line, i.kind as file_kind, i.sha256
           from statement_entry e join statement_account s on s.user_id = e.user_id and s.broker = e.broker and s.number = e.account
           join statement_import i on i.import_id = e.import_id
           where e.user_id = $1 and s.booked and e.same_as is null and e.basis is not null and e.kind in ('trade', 'exercise', 'assignment', 'expiry')""",
        user_id,
    ):
        fill_id = FillId(derived_id("statement", row["account_id"], row["broker_key"]))
        gain = None if row["realised"] is None else Money(row["realised"], row["basis_currency"])
        found[fill_id] = Printed(-Money(row["basis"], row["basis_currency"]), gain, _reference(row))
    opening = {row["fill_id"] for row in await connection.fetch("select fill_id from lot where user_id = $1", user_id)}
    return {fill_id: one for fill_id, one in found.items() if fill_id not in opening}


def _reference(row: Any) -> str:
    return f"line {row['line']} of the {row['file_kind']} file with SHA-256 {row['sha256'][:12]}"


def _execution(fill_id: FillId, row: Any) -> Execution:
    quantity = row["quantity"] or Decimal(0)
    currency = row["fee_currency"] or row["currency"] or row["basis_currency"] or "USD"
    return Execution(
        fill_id=fill_id,
        execution_id=None,
        on=row["session"],
        side=Side.BUY if quantity >= 0 else Side.SELL,
        quantity=abs(Quantity(quantity)),
        price=Price(row["price"] or Decimal(0)),
        fee=Money(row["fee"] or Decimal(0), currency),
        row=FileRow(
            reference=_reference(row),
            printed=tuple(
                f"{what} {plain(row[name])} {row['basis_currency']}"
                for what, name in (("basis", "basis"), ("gain", "realised"))
                if row[name] is not None
            ),
        ),
    )
