"""Shares of amounts for many groups at once: each part gets its share of what is left, rounded to the even neighbour.

That is what `Money.share` makes of one amount, part after part, to the last digit.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
"""Integers of 64 bits; amounts may be Python's own integers instead."""
ROUNDS_MAX = 48
"""Parts of one group that are worked out side by side with those of other groups; what goes on longer is walked one by one."""
_DOUBLE_MAX = 2**52


def shares_of(amounts: Ints, sizes: Ints, group: Ints, units: Ints, whole: Ints) -> Ints:
    """Of each amount the share of each part in that of its group, after its predecessors.

    amounts and sizes have one row a group; units and whole (what of the group is left) one a part. Parts of a group stand
    together in their order. An amount is so much a unit and a rest smaller than the size: only the rest is ever rounded.
    """
    each = amounts // sizes
    rests = amounts - each * sizes
    shares: Ints = each[group] * units
    if len(group) and rests.any():
        _share_rests(shares, rests, group, units, whole)
    return shares


def _share_rests(shares: Ints, rests: Ints, group: Ints, units: Ints, whole: Ints) -> None:
    """Add to each part what it gets of its group's rest: all first parts are worked out side by side, then all second ones.

    A rest is from zero to its group's size. The part that takes all that is left of its group takes all that is left of the rest.
    """
    is_first = np.concatenate([[True], group[1:] != group[:-1]])
    places = np.flatnonzero(is_first)
    rest = rests[group[places]]
    places, rest = _open(places, rest)
    ends = np.append(is_first[1:], True)
    for _ in range(ROUNDS_MAX):
        if not len(places):
            return
        of_part, of_whole = units[places], whole[places]
        takes_all = of_part == of_whole
        shares[places[takes_all]] += rest[takes_all]
        partly = np.flatnonzero(~takes_all)
        places, rest = places[partly], rest[partly]
        share = _half_even(rest, of_part[partly], of_whole[partly], shares[places])
        shares[places] += share
        rest -= share
        goes_on = ~ends[places]
        places, rest = _open(places[goes_on] + 1, rest[goes_on])
    for place, left in zip(places.tolist(), rest.tolist(), strict=True):
        _walk(shares, place, left, (units, whole, ends))


def _open(places: Ints, rest: Ints) -> tuple[Ints, Ints]:
    """Those of whose rest something is left."""
    some = np.flatnonzero(rest)
    return places[some], rest[some]


def _half_even(rest: Ints, units: Ints, whole: Ints, shares: Ints) -> Ints:
    """rest * units / whole, rounded so that it is even with the share that it is added to."""
    product = rest * units
    below = _quotients(product, whole)
    twice = product - below * whole
    twice += twice
    ties = np.flatnonzero(twice == whole)
    odd = (below[ties] + shares[ties]) & 1
    below += twice > whole
    below[ties] += odd
    return below


def _quotients(product: Ints, whole: Ints) -> Ints:
    """Rounded down. The nearest double of a quotient of numbers below 2^52 never reaches the next whole number."""
    if product.dtype == object or int(product.max(initial=0)) >= _DOUBLE_MAX or int(whole.max(initial=0)) >= _DOUBLE_MAX:
        return product // whole
    return (product / whole).astype(np.int64)


def _walk(shares: Ints, place: int, left: int, parts: tuple[Ints, Ints, Ints]) -> None:
    """The same for a group with very many parts, one after the other."""
    units, whole, ends = parts
    while left:
        below, over = divmod(left * int(units[place]), int(whole[place]))
        twice = 2 * over
        share = below + (twice > whole[place] or (twice == whole[place] and (below + int(shares[place])) % 2 == 1))
        shares[place] += share
        left -= share
        if ends[place]:
            return
        place += 1
