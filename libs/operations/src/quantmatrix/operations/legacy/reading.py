"""What both older systems need to be read: the choices of the person, statuses, instruments, and fees."""

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.ids import short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import TOKEN, AssetClass, InstrumentId, Side
from quantmatrix.common.values import Quantity, round_half_even
from quantmatrix.operations.legacy.cells import CellError, Cells, RowRef, needed_text

ABOUT = Decimal("0.02")
_TOKEN = re.compile(TOKEN)
_STATUSES = {
    "filled": {"filled", "done", "settled", "complete", "completed", "executed"},
    "pending": {"pending", "open", "new", "submitted", "queued", "accepted"},
    "cancelled": {"cancelled", "canceled", "expired", "failed", "rejected"},
}
_SIDES = {"BUY": Side.BUY, "BOT": Side.BUY, "BOUGHT": Side.BUY, "SELL": Side.SELL, "SLD": Side.SELL, "SOLD": Side.SELL}


class Status(StrEnum):
    FILLED = "filled"
    PENDING = "pending"
    CANCELLED = "cancelled"


class Unit(StrEnum):
    """What a size counts."""

    COINS = "coins"
    DOLLARS = "dollars"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the person decides where the database is silent.

    unsaid_zone: the zone of times stored without one. unsaid_unit: what a size counts where neither its flag nor its
    dollar value says so; None refuses. left_out: rows that are not to be taken over.
    """

    unsaid_zone: tzinfo = UTC
    unsaid_unit: Unit | None = None
    left_out: frozenset[str] = frozenset()

    def leaves_out(self, row: RowRef) -> bool:
        return str(row) in self.left_out


def status_of(cells: Cells) -> Status:
    """The status of an order's row. Raises CellError for a word nobody knows: it may be a trade."""
    word = needed_text(cells, "status").lower()
    for status, words in _STATUSES.items():
        if word in words:
            return Status(status)
    raise CellError("status", f"is {word[:20]!r}, and nobody knows whether that is a trade")


def side_of(cells: Cells, *columns: str) -> Side:
    """The side that these columns agree on. Raises CellError when none says it, or two contradict each other."""
    found: set[Side] = set()
    for column in columns:
        if cells.get(column) not in (None, ""):
            word = needed_text(cells, column).upper()
            if word not in _SIDES:
                raise CellError(column, "is neither a purchase nor a sale")
            found.add(_SIDES[word])
    if len(found) != 1:
        raise CellError(" and ".join(columns), "contradict each other" if found else "is missing")
    return found.pop()


def instrument_of(symbol: str, asset_class: AssetClass, currency: str, multiplier: int = 1) -> Instrument:
    """An instrument under its symbol, or under a token of it where the symbol could not stand in a subject."""
    identity = symbol if _TOKEN.match(symbol) else short_token("older symbol", symbol)
    return Instrument(InstrumentId(identity), symbol, asset_class, currency, Quantity(multiplier))


def about(left: Decimal, right: Decimal) -> bool:
    """Whether two amounts are the same but for fees and rounding."""
    return abs(left - right) <= ABOUT * max(abs(left), abs(right))


def quotient(left: Decimal, right: Decimal) -> Decimal:
    """left / right with the 12 digits of the ledger."""
    return round_half_even(left / right)


def product(left: Decimal, right: Decimal) -> Decimal:
    """left × right with the 12 digits of the ledger."""
    return round_half_even(left * right)
