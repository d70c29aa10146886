"""The rows of the crypto trader's orders and fills: pair, side, and what a size counts."""

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, Side
from quantmatrix.common.values import Money
from quantmatrix.operations.legacy.cells import (
    CellError,
    Cells,
    Moment,
    RowRef,
    decimal_of,
    flag_of,
    float_of,
    moment_of,
    needed_decimal,
    needed_text,
)
from quantmatrix.operations.legacy.found import Flow, Found, OldFlow
from quantmatrix.operations.legacy.reading import Choices, Status, Unit, about, instrument_of, product, quotient, side_of, status_of
from quantmatrix.operations.legacy.source import Row

ACCOUNT = AccountId("legacy-coinbase")


@dataclass(frozen=True, slots=True)
class Sized:
    """A row whose numbers are understood: quantity in coins, value in the quote currency."""

    row: Row
    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    value: Decimal
    fee: Decimal
    moment: Moment

    @property
    def flow(self) -> Flow:
        return Flow((ACCOUNT, self.instrument.instrument_id), self.side, self.quantity, self.value)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A row of `trades`: its status, who wanted it, and its numbers where it is filled and they can be read.

    old: the row as the older system counted it, None where it did not.
    """

    row: Row
    status: Status
    triggered_by: str
    sized: Sized | None
    old: Flow | None


class Rows:
    """Reads single rows; what it decides on the way is noted."""

    def __init__(self, found: Found, choices: Choices) -> None:
        self._found = found
        self._choices = choices

    def old_flow(self, row: Row) -> Flow | None:
        """The row as the older system counted it, kept in its floats and given exactly; None where it was not counted."""
        try:
            if status_of(row.cells) is not Status.FILLED:
                return None
            side, instrument = side_of(row.cells, "side"), self.instrument(row.cells)
            dollars = flag_of(row.cells, "size_in_quote") is True
            size, price = needed_decimal(row.cells, "size"), needed_decimal(row.cells, "price")
        except CellError:
            return None
        raw_size, raw_price = float_of(row.cells, "size"), float_of(row.cells, "price")
        if raw_size is None or not raw_price or not price:
            return None
        where = (ACCOUNT, instrument.instrument_id)
        old = (raw_size / raw_price, raw_size) if dollars else (raw_size, raw_size * raw_price)
        self._found.old.append(OldFlow(where, side, *old))
        exact = (quotient(size, price), size) if dollars else (size, product(size, price))
        return Flow(where, side, *exact)

    def instrument(self, cells: Cells) -> Instrument:
        symbol = needed_text(cells, "product_id").upper()
        base, dash, quote = symbol.rpartition("-")
        if not (base and dash and quote):
            raise CellError("product_id", "is not a pair such as BTC-USD")
        try:
            Money(0, quote)
        except ValueError:
            raise CellError("product_id", "is not a pair such as BTC-USD") from None
        instrument = instrument_of(symbol, AssetClass.CRYPTO, quote)
        self._found.instruments[ACCOUNT, instrument.instrument_id] = instrument
        return instrument

    def unit_of_row(self, row: Row) -> Unit:
        size, price = needed_decimal(row.cells, "size"), needed_decimal(row.cells, "price")
        flag = flag_of(row.cells, "size_in_quote")
        return self.unit(row.ref, (product(size, price), size), flag, decimal_of(row.cells, "size_usd"))

    def unit(self, ref: RowRef, values: tuple[Decimal, Decimal], flag: bool | None, worth: Decimal | None) -> Unit:
        """What a size counts: its flag, unless the dollar value stored beside it says otherwise by the factor price."""
        as_coins, as_dollars = values
        flagged = None if flag is None else Unit.DOLLARS if flag else Unit.COINS
        if as_coins == as_dollars:
            return flagged or Unit.COINS
        fits = None
        if worth and about(as_coins, as_dollars):
            fits = flagged or (Unit.COINS if abs(as_coins - worth) < abs(as_dollars - worth) else Unit.DOLLARS)
        elif worth:
            fits = Unit.COINS if about(as_coins, worth) else Unit.DOLLARS if about(as_dollars, worth) else None
        if fits is not None and flagged is not fits:
            self._found.note("size_in_quote was missing" if flagged is None else "size_in_quote was wrong", ref, f"the size counts {fits}")
        if fits is None and flagged is not None and worth:
            self._found.note("size_usd fits neither reading of the size", ref, f"taken as {flagged}")
        chosen = fits or flagged or self._choices.unsaid_unit
        if chosen is None:
            raise CellError("size", "counts dollars or coins, and nothing says which; decide with --unsaid-size")
        return chosen

    def sized(self, row: Row, unit: Unit, *times: str) -> Sized:
        """The row with its numbers understood, at the first of these times that it has. Raises CellError."""
        cells = row.cells
        size, price = needed_decimal(cells, "size"), needed_decimal(cells, "price")
        if size <= 0 or price <= 0:
            raise CellError("size" if size <= 0 else "price", "is not above zero")
        moment = self._moment(cells, *times)
        if unit is Unit.DOLLARS:
            quantity, value = quotient(size, price), size
        else:
            quantity, value = size, product(size, price)
        if not quantity:
            raise CellError("size", "is less than the ledger's last digit")
        fee = decimal_of(cells, "commission") or decimal_of(cells, "fee")
        if fee is None and decimal_of(cells, "commission") is None:
            self._found.note("no fee was stored, taken as none", row.ref)
        return Sized(row, self.instrument(cells), side_of(cells, "side"), quantity, price, value, fee or Decimal(0), moment)

    def _moment(self, cells: Cells, *columns: str) -> Moment:
        for column in columns:
            found = moment_of(cells, column, self._choices.unsaid_zone, UTC)
            if found is not None:
                self._found.assumed_zone += not found.stated
                return found
        raise CellError(" and ".join(columns), "are missing")
