"""The figures before and after, and their difference taken apart: each cause is removed in turn, so the amounts add up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TypeVar

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, Side
from quantmatrix.common.values import round_half_even
from quantmatrix.operations.legacy.books import NONE, Position, booked_positions
from quantmatrix.operations.legacy.found import ROW_CAUSES, Cause, Flow, Found, OldFlow, Where

DIGITS = 64
F = TypeVar("F", Flow, OldFlow)
EMPTY = Position(NONE, NONE, NONE, NONE, NONE, NONE)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is held, what was gained by selling, and what the held units cost."""

    quantity: Decimal
    realised: Decimal
    open_cost: Decimal

    def less(self, other: "Figures") -> "Figures":
        return Figures(self.quantity - other.quantity, self.realised - other.realised, self.open_cost - other.open_cost)

    def plus(self, other: "Figures") -> "Figures":
        return Figures(self.quantity + other.quantity, self.realised + other.realised, self.open_cost + other.open_cost)

    def __bool__(self) -> bool:
        return bool(self.quantity or self.realised or self.open_cost)


NOTHING = Figures(NONE, NONE, NONE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One instrument of one account: before + the differences = after, in every figure."""

    where: Where
    instrument: Instrument
    before: Figures
    after: Figures
    differences: Mapping[Cause, Figures]
    position: Position

    @property
    def adds_up(self) -> bool:
        total = self.before
        for difference in self.differences.values():
            total = total.plus(difference)
        return total == self.after


@dataclass(frozen=True, slots=True)
class AccountComparison:
    """The gain that the older system stored for an account, and the one its own rows give. after: ours."""

    account: AccountId
    currency: str
    stored: Decimal
    own_rows: Decimal
    after: Decimal


def compare(found: Found, openings: Mapping[Where, Decimal]) -> list[Comparison]:
    """Every instrument that has a figure before or after, in the order of their names."""
    bare, full = (booked_positions(found.trades, openings, fees=fees) for fees in (False, True))
    old = _split(found.old)
    rows = {cause: _split(found.stages[cause]) for cause in ROW_CAUSES}
    everywhere = {*full, *(found.stored or {}), *old, *(where for flows in rows.values() for where in flows)}
    made = []
    for where in sorted(everywhere):
        position = full.get(where, EMPTY)
        stages = {Cause.STORED: old_figures(old.get(where, ()))}
        stages |= {cause: average_figures(flows.get(where, ())) for cause, flows in rows.items()}
        known = rows[Cause.MORE].get(where, [])
        stages[Cause.OPENING] = _without_opening(known, bare.get(where, EMPTY), openings.get(where, NONE))
        stages[Cause.METHOD] = _figures(bare.get(where, EMPTY))
        stages[Cause.FEES] = _figures(position)
        before = _stored(found, where, stages[Cause.STORED])
        made.append(Comparison(where, found.instruments[where], before, _figures(position), _steps(before, stages), position))
    return made


def compare_accounts(found: Found, comparisons: Iterable[Comparison]) -> list[AccountComparison]:
    """The gains that were stored by account, beside the sums of the instruments in that currency."""
    known = list(comparisons)
    old = {where: old_figures(flows) for where, flows in _split(found.old).items()}
    made = []
    for account, stored in sorted(found.stored_realised.items()):
        mine = [one for one in known if one.where[0] == account and one.instrument.currency == stored.currency]
        own = sum((old.get(one.where, NOTHING).realised for one in mine), NONE)
        made.append(AccountComparison(account, stored.currency, stored.amount, own, sum((one.after.realised for one in mine), NONE)))
    return made


def average_figures(flows: Iterable[Flow]) -> Figures:
    """What the older system would say with exact numbers: one average cost over everything ever bought, no fees."""
    with localcontext(prec=DIGITS):
        bought = cost = sold = proceeds = NONE
        for flow in flows:
            if flow.side is Side.BUY:
                bought, cost = bought + flow.quantity, cost + flow.value
            else:
                sold, proceeds = sold + flow.quantity, proceeds + flow.value
        average = cost / bought if bought else NONE
        left = cost if not sold else cost * (bought - sold) / bought if bought else NONE
        return Figures(bought - sold, round_half_even(proceeds - sold * average), round_half_even(left))


def old_figures(flows: Iterable[OldFlow]) -> Figures:
    """What the older system says, in its own floats."""
    bought = cost = sold = proceeds = 0.0
    for flow in flows:
        if flow.side is Side.BUY:
            bought, cost = bought + flow.quantity, cost + flow.value
        else:
            sold, proceeds = sold + flow.quantity, proceeds + flow.value
    average = cost / bought if bought else 0.0
    made = (bought - sold, proceeds - sold * average, average * (bought - sold))
    return Figures(*(round_half_even(Decimal(repr(figure))) for figure in made))


def _without_opening(flows: list[Flow], position: Position, opening: Decimal) -> Figures:
    """The same average without the units that came out of the opening lot: their gain is pending, not zero."""
    taken = [Flow(flows[0].where, Side.SELL, -position.pending, -position.pending_proceeds)] if position.pending else []
    found = average_figures([*flows, *taken])
    return Figures(found.quantity - position.pending + opening, found.realised, found.open_cost)


def _figures(position: Position) -> Figures:
    return Figures(position.quantity, position.realised, position.open_cost)


def _stored(found: Found, where: Where, own: Figures) -> Figures:
    """What the older system said before: what it stored as held, and for the rest its own arithmetic."""
    if found.stored is None:
        return own
    stored = found.stored.get(where)
    if stored is None:
        return Figures(NONE, own.realised, NONE)
    return Figures(stored.quantity, own.realised, own.open_cost if stored.open_cost is None else stored.open_cost)


def _steps(before: Figures, stages: Mapping[Cause, Figures]) -> dict[Cause, Figures]:
    steps: dict[Cause, Figures] = {}
    for cause, figures in stages.items():
        step = figures.less(before)
        if step:
            steps[cause] = step
        before = figures
    return steps


def _split(flows: Iterable[F]) -> dict[Where, list[F]]:
    found: dict[Where, list[F]] = {}
    for flow in flows:
        found.setdefault(flow.where, []).append(flow)
    return found
