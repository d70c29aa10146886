"""The short-sale rules: what shorting something that one holds does to terms and holding periods (IRC 1233, Publication 550)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding
from quantmatrix.portfolio.domain.terms import Term, long_from


def short_sale_rules(holdings: Iterable[Holding]) -> list[Holding]:
    """The holdings with the rules applied, divided where only some units are touched; others are given back unchanged.

    Units held one year or less at the short sale, or acquired before it is closed: the gain on the short sale is
    short-term, and their holding begins anew when it is closed, or when they are sold if that is earlier. Units held
    longer: a loss on the short sale is long-term. Up to the units shorted, earliest acquired first, over all accounts.
    """
    longs: dict[InstrumentId, list[Holding]] = {}
    shorts, untouched = [], []
    for one in holdings:
        if one.acquired_on is None:
            untouched.append(one)
        elif one.is_short:
            shorts.append(one)
        else:
            longs.setdefault(one.security, []).append(one)
    done = []
    for short in sorted(shorts, key=_acquired):
        beside = longs.get(short.security, [])
        longs[short.security] = _moved(short, beside)
        done += _with_long_term_loss(short, beside)
    return [*untouched, *done, *(one for parts in longs.values() for one in parts)]


def _acquired(holding: Holding) -> tuple[date, int, str]:
    return holding.acquired_on or date.min, holding.bought_place, str(holding.lot_id)


def _moved(short: Holding, longs: list[Holding]) -> list[Holding]:
    """The longs, with the holding period of as many units as were shorted begun anew."""
    left, found = short.quantity, []
    for one in sorted(longs, key=_acquired):
        if not left or not _is_young(one, short):
            found.append(one)
            continue
        first, rest = one.divided(min(left, one.quantity))
        left -= first.quantity
        found.append(replace(first, held_from=_begins(first, short)))
        if rest.quantity:
            found.append(rest)
    return found


def _begins(long: Holding, short: Holding) -> date | None:
    """When the holding begins anew. While both are open that is not settled, and no term depends on it yet."""
    return min((day for day in (short.disposed_on, long.disposed_on) if day is not None), default=long.held_from)


def _is_young(long: Holding, short: Holding) -> bool:
    """Held for one year or less when shorted, or acquired while the short sale was open."""
    if not _is_there(long, short):
        return False
    opened, acquired = short.acquired_on or date.min, long.acquired_on or date.min
    if acquired > opened:
        return short.disposed_on is None or acquired <= short.disposed_on
    return opened < long_from(long.since or acquired)


def _is_old(long: Holding, short: Holding) -> bool:
    opened, acquired = short.acquired_on or date.min, long.acquired_on or date.min
    return _is_there(long, short) and acquired <= opened and opened >= long_from(long.since or acquired)


def _is_there(long: Holding, short: Holding) -> bool:
    return long.disposed_on is None or long.disposed_on > (short.acquired_on or date.min)


def _with_long_term_loss(short: Holding, longs: list[Holding]) -> list[Holding]:
    gain = short.gain
    if gain is None or gain.amount >= 0:
        return [short]
    old = Quantity(0)
    for one in longs:
        if _is_old(one, short):
            old += one.quantity
    if not old:
        return [short]
    touched, rest = short.divided(min(old, short.quantity))
    touched = replace(touched, ruled_term=Term.LONG)
    return [touched, rest] if rest.quantity else [touched]
