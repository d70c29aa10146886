"""First in, first out for whole accounts at once: columns of scaled integers with the figures of booking one by one.

For rebuilds of many fills. Lots are used up in the order of booking, so the fills of an instrument come in the order of their
times. Other methods, splits and actions, named lots and unknown bases are booked one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import gcd

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.portfolio.domain.lots import Fill

ROUNDS_MAX = 48
"""Partial closings of one lot (or by one fill) that are worked out side by side; what goes on longer is walked one by one."""
_PRODUCT_MAX = 2**126
_TOTAL_MAX = 2**62
_TOO_MANY: int = 10 ** (2 * FRACTION_DIGITS_MAX)
_EXACT = Context(prec=64, traps=[InvalidOperation, Inexact])
NONE, ONE, TWO = (pl.lit(number, pl.Int128) for number in (0, 1, 2))


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
    _check(fills)
    rows = _with_ranges(fills)
    lots = rows.filter(pl.col("opening") > 0).drop("closes_from", "closes_to", "size", "closing")
    closes = rows.filter(pl.col("closing") > 0).select("fill", "size", "value", "fee", "closes_from", "closes_to", "quantity")
    parts = _with_proceeds(_parts(lots, closes), closes)
    lots = lots.with_columns(opened_basis=_opened_basis(lots, parts, len(closes)))
    return _closed(parts, lots)


def _check(fills: pl.DataFrame) -> None:
    sizes = fills["quantity"].cast(pl.Int128).abs()
    largest, total = total_of(sizes.max()), total_of(sizes.sum())
    amounts = max(total_of(fills[name].cast(pl.Int128).abs().max()) for name in ("value", "fee"))
    if largest * len(fills) >= _TOTAL_MAX or total >= _TOTAL_MAX or total * amounts * 4 >= _PRODUCT_MAX:
        raise TooLargeError(f"quantities up to {largest} and amounts up to {amounts} do not fit together")


def total_of(number: object) -> int:
    """An aggregate of a column of integers; of none it is zero."""
    return number if isinstance(number, int) else 0


def _with_ranges(fills: pl.DataFrame) -> pl.DataFrame:
    """Of each fill how much closes and how much opens, and where these units stand in the row of all openings."""
    quantity, first = pl.col("quantity"), pl.col("instrument").ne_missing(pl.col("instrument").shift(1))
    last = pl.col("instrument").ne_missing(pl.col("instrument").shift(-1))
    held_all, before = quantity.cum_sum() - quantity, pl.col("before")
    closes = (before.sign() * quantity.sign()) < 0
    return (
        fills.lazy()
        .with_row_index("fill")
        .with_columns(quantity.cast(pl.Int64), pl.col("value", "fee").cast(pl.Int128))
        .sort("instrument", maintain_order=True)
        .with_columns(first=first, last=last, size=quantity.abs())
        .with_columns(before=held_all - pl.when("first").then(held_all).forward_fill())
        .with_columns(closing=pl.when(closes).then(pl.min_horizontal("size", before.abs())).otherwise(0))
        .with_columns(opening=pl.col("size") - pl.col("closing"), closed_all=pl.col("closing").cum_sum() - pl.col("closing"))
        .with_columns(opens_from=pl.col("opening").cum_sum() - pl.col("opening"))
        .with_columns(closes_from=pl.col("closed_all") + pl.when("first").then(pl.col("opens_from") - pl.col("closed_all")).forward_fill())
        .with_columns(opens_to=pl.col("opens_from") + pl.col("opening"), closes_to=pl.col("closes_from") + pl.col("closing"))
        .with_columns(
            closed_to=pl.when("last").then("closes_to").backward_fill(),
            own_close=pl.when(pl.col("closing") > 0).then((pl.col("closing") > 0).cum_sum() - 1),
        )
        .drop("instrument", "first", "last", "before", "closed_all")
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
    value, fee = _shares([closes["value"], closes["fee"]], parts["close_place"], parts["units"], parts["of_fill"])
    sells = closes["quantity"].gather(parts["close_place"]) < 0
    return parts.with_columns(
        fill=closes["fill"].gather(parts["close_place"]),
        value=value,
        fee=fee,
        proceeds=pl.select(pl.when(sells).then(value - fee).otherwise(NONE - value - fee)).to_series(),
    )


def _opened_basis(lots: pl.DataFrame, parts: pl.DataFrame, closes: int) -> pl.Series:
    """What the lots opened with: what closing left of their fill's value and fee."""
    value, fee = lots["value"], lots["fee"]
    if closes:
        ends = parts.select(
            value=pl.col("value").cum_sum(),
            fee=pl.col("fee").cum_sum(),
            is_last=pl.col("close_place").ne_missing(pl.col("close_place").shift(-1)),
        ).filter("is_last")
        spent = ends.select((pl.col(name) - pl.col(name).shift(1).fill_null(NONE)) for name in ("value", "fee"))
        value = value - spent["value"].gather(lots["own_close"]).fill_null(0)
        fee = fee - spent["fee"].gather(lots["own_close"]).fill_null(0)
    return pl.select(pl.when(lots["quantity"] > 0).then(value + fee).otherwise(fee - value)).to_series()


def _closed(parts: pl.DataFrame, lots: pl.DataFrame) -> ColumnBook:
    """Closings with their basis, and the lots with what is left of them."""
    (basis,) = _shares([lots["opened_basis"]], parts["lot_place"], parts["units"], parts["of_lot"])
    signs = lots["quantity"].sign().gather(parts["lot_place"])
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
        opened=pl.col("opening") * pl.col("quantity").sign(),
        quantity=(pl.col("opening") - used) * pl.col("quantity").sign(),
        basis=pl.when(used == pl.col("opening")).then(NONE).otherwise("opened_basis"),
        is_partly=(used > 0) & (used < pl.col("opening")),
    )
    partly = left["is_partly"].arg_true()
    if len(partly):
        spent = pl.DataFrame({"lot_place": parts["lot_place"], "basis": basis}).filter(pl.col("lot_place").is_in(partly.implode()))
        totals = spent.group_by("lot_place").agg(pl.col("basis").sum()).sort("lot_place")
        left = left.with_columns(basis=left["basis"].scatter(totals["lot_place"], left["basis"].gather(partly) - totals["basis"]))
    return ColumnBook(closings, left.drop("is_partly"))


def _shares(amounts: list[pl.Series], group: pl.Series, units: pl.Series, whole: pl.Series) -> list[pl.Series]:
    """Of each amount (one a group) the share of each part, after its predecessors, rounded to the even neighbour.

    Parts of a group stand together in their order. All first parts are worked out side by side, then all second ones.
    """
    is_first, is_last = pl.col("group").ne_missing(pl.col("group").shift(1)), pl.col("group").ne_missing(pl.col("group").shift(-1))
    parts = (
        pl.DataFrame({"group": group, "units": units.cast(pl.Int128), "whole": whole.cast(pl.Int128)})
        .with_row_index("place")
        .with_columns(rank=pl.col("place") - pl.when(is_first).then("place").forward_fill(), more=~is_last)
    )
    found = [pl.zeros(len(parts), dtype=pl.Int128, eager=True) for _ in amounts]
    now = parts.filter(pl.col("rank") == 0)
    lefts = [amount.gather(now["group"]) for amount in amounts]
    for rank in range(1, ROUNDS_MAX + 1):
        shares = [_half_even(left, now["units"], now["whole"]) for left in lefts]
        found = [one.scatter(now["place"], share) for one, share in zip(found, shares, strict=True)]
        lefts = [(left - share).filter(now["more"]) for left, share in zip(lefts, shares, strict=True)]
        now = parts.filter(pl.col("rank") == rank)
        if not len(now):
            return found
    rest = parts.filter(pl.col("rank") >= ROUNDS_MAX).sort("rank", maintain_order=True)
    return [one.scatter(rest["place"], _walked(left, rest)) for one, left in zip(found, lefts, strict=True)]


def _half_even(amount: pl.Series, units: pl.Series, whole: pl.Series) -> pl.Series:
    """amount × units / whole, rounded half to even; whole is above zero."""
    frame = pl.DataFrame({"product": amount * units, "whole": whole}).with_columns(below=pl.col("product") // pl.col("whole"))
    twice = (pl.col("product") - pl.col("below") * pl.col("whole")) * TWO
    is_odd = (pl.col("below") % TWO) != 0
    up = (twice > pl.col("whole")) | ((twice == pl.col("whole")) & is_odd)
    return frame.select(share=pl.col("below") + pl.when(up).then(ONE).otherwise(NONE)).to_series()


def _walked(left: pl.Series, rest: pl.DataFrame) -> pl.Series:
    """The same for groups with very many parts, one after the other; rest has all parts of one rank before those of the next."""
    amounts, following, found = left.to_list(), [], []
    place, rank = 0, None
    for at, units, whole, more in rest.select("rank", "units", "whole", "more").iter_rows():
        if rank is not None and at != rank:
            amounts, following, place = following, [], 0
        rank = at
        below, over = divmod(amounts[place] * units, whole)
        share = below + (1 if 2 * over > whole or (2 * over == whole and below % 2) else 0)
        found.append(share)
        if more:
            following.append(amounts[place] - share)
        place += 1
    return pl.Series(found, dtype=pl.Int128)


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
