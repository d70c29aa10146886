"""How the paper venue fills an order on one daily bar. Pure: an order and a bar in, a price or nothing out."""

from datetime import datetime

from quantmatrix.common.names import OrderType, Side
from quantmatrix.common.values import Price


def fill_price(
    side: Side,
    order_type: OrderType,
    limit: Price | None,
    stop: Price | None,
    accepted_at: datetime,
    opened_at: datetime,
    bar: tuple[Price, Price, Price],
) -> Price | None:
    """The price at which an order fills on a bar (open, high, low), or None.

    Only bars that open at or after the order was accepted count: nothing is filled on a price of the past. A market order
    fills at the open. A limit fills at the open when that is better, else at the limit when the bar reaches it. A stop
    that the open jumps over fills at the open, which is worse than its price.
    """
    if opened_at < accepted_at:
        return None
    opened, high, low = bar
    if order_type is OrderType.MARKET:
        return opened
    if order_type is OrderType.LIMIT and limit is not None:
        return _limit_fill(side, limit, opened, high, low)
    if order_type is OrderType.STOP and stop is not None:
        return _stop_fill(side, stop, opened, high, low)
    return None


def _limit_fill(side: Side, limit: Price, opened: Price, high: Price, low: Price) -> Price | None:
    if side is Side.BUY:
        if opened <= limit:
            return opened
        return limit if low <= limit else None
    if opened >= limit:
        return opened
    return limit if high >= limit else None


def _stop_fill(side: Side, stop: Price, opened: Price, high: Price, low: Price) -> Price | None:
    if side is Side.BUY:
        if opened >= stop:
            return opened
        return stop if high >= stop else None
    if opened <= stop:
        return opened
    return stop if low <= stop else None
