"""All fills of equal purchases at once: whole numbers of 64 bits, and only where nothing can overflow and the cash covers everything."""

from dataclasses import dataclass
from decimal import Decimal
from math import gcd

import numpy as np

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money
from quantmatrix.signals.backtest.column_run import Ints, Walked
from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.backtest.rules import Commission, FillRules

SAFE_MAX = 2**62
_UNIT: int = 10**FRACTION_DIGITS_MAX


@dataclass(frozen=True, slots=True)
class Path:
    """From purchase to sale: the bars of the decisions to buy and to sell. waiting: a purchase decided on the last bar, never filled."""

    buys: Ints
    sales: Ints
    waiting: int | None


def path_of(entries: Ints, leaves: Ints, end: int) -> Path:
    """Which bars are acted on. entries: bars on which something may be bought; leaves: bars on which what is held is sold.

    Both ascend; a sale comes after its purchase, and the next purchase after that. Bar `end - 1` is the last one.
    """
    sales = following(leaves, entries, end)
    buys, sold = entries, sales
    if not (entries[1:] > sales[:-1]).all():
        taken, free = [], -1
        for place, (bar, sale) in enumerate(zip(entries.tolist(), sales.tolist(), strict=True)):
            if bar > free:
                taken.append(place)
                free = sale
        places = np.array(taken, np.int64)
        buys, sold = entries[places], sales[places]
    waiting = end - 1 if len(buys) and buys[-1] == end - 1 else None
    return Path(buys if waiting is None else buys[:-1], sold[sold < end], waiting)


def following(leaves: Ints, entries: Ints, never: int) -> Ints:
    """The first of `leaves` after each of `entries`; `never` where there is none."""
    places = np.searchsorted(leaves, entries, side="right")
    found: Ints = np.full(len(entries), never)
    there = places < len(leaves)
    found[there] = leaves[places[there]]
    return found


def filled_at_once(history: History, cash: Money, rules: FillRules, path: Path, wanted: int) -> Walked | None:
    """Every purchase of `wanted` units and every sale at the open after its decision.

    None when a purchase has to be refused or cut, or an amount might not fit: then fills are made one by one.
    """
    opening = int(cash.amount.scaleb(FRACTION_DIGITS_MAX))
    unit = int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits)
    decided = np.empty(len(path.buys) + len(path.sales), np.int64)
    decided[::2], decided[1::2] = path.buys, path.sales
    opens, closes = history.units("open").to_numpy(), history.units("close").to_numpy()
    price, largest = opens[decided + 1], history.largest
    size = wanted * int(history.multiplier.value)
    fees = fees_at_once(rules.commission, wanted, price * size, history.digits) if wanted and size * largest < SAFE_MAX else None
    if fees is None:
        return None
    digits = _digits(unit, opening, fees)
    scale = 10 ** (FRACTION_DIGITS_MAX - digits)
    opening, weight, fees = opening // scale, wanted * unit // scale, fees // scale
    if max(opening, weight * largest) >= SAFE_MAX:
        return None
    values = price * weight
    after = _paid(opening, values, fees)
    if after is None or not _covers(path, np.append(opening, after[1::2]), closes, values[::2] + fees[::2], weight):
        return None
    units = np.full(len(decided), wanted)
    held = units.copy()
    held[1::2] = 0
    return Walked(decided, units, units, held, price, fees, after, opening, digits, [])


def _paid(opening: int, values: Ints, fees: Ints) -> Ints | None:
    """The cash after each fill, purchase and sale in turn; None when it may not fit."""
    flows = values - fees
    flows[::2] = -(values[::2] + fees[::2])
    if len(flows) and float(np.abs(np.cumsum(flows, dtype=np.float64)).max()) + opening >= SAFE_MAX:
        return None
    return np.cumsum(flows) + opening


def _covers(path: Path, before: Ints, closes: Ints, paid: Ints, weight: int) -> bool:
    """Whether the cash before every purchase covers it, at the close of its decision and at the open with its fee."""
    bars = path.buys if path.waiting is None else np.append(path.buys, path.waiting)
    return bool((before[: len(bars)] >= closes[bars] * weight).all() and (before[: len(paid)] >= paid).all())


def _digits(unit: int, opening: int, fees: Ints) -> int:
    """As few digits as hold every amount exactly: unit, opening and fees are in 10^-12."""
    common, digits = gcd(unit, opening, int(np.gcd.reduce(fees)) if len(fees) else 0), FRACTION_DIGITS_MAX
    while digits and common % 10 == 0:
        common, digits = common // 10, digits - 1
    return digits


def fees_at_once(commission: Commission, quantity: int, values: Ints, digits: int) -> Ints | None:
    """`Commission.of` orders of one quantity, in 10^-12 of money; values in 10^-digits. None when they may not fit."""
    most, share = commission.maximum_pct.scaleb(-2), commission.value_pct.scaleb(-2)
    fixed = max(quantity * commission.per_unit, commission.minimum)
    places = max(FRACTION_DIGITS_MAX, _places(fixed), digits + _places(most), digits + _places(share))
    flat, capped, shared = int(fixed.scaleb(places)), int(most.scaleb(places - digits)), int(share.scaleb(places - digits))
    if abs(flat) + int(values.max(initial=0)) * (abs(capped) + abs(shared)) >= SAFE_MAX or 10**places // _UNIT >= SAFE_MAX:
        return None
    amounts = values * shared + (np.minimum(values * capped, flat) if capped else flat)
    return _half_even(amounts, 10**places // _UNIT)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _half_even(amounts: Ints, by: int) -> Ints:
    if by == 1:
        return amounts
    below, over = np.divmod(amounts, by)
    rounded: Ints = below + ((2 * over > by) | ((2 * over == by) & (below % 2 == 1)))
    return rounded
