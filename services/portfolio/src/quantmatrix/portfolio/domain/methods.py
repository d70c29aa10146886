"""Which lots a fill uses up: the methods, each an order of lots, and which of them an account uses on a day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction

from quantmatrix.common.names import AssetClass, LotId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.lots import Fill, Lot, NamedLot, Pick, Picker, age, oldest_first
from quantmatrix.portfolio.domain.terms import Term, term

Rank = Callable[[Lot], tuple[Fraction, ...]]
"""Lots with smaller figures are used first."""


class LotMethod(StrEnum):
    """The order in which lots are used up. The last five are those of Interactive Brokers' lot matching page."""

    FIFO = "FIFO"
    LIFO = "LIFO"
    HIFO = "HIFO"
    LOFO = "LOFO"
    AVERAGE = "AVERAGE"
    SPECIFIC = "SPECIFIC"
    HIGHEST_COST = "HIGHEST_COST"
    MAX_LT_GAIN = "MAX_LT_GAIN"
    MAX_LT_LOSS = "MAX_LT_LOSS"
    MAX_ST_GAIN = "MAX_ST_GAIN"
    MAX_ST_LOSS = "MAX_ST_LOSS"


class LotChoiceError(ValueError):
    """Lots were named that cannot be used as named. Nothing is booked, and no other lot is taken instead."""


@dataclass(frozen=True, slots=True)
class LotMethods:
    """The methods of one account: `first` from the beginning, each change from its day on."""

    first: LotMethod = LotMethod.FIFO
    changes: tuple[tuple[date, LotMethod], ...] = ()

    def on(self, session: date) -> LotMethod:
        """The method that holds on a day; of two changes of one day the later stated one."""
        chosen = self.first
        for since, method in sorted(self.changes, key=lambda change: change[0]):
            if since <= session:
                chosen = method
        return chosen

    def changed(self, since: date, method: LotMethod) -> "LotMethods":
        """These methods, with another one from a day on."""
        return replace(self, changes=(*self.changes, (since, method)))


def picker_for(method: LotMethod) -> Picker:
    """The picker of a method. Lots that were named with the order go first under every method; futures are always FIFO."""
    by_method = _PICKERS[method]

    def pick(fill: Fill, lots: Sequence[Lot]) -> Sequence[Pick]:
        if fill.named:
            return named_lots(fill, lots)
        return oldest_first(fill, lots) if fill.instrument.asset_class is AssetClass.FUTURE else by_method(fill, lots)

    return pick


def named_lots(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    """The lots that a person named (26 CFR 1.1012-1(c)(2)), in the stated order.

    Raises LotChoiceError when a named lot is not open, holds less than named, or the names leave units open that other
    lots would have to cover.
    """
    if fill.instrument.asset_class is AssetClass.FUTURE:
        raise LotChoiceError(f"lots of the future {fill.instrument.symbol} cannot be named: futures are always first in, first out")
    open_lots = {lot.lot_id: lot for lot in lots}
    wanted: dict[LotId, Quantity] = {}
    for named in fill.named:
        wanted[named.lot_id] = wanted.get(named.lot_id, Quantity(0)) + named.quantity
    total = Quantity(0)
    for lot_id, quantity in wanted.items():
        held = abs(open_lots[lot_id].quantity) if lot_id in open_lots else Quantity(0)
        if quantity.value <= 0 or quantity > held:
            raise LotChoiceError(f"lot {lot_id} of {fill.instrument.symbol} has {held} open, named were {quantity}")
        total += quantity
    if total < min(fill.moved, _held(lots)):
        raise LotChoiceError(f"named lots cover {total} of {fill.moved} {fill.instrument.symbol}, and others are open")
    return [Pick(open_lots[lot_id], quantity) for lot_id, quantity in wanted.items()]


def still_named(named: Sequence[NamedLot], filled: Quantity) -> tuple[NamedLot, ...]:
    """What an order's named lots leave for its next fill, when `filled` units of it are booked already."""
    left, found = filled, []
    for one in named:
        used = min(left, one.quantity)
        left -= used
        if one.quantity > used:
            found.append(NamedLot(one.lot_id, one.quantity - used))
    return tuple(found)


def named_for(named: Sequence[NamedLot], before: Quantity, units: Quantity) -> tuple[NamedLot, ...]:
    """Which of an order's named lots are those of a fill of `units`, when `before` units of the order are booked already."""
    left, found = units, []
    for one in still_named(named, before):
        used = min(left, one.quantity)
        if used:
            found.append(NamedLot(one.lot_id, used))
        left -= used
    return tuple(found)


def identified(lots: Sequence[Lot], quantity: Quantity, unit_cost: Price | None = None, by_size: bool = False) -> tuple[NamedLot, ...]:
    """The lots that a person means by what a unit cost: the only one that matches, or all of them when they are sold whole.

    by_size: where several match, the oldest one of exactly this size. Raises LotChoiceError when it stays ambiguous, and
    when none matches. These are the strict booking methods of plain-text accounting.
    """
    matching = [lot for lot in sorted(lots, key=age) if unit_cost is None or (lot.basis is not None and _costs(lot, unit_cost))]
    if len(matching) == 1:
        return (NamedLot(matching[0].lot_id, quantity),)
    if matching and _held(matching) == quantity:
        return tuple(NamedLot(lot.lot_id, abs(lot.quantity)) for lot in matching)
    of_size = [lot for lot in matching if by_size and abs(lot.quantity) == quantity]
    if not of_size:
        raise LotChoiceError(f"{len(matching)} lots match, with {_held(matching)} units; {quantity} could be any of them: name the lot")
    return (NamedLot(of_size[0].lot_id, quantity),)


def no_lot(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    """Close nothing: the fill opens a lot beside those of the other side, as a short sale against the box does."""
    return []


def _newest_first(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    return [Pick(lot) for lot in sorted(lots, key=age, reverse=True)]


def _highest_first(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    return _ranked(lots, lambda lot: (-_unit_basis(lot),))


def _lowest_first(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    return _ranked(lots, lambda lot: (_unit_basis(lot),))


def _highest_cost(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    """The largest loss first, then the smallest gain: per unit that is the smallest gain of all first."""
    return _ranked(lots, lambda lot: (_unit_gain(fill, lot),))


def _averaged(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
    """Every unit gets the same share of the whole basis; dates and order stay first in, first out (26 CFR 1.1012-1(e)).

    While one basis is unknown, so is the average: all of them become unknown, until the missing one is supplied and the
    book is made anew.
    """
    ordered = sorted(lots, key=age)
    bases = [lot.basis for lot in ordered if lot.basis is not None]
    if len(bases) < len(ordered):
        return [Pick(replace(lot, basis=None), rebased=True) for lot in ordered]
    left, basis_left = _held(ordered), Money.zero(fill.instrument.currency)
    for basis in bases:
        basis_left += basis
    picks = []
    for lot in ordered:
        basis = basis_left.share(abs(lot.quantity), left)
        picks.append(Pick(replace(lot, basis=basis), rebased=True))
        left, basis_left = left - abs(lot.quantity), basis_left - basis
    return picks


_PREFERRED = {
    LotMethod.MAX_LT_GAIN: (Term.LONG, True),
    LotMethod.MAX_LT_LOSS: (Term.LONG, False),
    LotMethod.MAX_ST_GAIN: (Term.SHORT, True),
    LotMethod.MAX_ST_LOSS: (Term.SHORT, False),
}


def _maximised(method: LotMethod) -> Picker:
    """Wanted result of the wanted term, wanted result of the other term, then the unwanted one as small as it can be.

    Of the unwanted result the other term comes first: the long-term gain rule ends with short-term losses, then long-term ones.
    """
    wanted_term, wants_gain = _PREFERRED[method]

    def pick(fill: Fill, lots: Sequence[Lot]) -> list[Pick]:
        def rank(lot: Lot) -> tuple[Fraction, ...]:
            gain = _unit_gain(fill, lot)
            wanted = (gain >= 0) if wants_gain else (gain <= 0)
            is_preferred = _term_of(fill, lot) is wanted_term
            group = (0 if is_preferred else 1) if wanted else (3 if is_preferred else 2)
            return (Fraction(group), -gain if wants_gain else gain)

        return _ranked(lots, rank)

    return pick


def _ranked(lots: Sequence[Lot], rank: Rank) -> list[Pick]:
    """By rank, then by age. A lot whose basis or date is unknown cannot be ranked and goes last."""
    known = [lot for lot in lots if lot.basis is not None and lot.dated]
    others = [lot for lot in lots if lot.basis is None or not lot.dated]
    return [Pick(lot) for lot in (*sorted(known, key=lambda lot: (rank(lot), age(lot))), *sorted(others, key=age))]


def _held(lots: Sequence[Lot]) -> Quantity:
    total = Quantity(0)
    for lot in lots:
        total += abs(lot.quantity)
    return total


def _unit_basis(lot: Lot) -> Fraction:
    """Cost of a long unit, proceeds of a short one; above zero for both."""
    return Fraction(lot.known_basis.amount) / Fraction(lot.quantity.value)


def _costs(lot: Lot, unit_cost: Price) -> bool:
    return _unit_basis(lot) == Fraction(unit_cost.value) * Fraction(lot.instrument.multiplier.value)


def _unit_gain(fill: Fill, lot: Lot) -> Fraction:
    price = Fraction(fill.value.amount) / Fraction(fill.quantity.value)
    return price - _unit_basis(lot) if lot.quantity.value > 0 else _unit_basis(lot) - price


def _term_of(fill: Fill, lot: Lot) -> Term:
    """A short sale is short-term, however long it was open."""
    return term(lot.opened_on, fill.session) if lot.quantity.value > 0 else Term.SHORT


_PICKERS: dict[LotMethod, Picker] = {
    LotMethod.FIFO: oldest_first,
    LotMethod.LIFO: _newest_first,
    LotMethod.HIFO: _highest_first,
    LotMethod.LOFO: _lowest_first,
    LotMethod.AVERAGE: _averaged,
    LotMethod.SPECIFIC: oldest_first,
    LotMethod.HIGHEST_COST: _highest_cost,
    LotMethod.MAX_LT_GAIN: _maximised(LotMethod.MAX_LT_GAIN),
    LotMethod.MAX_LT_LOSS: _maximised(LotMethod.MAX_LT_LOSS),
    LotMethod.MAX_ST_GAIN: _maximised(LotMethod.MAX_ST_GAIN),
    LotMethod.MAX_ST_LOSS: _maximised(LotMethod.MAX_ST_LOSS),
}
