"""Tables as CSV that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from quantmatrix.common.values import Money, Quantity, plain

Cell = str | int | Decimal | Money | Quantity | date | None
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def csv_of(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as RFC 4180 has it, lines ended by CR LF. Amounts are plain decimals without a currency, bare decimals keep the digits they have.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers and dates are what they are.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_text(cell) for cell in row])
    return out.getvalue()


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Money():
            return plain(cell.amount)
        case Decimal():
            return format(cell or cell.copy_abs(), "f")
        case date():
            return cell.isoformat()
        case Quantity() | int():
            return str(cell)
        case str():
            return harmless(cell)


def harmless(text: str) -> str:
    """Text with an apostrophe in front where it, or what follows leading blanks and quotes, begins a formula."""
    begins = text.lstrip(" \u00a0\"'").startswith(_STARTS_A_FORMULA) or text.startswith(_STARTS_A_FORMULA)
    return "'" + text if begins else text
