"""First in, first out for whole accounts at once: arrays of scaled integers with the figures of booking one by one.

For rebuilds of many fills. Lots are used up in the order of booking, so the fills of an instrument come in the order of their
times. Other methods, splits and actions, named lots and unknown bases are booked one by one.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import gcd
from typing import TypeVar

import numpy as np
import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.portfolio.domain.column_ranges import OrderedFills, Ranges, parts_of, ranges_of
from quantmatrix.portfolio.domain.column_shares import Ints
from quantmatrix.portfolio.domain.lots import Fill

STRETCH = 100_000
"""About so many fills are worked out at once, always all of an instrument."""
THREADS = 2
"""So many stretches are worked out side by side."""
_TOTAL_MAX = 2**62
_FACTOR_MAX = 2**30
_CODES_MAX = 2**16
_INT64_MAX = 2**63 - 1
_TOO_MANY: int = 10 ** (2 * FRACTION_DIGITS_MAX)
_EXACT = Context(prec=64, traps=[InvalidOperation, Inexact])


Table = TypeVar("Table", "Closings", "Lots")


class TooLargeError(ValueError):
    """The figures do not fit into the columns; book them one by one."""


@dataclass(frozen=True, slots=True)
class Closings:
    """fill and lot: the rows of the fills that closed and that opened; quantity: with the lot's sign; left: what remains of the lot, with sign."""

    fill: Ints
    lot: Ints
    quantity: Ints
    proceeds: Ints
    basis: Ints
    left: Ints

    @property
    def realised(self) -> Ints:
        return self.proceeds - self.basis


@dataclass(frozen=True, slots=True)
class Lots:
    """fill: the row that opened the lot; opened and quantity: at first and now, with sign; basis: of what is left. Closed ones too."""

    fill: Ints
    opened: Ints
    quantity: Ints
    basis: Ints


@dataclass(frozen=True, slots=True)
class ColumnBook:
    """What fills made: amounts are integers of 12 digits after the point, quantities of the digits of the input.

    Both are in the order of booking within each instrument. Amounts that 64 bits might not hold are Python's integers.
    """

    closings: Closings
    lots: Lots


def columns_of(fills: Sequence[Fill]) -> tuple[pl.DataFrame, int]:
    """Fills as the columns that `book_columns` takes, and the digits of their quantities. They are all of one currency.

    Raises TooLargeError for fills that an exercised option or named lots belong to.
    """
    if any(fill.named or fill.premium is not None for fill in fills):
        raise TooLargeError("fills with named lots or premiums are booked one by one")
    scaled = [_scaled(fill.moved.value) * fill.side.sign for fill in fills]
    zeros = _common_zeros(scaled)
    signed = [one // 10**zeros for one in scaled]
    frame = pl.DataFrame(
        {
            "instrument": pl.Series([fill.instrument.instrument_id for fill in fills], dtype=pl.String),
            "quantity": _integers(signed),
            "value": _integers([_value(fill) for fill in fills]),
            "fee": _integers([_scaled(fill.fee.amount) for fill in fills]),
        }
    )
    return frame, FRACTION_DIGITS_MAX - zeros


def _integers(numbers: list[int]) -> pl.Series:
    """In 64 bits where all of them fit."""
    fit = min(numbers, default=0) >= -_INT64_MAX and max(numbers, default=0) <= _INT64_MAX
    return pl.Series(numbers, dtype=pl.Int64 if fit else pl.Int128)


def book_columns(fills: pl.DataFrame) -> ColumnBook:
    """Book fills first in, first out; each row is one, in the order of booking.

    Columns: instrument (anything that can be sorted), quantity (signed integer, never zero), value and fee (integers of 12
    digits after the point). Every unit that closes meets the unit that was opened at the same place of its instrument's
    row of openings, whether long or short: a position is closed whole before it changes sides. Raises TooLargeError.
    """
    code, quantity = _codes(fills["instrument"]), _quantities(fills["quantity"])
    value, fee = _amounts(fills.select("value", "fee"), quantity)
    order, counts = np.argsort(code, kind="stable"), np.bincount(code)
    columns = (quantity, value, fee)

    def booked(stretch: tuple[int, int, Ints]) -> ColumnBook:
        first, last, own = stretch
        rows = order[first:last]
        return _booked(OrderedFills(rows, own, *(one.take(rows) for one in columns)))

    stretches = list(_stretches(counts[counts > 0]))
    if len(stretches) == 1:
        return booked(stretches[0])
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(booked, stretches))
        return ColumnBook(_joined([one.closings for one in found]), _joined([one.lots for one in found]))


def _stretches(counts: Ints) -> Iterator[tuple[int, int, Ints]]:
    """Where to cut between instruments, and how many fills each of those between has.

    Arrays of such a size use the same memory again instead of asking the system for new.
    """
    ends, at, begun = np.cumsum(counts), 0, 0
    while True:
        upto = int(np.searchsorted(ends, begun + STRETCH, side="left")) + 1
        last = int(ends[min(upto, len(ends)) - 1]) if len(ends) else 0
        yield begun, last, counts[at:upto]
        if upto >= len(ends):
            return
        at, begun = upto, last


def _joined(found: list[Table]) -> Table:
    if len(found) == 1:
        return found[0]
    kind = type(found[0])
    return kind(*(np.concatenate([getattr(one, field.name) for one in found]) for field in fields(kind)))


def _quantities(column: pl.Series) -> Ints:
    """As integers of 64 bits, whose sums fit into them. Raises TooLargeError."""
    largest = _largest(column)
    if largest * len(column) >= _TOTAL_MAX and total_of(column.cast(pl.Int128).abs().sum()) >= _TOTAL_MAX:
        raise TooLargeError(f"quantities up to {largest} do not fit together")
    return column.cast(pl.Int64).to_numpy()


def _amounts(columns: pl.DataFrame, quantity: Ints) -> list[Ints]:
    """In 64 bits where nothing can overflow; else Python's integers, which are many times slower.

    A gain is made of at most four amounts, and a share multiplies two quantities.
    """
    found = [one if one.dtype == pl.Int64 else one.cast(pl.Int64, strict=False) for one in columns]
    units = max(int(quantity.max(initial=0)), -int(quantity.min(initial=0)))
    if units < _FACTOR_MAX and not any(one.null_count() or 4 * _largest(one) >= _TOTAL_MAX for one in found):
        return [one.to_numpy() for one in found]
    return [np.array(one.to_list(), dtype=object) for one in columns]


def _largest(column: pl.Series) -> int:
    return max(total_of(column.max()), -total_of(column.min()))


def total_of(number: object) -> int:
    """An aggregate of a column of integers; of none it is zero."""
    return number if isinstance(number, int) else 0


def _codes(instruments: pl.Series) -> Ints:
    """A number for each instrument, in their order."""
    if instruments.dtype.is_integer() and total_of(instruments.min()) >= 0 and total_of(instruments.max()) < _CODES_MAX:
        return instruments.to_numpy().astype(np.uint16)
    ranks = instruments.rank("dense").to_numpy()
    return ranks.astype(np.uint16) if int(ranks.max(initial=0)) < _CODES_MAX else ranks


def _booked(fills: OrderedFills) -> ColumnBook:
    """The book of some instruments. Instruments have nothing to do with each other."""
    ranges = ranges_of(fills)
    lots, closes = ranges.lots, ranges.closes
    of_closes, of_lots = parts_of(ranges)
    sizes, opening = ranges.size.take(closes), ranges.opening.take(lots)
    value = of_closes.shares(fills.value.take(closes), sizes)
    fee = of_closes.shares(fills.fee.take(closes), sizes)
    opened = _opened_basis(fills, ranges, (of_closes.group, value, fee))
    basis = of_lots.shares(opened, opening)
    sign = np.where(ranges.is_long.take(lots), 1, -1)
    signs = sign.take(of_lots.group)
    proceeds = value * signs
    proceeds -= fee
    after = of_lots.whole - of_lots.units
    rows = fills.row.take(lots)
    left = opening.copy()
    left[of_lots.group.take(of_lots.lasts)] = after.take(of_lots.lasts)
    closings = Closings(
        fill=fills.row.take(closes).take(of_closes.group),
        lot=rows.take(of_lots.group),
        quantity=of_lots.units * signs,
        proceeds=proceeds,
        basis=basis,
        left=after * signs,
    )
    partly = np.flatnonzero((left > 0) & (left < opening))
    rest = np.where(left == 0, 0, opened)
    rest[partly] -= _sums(basis, of_lots.group, partly)
    return ColumnBook(closings, Lots(rows, opening * sign, left * sign, rest))


def _opened_basis(fills: OrderedFills, ranges: Ranges, spent: tuple[Ints, Ints, Ints]) -> Ints:
    """What the lots opened with: what closing left of their fill's value and fee. spent: place of the close, value and fee of each part."""
    lots = ranges.lots
    value, fee = fills.value.take(lots), fills.fee.take(lots)
    turned = np.flatnonzero(ranges.closing.take(lots))
    if len(turned):
        close, of_value, of_fee = spent
        own = np.searchsorted(ranges.closes, lots[turned])
        value[turned] -= _sums(of_value, close, own)
        fee[turned] -= _sums(of_fee, close, own)
    return np.where(ranges.is_long.take(lots), value, -value) + fee


def _sums(amounts: Ints, group: Ints, wanted: Ints) -> Ints:
    """The sums of the amounts of some groups, which stand together in their order and of which none is empty."""
    if not len(wanted):
        return amounts[:0]
    first = np.searchsorted(group, wanted)
    counts = np.searchsorted(group, wanted, side="right") - first
    begins = np.cumsum(counts) - counts
    rows = np.repeat(first - begins, counts) + np.arange(int(counts.sum()))
    sums: Ints = np.add.reduceat(amounts[rows], begins)
    return sums


def _scaled(value: Decimal) -> int:
    """The value as a whole number of 12 digits after the point."""
    return int(_EXACT.scaleb(value, FRACTION_DIGITS_MAX))


def _value(fill: Fill) -> int:
    """What the fill is worth without fee, scaled: the product of three scaled numbers has 24 digits too many."""
    if fill.amount is not None:
        return _scaled(fill.amount.amount)
    product = _scaled(fill.price.value) * _scaled(fill.quantity.value) * _scaled(fill.instrument.multiplier.value)
    below, over = divmod(product, _TOO_MANY)
    return below + (1 if 2 * over > _TOO_MANY or (2 * over == _TOO_MANY and below % 2) else 0)


def _common_zeros(numbers: Sequence[int]) -> int:
    """How many zeros all of them end with, at most 12."""
    common, zeros = gcd(*numbers), 0
    while zeros < FRACTION_DIGITS_MAX and common % 10 == 0:
        common, zeros = common // 10, zeros + 1
    return zeros
