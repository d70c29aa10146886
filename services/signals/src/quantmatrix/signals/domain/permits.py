"""The two checks that every order of a run passes, in a backtest as live: nothing is sold that is not held, nothing bought without cash."""

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Quantity


def refusal(side: Side, quantity: Quantity, held: Quantity, selling: Quantity, needed: Money, free: Money) -> tuple[str, str] | None:
    """Why an order is not made: a code and its figures; None when it may be.

    selling: what orders under way already sell. needed: what a purchase costs at the close that it was decided on.
    free: the run's cash less what purchases under way take.
    """
    if side is Side.SELL:
        after = selling + quantity
        return ("POSITION_SHORT", f"held {held}, selling {after}") if after > held else None
    return ("BUYING_POWER", f"needed {needed}, free {free}") if needed > free else None
