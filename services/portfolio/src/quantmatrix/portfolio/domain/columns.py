"""First in, first out for whole accounts at once: arrays of scaled integers with the figures of booking one by one.

For rebuilds of many fills. Lots are used up in the order of booking, so the fills of an instrument come in the order of their
times. Other methods, splits and actions, named lots and unknown bases are booked one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import gcd
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.portfolio.domain.column_shares import Ints, shares_of
from quantmatrix.portfolio.domain.lots import Fill

STRETCH = 100_000
"""About so many fills are worked out at once, always all of an instrument."""
_TOTAL_MAX = 2**62
_FACTOR_MAX = 2**30
_CODES_MAX = 2**16
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
            "quantity": pl.Series(signed, dtype=pl.Int128),
            "value": pl.Series([_value(fill) for fill in fills], dtype=pl.Int128),
            "fee": pl.Series([_scaled(fill.fee.amount) for fill in fills], dtype=pl.Int128),
        }
    )
    return frame, FRACTION_DIGITS_MAX - zeros


def book_columns(fills: pl.DataFrame) -> ColumnBook:
    """Book fills first in, first out; each row is one, in the order of booking.

    Columns: instrument (anything that can be sorted), quantity (signed integer, never zero), value and fee (integers of 12
    digits after the point). Every unit that closes meets the unit that was opened at the same place of its instrument's
    row of openings, whether long or short: a position is closed whole before it changes sides. Raises TooLargeError.
    """
    code, quantity = _codes(fills["instrument"]), _quantities(fills["quantity"])
    value, fee = _amounts(fills.select("value", "fee"), quantity)
    order = np.argsort(code, kind="stable")
    parts = [order[first:last] for first, last in _stretches(code[order])] or [order]
    found = [_booked(_Fills(rows, code[rows], quantity[rows], value[rows], fee[rows])) for rows in parts]
    return ColumnBook(_joined([one.closings for one in found]), _joined([one.lots for one in found]))


def _stretches(ordered: Ints) -> Iterator[tuple[int, int]]:
    """Where to cut between instruments: arrays of such a size use the same memory again instead of asking the system for new."""
    first = 0
    while first < len(ordered):
        inside = ordered[min(first + STRETCH, len(ordered)) - 1]
        last = int(np.searchsorted(ordered, inside, side="right"))
        yield first, last
        first = last


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


@dataclass(frozen=True, slots=True)
class _Fills:
    """The fills of some instruments, one instrument after the other, in the order of booking. row: their rows in the input."""

    row: Ints
    code: Ints
    quantity: Ints
    value: Ints
    fee: Ints


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Of each fill how much closes and how much opens, and where these units end in the row of all openings.

    closed_to: where what is closed of its instrument ends.
    """

    is_long: npt.NDArray[np.bool_]
    size: Ints
    closing: Ints
    opening: Ints
    closes_to: Ints
    opens_to: Ints
    closed_to: Ints


def _ranges(fills: _Fills) -> _Ranges:
    quantity, count = fills.quantity, len(fills.quantity)
    firsts = np.flatnonzero(np.concatenate([[True], fills.code[1:] != fills.code[:-1]])) if count else np.empty(0, np.int64)
    fills_of = np.diff(firsts, append=count)
    before = np.cumsum(quantity)
    before -= quantity
    before -= np.repeat(before[firsts], fills_of)
    is_long, size = quantity > 0, np.abs(quantity)
    closing = np.where((before < 0) == is_long, np.minimum(size, np.abs(before)), 0)
    opening = size - closing
    opens_to, closes_to = np.cumsum(opening), np.cumsum(closing)
    shift = (opens_to[firsts] - opening[firsts]) - (closes_to[firsts] - closing[firsts])
    closes_to += np.repeat(shift, fills_of)
    closed_to = np.repeat(closes_to[firsts + fills_of - 1], fills_of)
    return _Ranges(is_long, size, closing, opening, closes_to, opens_to, closed_to)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Stretches of units that one fill closes of one lot, in order: whose, how many units, and what was left of each before."""

    lot: Ints
    close: Ints
    units: Ints
    of_lot: Ints
    of_fill: Ints


def _parts(ranges: _Ranges, lots: Ints, closes: Ints) -> _Parts:
    """lots, closes: the places of the fills that open and that close. What an instrument's fills close stands together, from its first opening on."""
    lot_ends, ends = ranges.opens_to[lots], ranges.closes_to[closes]
    begins = ends - ranges.closing[closes]
    last = np.searchsorted(lot_ends, ends)
    counts = last + 1
    counts[1:] -= last[:-1] + (lot_ends[last[:-1]] == begins[1:])
    is_apart = np.ones(len(begins), np.bool_)
    is_apart[1:] = begins[1:] != ends[:-1]
    apart = np.flatnonzero(is_apart)
    counts[apart] = last[apart] - np.searchsorted(lot_ends, begins[apart], side="right") + 1
    parts_to = np.cumsum(counts)
    close = np.repeat(np.arange(len(closes)), counts)
    lot = np.repeat(last - parts_to + 1, counts)
    lot += np.arange(len(close))
    lot_end = lot_ends[lot]
    end = np.minimum(ends[close], lot_end)
    start = np.empty_like(end)
    start[1:] = end[:-1]
    start[parts_to[apart] - counts[apart]] = begins[apart]
    of_fill = (ranges.size[closes] + begins)[close]
    of_fill -= start
    lot_end -= start
    end -= start
    return _Parts(lot, close, units=end, of_lot=lot_end, of_fill=of_fill)


def _booked(fills: _Fills) -> ColumnBook:
    """The book of some instruments. Instruments have nothing to do with each other."""
    ranges = _ranges(fills)
    lots, closes = np.flatnonzero(ranges.opening), np.flatnonzero(ranges.closing)
    parts = _parts(ranges, lots, closes)
    sizes = ranges.size[closes]
    value = shares_of(fills.value[closes], sizes, parts.close, parts.units, parts.of_fill)
    fee = shares_of(fills.fee[closes], sizes, parts.close, parts.units, parts.of_fill)
    opened = _opened_basis(fills, ranges, lots, closes, (parts.close, value, fee))
    basis = shares_of(opened, ranges.opening[lots], parts.lot, parts.units, parts.of_lot)
    sign = np.where(ranges.is_long[lots], 1, -1)
    signs = sign[parts.lot]
    proceeds = value * signs
    proceeds -= fee
    rows = fills.row[lots]
    closings = Closings(
        fill=fills.row[closes][parts.close],
        lot=rows[parts.lot],
        quantity=parts.units * signs,
        proceeds=proceeds,
        basis=basis,
        left=(parts.of_lot - parts.units) * signs,
    )
    opening = ranges.opening[lots]
    used = np.clip(ranges.closed_to[lots] - (ranges.opens_to[lots] - opening), 0, opening)
    left = np.where(used == opening, 0, opened)
    partly = np.flatnonzero((used > 0) & (used < opening))
    left[partly] -= _sums(basis, parts.lot, partly)
    return ColumnBook(closings, Lots(rows, opening * sign, (opening - used) * sign, left))


def _opened_basis(fills: _Fills, ranges: _Ranges, lots: Ints, closes: Ints, spent: tuple[Ints, Ints, Ints]) -> Ints:
    """What the lots opened with: what closing left of their fill's value and fee. spent: place of the close, value and fee of each part."""
    value, fee = fills.value[lots], fills.fee[lots]
    turned = np.flatnonzero(ranges.closing[lots])
    if len(turned):
        close, of_value, of_fee = spent
        own = np.searchsorted(closes, lots[turned])
        value[turned] -= _sums(of_value, close, own)
        fee[turned] -= _sums(of_fee, close, own)
    return np.where(ranges.is_long[lots], value, -value) + fee


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
