"""The rows of imported files behind what the ledger booked of them."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId, Side, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.reports.derivation import Execution, FileRow


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
            reference=f"line {row['line']} of the {row['file_kind']} file with SHA-256 {row['sha256'][:12]}",
            printed=tuple(
                f"{what} {plain(row[name])} {row['basis_currency']}"
                for what, name in (("basis", "basis"), ("gain", "realised"))
                if row[name] is not None
            ),
        ),
    )
