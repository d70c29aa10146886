"""What a run owns, moved by its own fills and by splits. Lots and taxes are the portfolio's; this is only the run's state."""

from dataclasses import dataclass, replace

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.domain.decisions import FLAT, Holding

LEVELS_BY_KIND = (SignalKind.SCALE_OUT, SignalKind.TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class RunFill:
    """One execution of an order that this run asked for."""

    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    multiplier: Quantity


def cash_after(cash: Money, fill: RunFill) -> Money:
    """The run's free capital after a fill, fee included."""
    value = notional(fill.price, fill.quantity, fill.multiplier, cash.currency)
    return cash - value - fill.fee if fill.side is Side.BUY else cash + value - fill.fee


def holding_after(holding: Holding, fill: RunFill, stop_level: float | None) -> Holding:
    """What the run holds after a fill. Going flat ends the episode: levels and stop are forgotten."""
    moved = fill.quantity if fill.side is Side.BUY else -fill.quantity
    quantity = holding.quantity + moved
    if not quantity:
        return FLAT
    if fill.side is Side.BUY:
        return replace(
            holding,
            quantity=quantity,
            initial=holding.initial + fill.quantity,
            stop_level=stop_level or holding.stop_level,
        )
    return replace(holding, quantity=quantity)


def after_split(holding: Holding, numerator: int, denominator: int) -> Holding:
    """Quantities follow a split; levels on the adjusted series do not move."""
    return replace(
        holding,
        quantity=holding.quantity.scaled(numerator, denominator),
        initial=holding.initial.scaled(numerator, denominator),
    )
