"""Shares of amounts for many groups at once: each part gets its share of what is left, rounded to the even neighbour.

That is what `Money.share` makes of one amount, part after part, to the last digit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
"""Integers of 64 bits; amounts may be Python's own integers instead."""
ROUNDS_MAX = 48
"""Parts of one group that are worked out side by side with those of other groups; what goes on longer is walked one by one."""
_DOUBLE_MAX = 2**52


@dataclass(frozen=True, slots=True)
class Shared:
    """Parts of groups; those of a group stand together in their order.

    group, units and whole (what of the group is left before it) have one row a part; firsts and lasts (the places of the outer parts
    of each group) and leaving (how many of its parts leave something of it) one a group that has parts.
    """

    group: Ints
    units: Ints
    whole: Ints
    firsts: Ints
    lasts: Ints
    leaving: Ints

    @classmethod
    def of(cls, group: Ints, units: Ints, whole: Ints) -> "Shared":
        """Only the last part of a group may take all that is left of it."""
        lasts = np.append(np.flatnonzero(group[1:] != group[:-1]), len(group) - 1) if len(group) else group[:0]
        firsts = np.zeros_like(lasts)
        np.add(lasts[:-1], 1, out=firsts[1:])
        leaving = lasts - firsts
        leaving += units.take(lasts) != whole.take(lasts)
        return cls(group, units, whole, firsts, lasts, leaving)

    def shares(self, amounts: Ints, sizes: Ints) -> Ints:
        """Of each amount the share of each part in that of its group, after its predecessors. amounts and sizes have one row a group.

        An amount is so much a unit and a rest smaller than the size: only the rest is ever rounded.
        """
        each = amounts // sizes
        rests = amounts - each * sizes
        shares: Ints = each.take(self.group) * self.units
        if len(self.group) and rests.any():
            self._add_rests(shares, rests.take(self.group.take(self.firsts)), int(sizes.max()) ** 2 < _DOUBLE_MAX)
        return shares

    def _add_rests(self, shares: Ints, rests: Ints, is_small: bool) -> None:
        """Add to each part what it gets of its group's rest: all first parts are worked out side by side, then all second ones.

        A rest is from zero to its group's size. The part that takes all that is left of its group takes all that is left of the rest.
        """
        going = np.flatnonzero(self.leaving)
        for number in range(ROUNDS_MAX):
            if not len(going):
                break
            places = self.firsts.take(going)
            places += number
            left = rests.take(going)
            share = _half_even(left, self.units.take(places), self.whole.take(places), shares, places, is_small)
            shares[places] += share
            rests[going] = left - share
            going = going.compress(self.leaving.take(going) > number + 1)
        for group in going.tolist():
            rests[group] = self._walk(shares, group, int(rests[group]))
        shares[self.lasts] += np.where(self.whole.take(self.lasts) == self.units.take(self.lasts), rests, 0)

    def _walk(self, shares: Ints, group: int, left: int) -> int:
        """The same for a group with very many parts, one after the other; what is left of its rest."""
        first = int(self.firsts[group])
        for place in range(first + ROUNDS_MAX, first + int(self.leaving[group])):
            whole = int(self.whole[place])
            below, over = divmod(left * int(self.units[place]), whole)
            share = below + (2 * over > whole or (2 * over == whole and (below + int(shares[place])) % 2 == 1))
            shares[place] += share
            left -= share
        return left


def _half_even(left: Ints, units: Ints, whole: Ints, shares: Ints, places: Ints, is_small: bool) -> Ints:
    """left * units / whole, rounded so that it is even with the share at its place that it is added to.

    is_small: no product reaches 2^52. The nearest double of a quotient of such numbers never reaches the next whole number.
    """
    product = left * units
    below: Ints = (product / whole).astype(np.int64) if is_small and product.dtype != object else product // whole
    twice = product - below * whole
    twice += twice
    ties = np.flatnonzero(twice == whole)
    odd = (below[ties] + shares[places[ties]]) & 1
    below += twice > whole
    below[ties] += odd
    return below
