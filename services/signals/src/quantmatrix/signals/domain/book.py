"""What a run owns, moved by its own fills and by splits. Lots and taxes are the portfolio's; this is only the run's state."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.domain.decisions import FLAT, Holding

LEVELS_BY_KIND = (SignalKind.SCALE_OUT, SignalKind.TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class RunFill:
    """One execution of an order that this run asked for. paid: what it changes in cash, fee included; negative for a purchase."""

    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    multiplier: Quantity
    paid: Money = field(init=False, compare=False)

    def __post_init__(self) -> None:
        value = notional(self.price, self.quantity, self.multiplier, self.fee.currency)
        object.__setattr__(self, "paid", -value - self.fee if self.side is Side.BUY else value - self.fee)


@dataclass(frozen=True, slots=True)
class Filled:
    """A fill as a fact of a run's instrument, with the stop that its order brought."""

    fill: RunFill
    stop_level: float | None = None


@dataclass(frozen=True, slots=True)
class SplitDone:
    """A split as a fact: numerator new units for denominator old ones."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class LevelDone:
    """A level of the strategy that will not act again before the run is flat."""

    level: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A holding whose earlier facts are not on record."""

    holding: Holding


Fact = Filled | SplitDone | LevelDone | Carried


def cash_after(cash: Money, fill: RunFill) -> Money:
    """The run's free capital after a fill, fee included."""
    return cash + fill.paid


def holding_after(holding: Holding, fill: RunFill, stop_level: float | None) -> Holding:
    """What the run holds after a fill. Going flat ends the episode: levels, stop and cost are forgotten.

    A purchase adds what was paid to the cost; a sale takes the cost's share of what is sold (average cost).
    """
    moved = fill.quantity if fill.side is Side.BUY else -fill.quantity
    quantity = holding.quantity + moved
    if not quantity:
        return FLAT
    cost = holding.cost or Money.zero(fill.fee.currency)
    if fill.side is Side.BUY:
        initial, stop, cost = holding.initial + fill.quantity, stop_level or holding.stop_level, cost - fill.paid
        return Holding(quantity, initial, stop, holding.levels_done, cost)
    sold = min(fill.quantity, holding.quantity)
    left = cost - cost.share(sold, holding.quantity) if sold.value > 0 else cost
    return Holding(quantity, holding.initial, holding.stop_level, holding.levels_done, left)


def realised_by(before: Holding, after: Holding, fill: RunFill) -> Money:
    """What a fill gained: the cash it brought less the cost of what went; zero for a purchase that adds to a position."""
    nothing = Money.zero(fill.fee.currency)
    return fill.paid + (after.cost or nothing) - (before.cost or nothing)


def after_split(holding: Holding, numerator: int, denominator: int) -> Holding:
    """Quantities follow a split; levels on the adjusted series do not move, and neither does what was paid."""
    return replace(
        holding,
        quantity=holding.quantity.scaled(numerator, denominator),
        initial=holding.initial.scaled(numerator, denominator),
    )


def rebuilt(facts: Iterable[Fact]) -> Holding:
    """What a run holds of one instrument after these facts, in the order they were heard."""
    holding = FLAT
    for fact in facts:
        match fact:
            case Filled():
                holding = holding_after(holding, fact.fill, fact.stop_level) if fact.fill.quantity else holding
            case SplitDone():
                holding = after_split(holding, fact.numerator, fact.denominator)
            case LevelDone():
                holding = replace(holding, levels_done=holding.levels_done | {fact.level})
            case Carried():
                holding = fact.holding
    return holding
