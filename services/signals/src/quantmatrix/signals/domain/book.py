"""What a run owns, moved by its own fills and by splits. Lots and taxes are the portfolio's; this is only the run's state."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from quantmatrix.common.names import Side
from quantmatrix.common.option_ends import ContractEnd
from quantmatrix.common.options import CONTRACT_SIZE, is_closing
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.domain.decisions import FLAT, Holding

_ONE = Quantity(1)


@dataclass(frozen=True, slots=True)
class RunFill:
    """One execution of an order that this run asked for, or one side of contracts that ended.

    carried: the cost that a contract leaves to the shares it delivers, which the one side pays and the other one gets; None but for
    such ends. paid: what it changes in cash, or is reckoned to, with fee and what is carried; negative for a purchase.
    """

    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    multiplier: Quantity
    carried: Money | None = None
    paid: Money = field(init=False, compare=False)

    def __post_init__(self) -> None:
        value = notional(self.price, self.quantity, self.multiplier, self.fee.currency)
        paid = -value - self.fee if self.side is Side.BUY else value - self.fee
        object.__setattr__(self, "paid", paid if self.carried is None else paid - self.carried)


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

    A fill that opens adds what it took out of the cash to the cost, which of something sold is what it brought, below zero. One that
    closes takes the cost's share of what it closes (average cost); what it moves beyond that is held without a cost.
    """
    moved = fill.quantity if fill.side is Side.BUY else -fill.quantity
    quantity = holding.quantity + moved
    if not quantity:
        return FLAT
    cost = holding.cost or Money.zero(fill.fee.currency)
    if not is_closing(fill.side, holding.quantity):
        return Holding(quantity, holding.initial + moved, stop_level or holding.stop_level, holding.levels_done, cost - fill.paid)
    closed = min(fill.quantity, abs(holding.quantity))
    left = cost - cost.share(closed, abs(holding.quantity))
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


def end_fills(end: ContractEnd, strike: Price, option: Holding, fee: Money) -> tuple[RunFill, RunFill | None]:
    """What the end of contracts that a run holds is to it: a fill of the contracts, and one of the shares where some change hands.

    The premium goes into the shares (Publication 550, "Puts and Calls"): a delivery closes the contracts at their own cost, without gain, and
    that cost is carried into the shares' cost or proceeds. Both together move `end.cash` less the fee.
    """
    nothing = Money.zero(fee.currency)
    if not end.delivers:
        return RunFill(end.side, end.contracts, end.price, fee, CONTRACT_SIZE), None
    cost = (option.cost or nothing).share(end.contracts, abs(option.quantity)) if option.quantity else nothing
    closing = RunFill(end.side, end.contracts, end.price, nothing, CONTRACT_SIZE, -cost)
    value = notional(strike, end.shares, _ONE, fee.currency)
    more = (end.paid - value).times(Decimal(end.share_side.sign))
    return closing, RunFill(end.share_side, end.shares, strike, fee, _ONE, cost + more)


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
