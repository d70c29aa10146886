"""Which units of which lot each fill closes, for the fills of many instruments at once: first in, first out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantmatrix.portfolio.domain.column_shares import Ints, Shared

_NEVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OrderedFills:
    """The fills of some instruments, one instrument after the other, in the order of booking.

    row: their rows in the input; counts: how many each instrument has, at least one.
    """

    row: Ints
    counts: Ints
    quantity: Ints
    value: Ints
    fee: Ints


@dataclass(frozen=True, slots=True)
class Ranges:
    """How much each fill opens and closes, which fills do, and where these units end in the row of all openings.

    What an instrument's fills close stands together, from its first opening on.
    """

    is_long: npt.NDArray[np.bool_]
    size: Ints
    opening: Ints
    closing: Ints
    lots: Ints
    closes: Ints
    lot_ends: Ints
    close_ends: Ints


def ranges_of(fills: OrderedFills) -> Ranges:
    quantity, counts = fills.quantity, fills.counts
    firsts = np.cumsum(counts) - counts
    before = np.cumsum(quantity)
    before -= quantity
    before -= np.repeat(before[firsts], counts)
    is_long, size = quantity > 0, np.abs(quantity)
    is_opposite = (before < 0) == is_long
    closing = np.minimum(size, np.abs(before, out=before), out=before)
    closing *= is_opposite
    opening = size - closing
    lots, closes = np.flatnonzero(opening), np.flatnonzero(closing)
    opens_to, closes_to = np.cumsum(opening), np.cumsum(closing)
    shift = (opens_to[firsts] - opening[firsts]) - (closes_to[firsts] - closing[firsts])
    closes_to += np.repeat(shift, counts)
    return Ranges(is_long, size, opening, closing, lots, closes, opens_to.take(lots), closes_to.take(closes))


def parts_of(ranges: Ranges) -> tuple[Shared, Shared]:
    """Stretches of units that one fill closes of one lot, in order: as parts of the fills that close, and as parts of the lots.

    The row of openings is cut where a lot ends and where a close ends; between two cuts lie units of one lot, which one fill closes
    or none. Lots' ends and closes' ends are sorted already, so that sorting merges them. The last bit tells a close, which comes
    after the lot that ends with it.
    """
    lot_ends, ends = ranges.lot_ends, ranges.close_ends
    begins = ends - ranges.closing.take(ranges.closes)
    cuts = np.empty(len(lot_ends) + len(ends), np.int64)
    np.multiply(lot_ends, 2, out=cuts[: len(lot_ends)])
    np.multiply(ends, 2, out=cuts[len(lot_ends) :])
    cuts[len(lot_ends) :] += 1
    cuts.sort(kind="stable")
    is_close = cuts & 1
    cuts >>= 1
    close = np.cumsum(is_close)
    lot = np.arange(len(cuts))
    lot -= close
    close -= is_close
    lot += is_close
    starts = np.zeros_like(cuts)
    starts[1:] = cuts[:-1]
    begun = np.append(begins, _NEVER).take(close)
    real = np.flatnonzero((cuts > starts) & (starts >= begun))
    lot, close, start, units = lot.take(real), close.take(real), starts.take(real), (cuts - starts).take(real)
    of_fill = (ranges.size.take(ranges.closes) + begins).take(close)
    of_fill -= start
    of_lot = lot_ends.take(lot)
    of_lot -= start
    return Shared.of(close, units, of_fill), Shared.of(lot, units, of_lot)
