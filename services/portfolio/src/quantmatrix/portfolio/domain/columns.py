"""First in, first out for whole accounts at once: columns of scaled integers with the figures of booking one by one.

For rebuilds of many fills. Lot methods, splits and other actions, named lots and unknown bases are booked one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.portfolio.domain.lots import Fill

ROUNDS_MAX = 48
"""Partial closings of one lot (or by one fill) that are worked out side by side; what goes on longer is walked one by one."""
_PRODUCT_MAX = 2**126
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
    moved = [fill.moved.value for fill in fills]
    digits = max((-_exponent(one) for one in moved), default=0)
    frame = pl.DataFrame(
        {
            "instrument": [fill.instrument.instrument_id for fill in fills],
            "quantity": pl.Series([_scaled(one, digits) * fill.side.sign for one, fill in zip(moved, fills, strict=True)], dtype=pl.Int128),
            "value": pl.Series([_scaled(fill.value.amount, FRACTION_DIGITS_MAX) for fill in fills], dtype=pl.Int128),
            "fee": pl.Series([_scaled(fill.fee.amount, FRACTION_DIGITS_MAX) for fill in fills], dtype=pl.Int128),
        }
    )
    return frame, digits


def book_columns(fills: pl.DataFrame) -> ColumnBook:
    """Book fills first in, first out; each row is one, in the order of booking.

    Columns: instrument (anything that can be sorted), quantity (signed integer, never zero), value and fee (integers of 12
    digits after the point). Every unit that closes meets the unit that was opened at the same place of its instrument's
    row of openings, whether long or short: a position is closed whole before it changes sides. Raises TooLargeError.
    """
    _check(fills)
    rows = _with_ranges(fills)
    lots = rows.filter(pl.col("opening") > 0)
    closes = rows.filter(pl.col("closing") > 0)
    parts = _parts(lots, closes)
    sold = _proceeds(parts, closes)
    lots = _with_basis(lots, sold)
    return _closed(sold, lots)


def _check(fills: pl.DataFrame) -> None:
    quantity = fills["quantity"].cast(pl.Int128).abs()
    largest = int(quantity.max() or 0)  # type: ignore[arg-type]
    total = sum(quantity.to_list()) if largest * len(fills) >= _PRODUCT_MAX else largest
    amounts = max((abs(int(fills[name].cast(pl.Int128).abs().max() or 0)) for name in ("value", "fee")), default=0)  # type: ignore[arg-type]
    if total >= _PRODUCT_MAX or largest * amounts * 4 >= _PRODUCT_MAX:
        raise TooLargeError(f"quantities up to {largest} and amounts up to {amounts} do not fit together")


def _with_ranges(fills: pl.DataFrame) -> pl.DataFrame:
    """Of each fill how much closes and how much opens, and where these units stand in the row of all openings."""
    size, before = pl.col("quantity").abs(), pl.col("held") - pl.col("quantity")
    return (
        fills.lazy()
        .with_row_index("fill")
        .with_columns(pl.col("quantity", "value", "fee").cast(pl.Int128))
        .sort("instrument", maintain_order=True)
        .with_columns(held=pl.col("quantity").cum_sum().over("instrument"))
        .with_columns(
            size=size,
            closing=pl.when(before.sign() * pl.col("quantity").sign() < 0).then(pl.min_horizontal(size, before.abs())).otherwise(NONE),
        )
        .with_columns(opening=pl.col("size") - pl.col("closing"))
        .with_columns(opens_to=pl.col("opening").cum_sum())
        .with_columns(opens_from=pl.col("opens_to") - pl.col("opening"))
        .with_columns(base=pl.col("opens_from").first().over("instrument"))
        .with_columns(closes_to=pl.col("base") + pl.col("closing").cum_sum().over("instrument"))
        .with_columns(closes_from=pl.col("closes_to") - pl.col("closing"), closed_to=pl.col("closes_to").last().over("instrument"))
        .collect()
    )


def _parts(lots: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Every stretch of units that one fill closes of one lot: place of the lot and of the closing, units, and what was left of each."""
    ends = pl.concat(
        [
            lots.select(to="opens_to", is_lot=pl.lit(1, pl.Int64), is_close=pl.lit(0, pl.Int64)),
            closes.select(to="closes_to", is_lot=pl.lit(0, pl.Int64), is_close=pl.lit(1, pl.Int64)),
        ]
    )
    stretches = (
        ends.sort("to")
        .with_columns(
            lot_place=pl.col("is_lot").cum_sum() - pl.col("is_lot"),
            close_place=pl.col("is_close").cum_sum() - pl.col("is_close"),
            start=pl.col("to").shift(1).fill_null(NONE),
        )
        .filter(pl.col("to") > pl.col("start"))
    )
    inside = stretches.filter(stretches["to"] <= lots["closed_to"].gather(_bounded(stretches["lot_place"], len(lots))))
    lot_place, close_place = inside["lot_place"], inside["close_place"]
    return pl.DataFrame(
        {
            "lot_place": lot_place,
            "close_place": close_place,
            "units": inside["to"] - inside["start"],
            "of_lot": lots["opens_to"].gather(lot_place) - inside["start"],
            "of_fill": closes["size"].gather(close_place) - (inside["start"] - closes["closes_from"].gather(close_place)),
        }
    )


def _bounded(places: pl.Series, count: int) -> pl.Series:
    return places.clip(0, max(count - 1, 0))


def _proceeds(parts: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """The parts with their share of the closing fill's value and fee."""
    value, fee = _shares([closes["value"], closes["fee"]], parts["close_place"], parts["units"], parts["of_fill"])
    sells = closes["quantity"].gather(parts["close_place"]) < 0
    return parts.with_columns(
        fill=closes["fill"].gather(parts["close_place"]),
        value=value,
        fee=fee,
        proceeds=pl.select(pl.when(sells).then(value - fee).otherwise(NONE - value - fee)).to_series(),
    )


def _with_basis(lots: pl.DataFrame, sold: pl.DataFrame) -> pl.DataFrame:
    """The lots with the basis they opened with: what closing left of their fill's value and fee."""
    spent = sold.group_by("fill").agg(spent_value=pl.col("value").sum(), spent_fee=pl.col("fee").sum())
    crossing = lots.filter(pl.col("closing") > 0).select("fill").join(spent, on="fill")
    joined = lots.join(crossing, on="fill", how="left", maintain_order="left") if len(crossing) else lots.with_columns(
        spent_value=NONE, spent_fee=NONE
    )  # fmt: skip
    value = pl.col("value") - pl.col("spent_value").fill_null(NONE)
    fee = pl.col("fee") - pl.col("spent_fee").fill_null(NONE)
    return joined.with_columns(opened_basis=pl.when(pl.col("quantity") > 0).then(value + fee).otherwise(fee - value))


def _closed(sold: pl.DataFrame, lots: pl.DataFrame) -> ColumnBook:
    """Closings with their basis, and the lots with what is left of them."""
    (basis,) = _shares([lots["opened_basis"]], sold["lot_place"], sold["units"], sold["of_lot"])
    sign = lots["quantity"].sign().cast(pl.Int128)
    signs = sign.gather(sold["lot_place"])
    closings = pl.DataFrame(
        {
            "fill": sold["fill"],
            "lot": lots["fill"].gather(sold["lot_place"]),
            "quantity": sold["units"] * signs,
            "proceeds": sold["proceeds"],
            "basis": basis,
            "realised": sold["proceeds"] - basis,
            "left": (sold["of_lot"] - sold["units"]) * signs,
        }
    )
    used = pl.DataFrame({"lot_place": sold["lot_place"], "units": sold["units"], "basis": basis})
    totals = used.group_by("lot_place").agg(pl.col("units").sum(), pl.col("basis").sum())
    kept = lots.with_row_index("lot_place").with_columns(pl.col("lot_place").cast(pl.Int64), sign=sign)
    left = kept.join(totals, on="lot_place", how="left", maintain_order="left").select(
        "fill",
        opened=pl.col("opening") * pl.col("sign"),
        quantity=(pl.col("opening") - pl.col("units").fill_null(NONE)) * pl.col("sign"),
        basis=pl.col("opened_basis") - pl.col("basis").fill_null(NONE),
    )
    return ColumnBook(closings, left)


def _shares(amounts: list[pl.Series], group: pl.Series, units: pl.Series, whole: pl.Series) -> list[pl.Series]:
    """Of each amount (one a group) the share of each part, after its predecessors, rounded to the even neighbour.

    Parts of a group stand together in their order. All first parts are worked out side by side, then all second ones.
    """
    parts = pl.DataFrame({"group": group, "units": units, "whole": whole}).with_row_index("place")
    parts = parts.with_columns(rank=pl.col("place") - pl.col("place").first().over("group"))
    parts = parts.with_columns(more=pl.col("group").shift(-1).eq_missing(pl.col("group")))
    sizes = parts["rank"].value_counts().sort("rank")["count"].to_list()
    ordered = parts if len(sizes) <= 1 else parts.sort("rank", maintain_order=True)
    lefts = [amount.gather(ordered["group"].head(sizes[0] if sizes else 0)) for amount in amounts]
    found: list[list[pl.Series]] = [[] for _ in amounts]
    start = 0
    for size in sizes[:ROUNDS_MAX]:
        now = ordered.slice(start, size)
        shares = [_half_even(left, now["units"], now["whole"]) for left in lefts]
        lefts = [(left - share).filter(now["more"]) for left, share in zip(lefts, shares, strict=True)]
        for kept, share in zip(found, shares, strict=True):
            kept.append(share)
        start += size
    rest = ordered.slice(start)
    if len(rest):
        for kept, left in zip(found, lefts, strict=True):
            kept.append(_walked(left, sizes[ROUNDS_MAX:], rest))
    order = ordered["place"]
    return [_in_place(order, kept) for kept in found]


def _half_even(amount: pl.Series, units: pl.Series, whole: pl.Series) -> pl.Series:
    """amount × units / whole, rounded half to even; whole is above zero."""
    frame = pl.DataFrame({"product": amount * units, "whole": whole}).with_columns(below=pl.col("product") // pl.col("whole"))
    twice = (pl.col("product") - pl.col("below") * pl.col("whole")) * TWO
    is_odd = (pl.col("below") % TWO) != 0
    up = (twice > pl.col("whole")) | ((twice == pl.col("whole")) & is_odd)
    return frame.select(share=pl.col("below") + pl.when(up).then(ONE).otherwise(NONE)).to_series()


def _walked(left: pl.Series, sizes: list[int], rest: pl.DataFrame) -> pl.Series:
    """The same for groups with very many parts, one after the other."""
    amounts, found = left.to_list(), []
    units, whole, more = rest["units"].to_list(), rest["whole"].to_list(), rest["more"].to_list()
    start = 0
    for size in sizes:
        following = []
        for place, amount in zip(range(start, start + size), amounts, strict=True):
            below, over = divmod(amount * units[place], whole[place])
            share = below + (1 if 2 * over > whole[place] or (2 * over == whole[place] and below % 2) else 0)
            found.append(share)
            if more[place]:
                following.append(amount - share)
        amounts, start = following, start + size
    return pl.Series(found, dtype=pl.Int128)


def _in_place(order: pl.Series, kept: list[pl.Series]) -> pl.Series:
    if not kept:
        return pl.Series([], dtype=pl.Int128)
    return pl.DataFrame({"place": order, "share": pl.concat(kept)}).sort("place")["share"]


def _exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return min(exponent, 0) if isinstance(exponent, int) else 0


def _scaled(value: Decimal, digits: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    whole: int = numerator * 10**digits // denominator
    return whole
