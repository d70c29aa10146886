"""The checks that every order of a run passes, in a backtest as live: nothing is bought without cash, nothing sold that is not held.

Puts may be sold without being held as far as the run's free cash could take their shares at the strike, calls as far as its free shares cover them.
"""

from quantmatrix.common.names import Side
from quantmatrix.common.options import is_closing
from quantmatrix.common.values import Money, Quantity

NOTHING = Quantity(0)


def refusal(
    side: Side,
    quantity: Quantity,
    held: Quantity,
    selling: Quantity,
    needed: Money,
    free: Money,
    secures: Money | None = None,
    *,
    covered: Quantity | None = None,
    bound: Quantity = NOTHING,
) -> tuple[str, str] | None:
    """Why an order is not made: a code and its figures; None when it may be.

    held: below zero what was sold. selling: what orders under way already sell. needed: what a purchase costs at the close that it
    was decided on. free: the run's cash less what purchases under way take and sold puts bind. secures: what puts bind that
    are sold without being held; None where they are no puts. covered: calls that the run's free shares cover; None where it is no call.
    bound: shares that sold calls bind, where it is their stock. What closes a sold position is never refused.
    """
    if side is Side.SELL:
        after = selling + quantity
        if after + bound <= held:
            return None
        if bound and after <= held:
            return "SHARES_BOUND", f"held {held}, selling {after}, sold calls bind {bound}"
        if covered is not None:
            short = after - max(held, NOTHING)
            return None if short <= covered else ("CALL_NOT_COVERED", f"selling {short} calls, free shares cover {covered}")
        if secures is None:
            return "POSITION_SHORT", f"held {held}, selling {after}"
        return ("CASH_SECURED", f"{quantity} sold puts bind {secures}, free {free}") if secures > free else None
    if is_closing(side, held) and quantity <= -held:
        return None
    return ("BUYING_POWER", f"needed {needed}, free {free}") if needed > free else None


def taken(side: Side, held: Quantity, needed: Money, secures: Money | None) -> Money:
    """What an order that may be made takes of the free cash until it is over: nothing when it leaves what is held."""
    if is_closing(side, held):
        return Money.zero(needed.currency)
    return needed if side is Side.BUY else secures or Money.zero(needed.currency)
