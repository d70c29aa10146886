"""First in, first out for whole accounts at once: columns of scaled integers with the figures of booking one by one.

For rebuilds of many fills. Lots are used up in the order of booking, so the fills of an instrument come in the order of their
times. Other methods, splits and actions, named lots and unknown bases are booked one by one.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import gcd

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.portfolio.domain.lots import Fill

ROUNDS_MAX = 48
"""Partial closings of one lot (or by one fill) that are worked out side by side; what goes on longer is walked one by one."""
SPLIT_MIN = 100_000
"""From so many fills on, two threads take the instruments between them."""
_WIDE_MAX = 2**126
_TOTAL_MAX = 2**62
_FACTOR_MAX = 2**30
_TOO_MANY: int = 10 ** (2 * FRACTION_DIGITS_MAX)
_EXACT = Context(prec=64, traps=[InvalidOperation, Inexact])


class TooLargeError(ValueError):
    """The figures do not fit into the columns; book them one by one."""


@dataclass(frozen=True, slots=True)
class ColumnBook:
    """What fills made, in columns; amounts are integers of 12 digits after the point, quantities of the digits of the input.

    closings: fill (its row), lot (row of the fill that opened it), quantity (the lot's sign), proceeds, basis, realised,
    left (what remains of the lot, with sign); in the order of booking within each instrument. lots: fill (its row),
    opened, quantity, basis; closed ones too.
    """

    closings: pl.DataFrame
    lots: pl.DataFrame


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
    width = _width(fills)
    taken = fills.lazy().select("instrument", pl.col("quantity").cast(pl.Int64), pl.col("value", "fee").cast(width)).with_row_index("fill")
    if len(fills) < SPLIT_MIN:
        return _booked(taken.collect())
    part = pl.col("instrument").hash() % 2
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(_booked, pl.collect_all([taken.filter(part == 0), taken.filter(part == 1)]))
    return ColumnBook(pl.concat([one.closings, other.closings]), pl.concat([one.lots, other.lots]))


def _booked(fills: pl.DataFrame) -> ColumnBook:
    """The book of some instruments; `fill` has the numbers of the rows. Instruments have nothing to do with each other."""
    rows = _with_ranges(fills)
    amounts = fills.select("value", "fee")
    lots = rows.select("row", "fill", "is_long", "opening", "opens_from", "opens_to", "closed_to", "own_close").filter(
        pl.col("opening") > 0
    )
    lots = lots.with_columns(amounts[lots["row"]])
    closes = rows.select("row", "fill", "is_long", "closing", "size", "closes_from", "closes_to").filter(pl.col("closing") > 0)
    closes = closes.with_columns(amounts[closes["row"]])
    parts = _with_proceeds(_parts(lots, closes), closes)
    lots = lots.with_columns(opened_basis=_opened_basis(lots, parts))
    return _closed(parts, lots)


def _width(fills: pl.DataFrame) -> type[pl.Int64] | type[pl.Int128]:
    """The integers in which nothing can overflow: of 64 bits wherever they do, because they are several times as fast.

    A gain is made of at most four amounts, a share multiplies two quantities, and everything may be summed up.
    Raises TooLargeError.
    """
    sizes = fills["quantity"].cast(pl.Int128).abs()
    largest, total = total_of(sizes.max()), total_of(sizes.sum())
    amounts = 4 * max(total_of(fills[name].cast(pl.Int128).abs().max()) for name in ("value", "fee"))
    if largest * len(fills) >= _TOTAL_MAX or total >= _TOTAL_MAX or amounts * len(fills) >= _WIDE_MAX:
        raise TooLargeError(f"quantities up to {largest} and amounts up to {amounts // 4} do not fit together")
    return pl.Int64 if largest < _FACTOR_MAX and amounts < _TOTAL_MAX else pl.Int128


def total_of(number: object) -> int:
    """An aggregate of a column of integers; of none it is zero."""
    return number if isinstance(number, int) else 0


def _with_ranges(fills: pl.DataFrame) -> pl.DataFrame:
    """Of each fill how much closes and how much opens, and where these units stand in the row of all openings."""
    quantity, before, opening, closing = (pl.col(name) for name in ("quantity", "before", "opening", "closing"))
    first = pl.col("instrument").ne_missing(pl.col("instrument").shift(1))
    held = quantity.cum_sum() - quantity
    return (
        fills.lazy()
        .select("instrument", "quantity", "fill", row=pl.int_range(pl.len(), dtype=pl.UInt32))
        .group_by("instrument")
        .agg("row", "fill", "quantity", before=held)
        .sort("instrument")
        .explode("row", "fill", "quantity", "before")
        .select("row", "fill", "before", first=first, is_long=quantity > 0, size=quantity.abs())
        .with_columns(closing=pl.when((before < 0) == pl.col("is_long")).then(pl.min_horizontal("size", before.abs())).otherwise(0))
        .with_columns(opening=pl.col("size") - closing, closes_to=closing.cum_sum())
        .with_columns(opens_to=opening.cum_sum())
        .with_columns(opens_from=pl.col("opens_to") - opening, closes_from=pl.col("closes_to") - closing)
        .with_columns(shift=pl.when("first").then(pl.col("opens_from") - pl.col("closes_from")).forward_fill())
        .with_columns(closes_from=pl.col("closes_from") + pl.col("shift"), closes_to=pl.col("closes_to") + pl.col("shift"))
        .with_columns(
            closed_to=pl.when(pl.col("first").shift(-1, fill_value=True)).then("closes_to").backward_fill(),
            own_close=pl.when((closing > 0) & (opening > 0)).then((closing > 0).cum_sum() - 1),
        )
        .collect()
    )


def _parts(lots: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Every stretch of units that one fill closes of one lot: which ones, how many units, and what was left of each before."""
    ends = lots.select(to="opens_to", is_lot=pl.lit(1)).merge_sorted(closes.select(to="closes_to", is_lot=pl.lit(0)), "to")
    stretches = ends.with_columns(
        lot_place=pl.col("is_lot").cum_sum() - pl.col("is_lot"),
        close_place=(1 - pl.col("is_lot")).cum_sum() - (1 - pl.col("is_lot")),
        start=pl.col("to").shift(1).fill_null(0),
    )
    begins = closes["closes_from"].gather(stretches["close_place"], null_on_oob=True)
    inside = stretches.with_columns(begins=begins).filter((pl.col("to") > pl.col("start")) & (pl.col("start") >= pl.col("begins")))
    lot_place, close_place = inside["lot_place"], inside["close_place"]
    return pl.DataFrame(
        {
            "lot_place": lot_place,
            "close_place": close_place,
            "units": inside["to"] - inside["start"],
            "of_lot": lots["opens_to"].gather(lot_place) - inside["start"],
            "of_fill": closes["size"].gather(close_place) - (inside["start"] - inside["begins"]),
        }
    )


def _with_proceeds(parts: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """The parts with their share of the closing fill's value and fee."""
    place = parts["close_place"]
    value, fee = _shares([closes["value"], closes["fee"]], closes["size"], place, parts["units"], parts["of_fill"])
    proceeds = value * _signs(closes, -1, value.dtype).gather(place) - fee
    return parts.with_columns(fill=closes["fill"].gather(place), value=value, fee=fee, proceeds=proceeds)


def _signs(rows: pl.DataFrame, of_long: int, width: pl.DataType) -> pl.Series:
    """of_long where a row is long, its opposite where it is short."""
    return rows.select(pl.when("is_long").then(of_long).otherwise(-of_long).cast(width)).to_series()


def _opened_basis(lots: pl.DataFrame, parts: pl.DataFrame) -> pl.Series:
    """What the lots opened with: what closing left of their fill's value and fee."""
    value, fee, own = lots["value"], lots["fee"], lots["own_close"]
    turned = own.is_not_null().arg_true()
    if len(turned):
        spent = _sums(parts.select("value", "fee", of="close_place"), own.gather(turned))
        value = value.scatter(turned, value.gather(turned) - spent["value"])
        fee = fee.scatter(turned, fee.gather(turned) - spent["fee"])
    return value * _signs(lots, 1, value.dtype) + fee


def _sums(parts: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """Of the groups `wanted` (ascending) the sums over their parts; column `of` names a part's group, and every group has one."""
    is_wanted = pl.repeat(False, total_of(parts["of"].max()) + 1, eager=True).scatter(wanted, True)
    return parts.filter(is_wanted.gather(parts["of"])).group_by("of").sum().sort("of")


def _closed(parts: pl.DataFrame, lots: pl.DataFrame) -> ColumnBook:
    """Closings with their basis, and the lots with what is left of them."""
    (basis,) = _shares([lots["opened_basis"]], lots["opening"], parts["lot_place"], parts["units"], parts["of_lot"])
    sign = _signs(lots, 1, pl.Int64())
    signs = sign.gather(parts["lot_place"])
    closings = pl.DataFrame(
        {
            "fill": parts["fill"],
            "lot": lots["fill"].gather(parts["lot_place"]),
            "quantity": parts["units"] * signs,
            "proceeds": parts["proceeds"],
            "basis": basis,
            "realised": parts["proceeds"] - basis,
            "left": (parts["of_lot"] - parts["units"]) * signs,
        }
    )
    used = (pl.col("closed_to") - pl.col("opens_from")).clip(0, pl.col("opening"))
    left = lots.select(
        "fill",
        opened=pl.col("opening") * sign,
        quantity=(pl.col("opening") - used) * sign,
        basis=pl.when(used == pl.col("opening")).then(0).otherwise("opened_basis"),
        is_partly=(used > 0) & (used < pl.col("opening")),
    )
    partly = left["is_partly"].arg_true()
    if len(partly):
        spent = _sums(pl.DataFrame({"of": parts["lot_place"], "basis": basis}), partly)
        left = left.with_columns(basis=left["basis"].scatter(partly, left["basis"].gather(partly) - spent["basis"]))
    wide = pl.col("proceeds", "basis", "realised").cast(pl.Int128)
    return ColumnBook(closings.with_columns(wide), left.drop("is_partly").with_columns(pl.col("basis").cast(pl.Int128)))


def _shares(amounts: list[pl.Series], sizes: pl.Series, group: pl.Series, units: pl.Series, whole: pl.Series) -> list[pl.Series]:
    """Of each amount the share of each part in that of its group, after its predecessors, rounded to the even neighbour.

    amounts and sizes have one row a group; units and whole (what of the group is left) one a part. Parts of a group stand
    together in their order. An amount is so much a unit and a rest smaller than the size: only the rest is ever rounded.
    """
    is_first = group.ne_missing(group.shift(1))
    firsts, places = group.filter(is_first), is_first.arg_true()
    parts = pl.DataFrame({"units": units, "whole": whole, "more": ~is_first.shift(-1, fill_value=True)})
    found = []
    for amount in amounts:
        each = amount // sizes
        rest = (amount - each * sizes).gather(firsts)
        shares, is_open = each.gather(group) * units, rest != 0
        if is_open.any():
            shares = shares + _shared_rests(rest.filter(is_open), places.filter(is_open), parts.with_columns(odd=_is_odd(shares)))
        found.append(shares)
    return found


def _is_odd(numbers: pl.Series) -> pl.Series:
    return pl.select(pl.lit(numbers) % 2 != 0).to_series()


def _shared_rests(rest: pl.Series, places: pl.Series, parts: pl.DataFrame) -> pl.Series:
    """What each part gets of its group's rest: all first parts are worked out side by side, then all second ones.

    rest: from zero to the group's size; places: of the first part of each group.
    """
    found, at = [], []
    for _ in range(ROUNDS_MAX):
        done = parts[places].select("more", share=_half_even(rest * pl.col("units"), pl.col("whole"), pl.col("odd")))
        found.append(done["share"])
        at.append(places)
        rest, places = (rest - done["share"]).filter(done["more"]), (places + 1).filter(done["more"])
        if not len(places):
            break
    walked = _walked(rest, places, parts)
    return pl.zeros(len(parts), dtype=rest.dtype, eager=True).scatter(pl.concat([*at, walked["at"]]), pl.concat([*found, walked["share"]]))


def _half_even(product: pl.Expr, whole: pl.Expr, odd: pl.Expr) -> pl.Expr:
    """product / whole (zero or more over more than zero), rounded so that it is even with what is odd already."""
    below = product // whole
    twice = (product - below * whole) * 2
    return below + ((twice > whole) | ((twice == whole) & ((below % 2 != 0) != odd))).cast(pl.Int64)


def _walked(rest: pl.Series, places: pl.Series, parts: pl.DataFrame) -> pl.DataFrame:
    """The same for groups with very many parts, one group after the other."""
    at: list[int] = []
    found: list[int] = []
    for place, first in zip(places, rest, strict=True):
        left = first
        for number, (units, whole, odd, more) in enumerate(parts.slice(place).select("units", "whole", "odd", "more").iter_rows()):
            below, over = divmod(left * units, whole)
            share = below + (1 if 2 * over > whole or (2 * over == whole and (below % 2 != 0) != odd) else 0)
            left -= share
            at.append(place + number)
            found.append(share)
            if not more:
                break
    return pl.DataFrame({"at": pl.Series(at, dtype=places.dtype), "share": pl.Series(found, dtype=rest.dtype)})


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
