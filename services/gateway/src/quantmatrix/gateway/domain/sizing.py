"""How an amount of money becomes an order, and what speaks against it. Pure; the risk gate of execution decides in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

from quantmatrix.common.contracts.asking.execution import OrderSummary
from quantmatrix.common.names import InstrumentId, LotId, OrderState, Side
from quantmatrix.common.values import Money, Price, Quantity, notional

WORKING = frozenset({OrderState.SUBMITTING, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.CANCELLING, OrderState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class No:
    """Why there is no order: a stable code and its figures."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants: so much money's worth of an instrument at its last price."""

    instrument_id: InstrumentId
    symbol: str
    side: Side
    size: Money
    price: Price
    multiplier: Quantity
    lot_size: Quantity


def quantity_for(wish: Wish) -> Quantity:
    """The largest quantity, in whole lots, that costs no more than the wished size at the last price."""
    unit = wish.price.value * wish.multiplier.value
    with localcontext(Context(prec=64, rounding=ROUND_FLOOR)):
        units = (wish.size.amount / unit).quantize(Decimal(1).scaleb(-12), rounding=ROUND_FLOOR)
    return Quantity(units).floored_to(wish.lot_size)


def refusal(wish: Wish, quantity: Quantity, cash: Money, held: Quantity, working: Sequence[OrderSummary], smallest: Money) -> No | None:
    """What speaks against the wish before it is sent; working orders take their part of cash and position."""
    if wish.size < smallest:
        return No("ORDER_TOO_SMALL", f"an order is worth at least {smallest}, not {wish.size}")
    if quantity <= Quantity(0):
        return No(
            "ORDER_TOO_SMALL", f"{wish.size} does not buy the smallest tradable quantity {wish.lot_size} of {wish.symbol} at {wish.price}"
        )
    if wish.side is Side.BUY:
        free = cash - reserved(working, cash.currency)
        needed = notional(wish.price, quantity, wish.multiplier, cash.currency)
        if needed > free:
            return No("BALANCE_INSUFFICIENT", f"{needed} is needed and {free} is free")
        return None
    left = held - sum(
        (one.quantity - one.filled for one in working if one.side is Side.SELL and one.instrument.instrument_id == wish.instrument_id),
        Quantity(0),
    )
    if quantity > left:
        return No("BALANCE_INSUFFICIENT", f"selling {quantity} {wish.symbol} and {left} is free to sell")
    return None


def lots_refusal(
    named: Sequence[tuple[LotId, Quantity]], held: Mapping[LotId, Quantity], side: Side, symbol: str, lot_size: Quantity
) -> No | None:
    """What speaks against the lots that were named for an order. held: open units by lot of the account and instrument, signed."""
    total = Quantity(0)
    for place, (lot_id, quantity) in enumerate(named):
        if lot_id in [other for other, _ in named[:place]]:
            return No("LOT_NAMED_TWICE", f"lot {lot_id} is named twice")
        if lot_id not in held:
            return No("LOT_UNKNOWN", f"the account holds no lot {lot_id} of {symbol}")
        if held[lot_id].value * side.sign > 0:
            return No("LOT_WRONG_SIDE", f"a {side.value} order cannot use up lot {lot_id}, which holds {held[lot_id]} {symbol}")
        if quantity > abs(held[lot_id]):
            return No("LOT_TOO_SMALL", f"lot {lot_id} of {symbol} has {abs(held[lot_id])} open, named were {quantity}")
        total += quantity
    if total != total.floored_to(lot_size):
        return No("ORDER_TOO_SMALL", f"the named lots come to {total} {symbol}, which is no multiple of {lot_size}")
    return None


def reserved(working: Sequence[OrderSummary], currency: str) -> Money:
    """What purchases under way may cost, at their limit or the price they were decided on."""
    total = Money.zero(currency)
    for one in working:
        price = one.limit_price or one.reference_price
        if one.side is Side.BUY and price is not None and one.instrument.currency == currency:
            total = total + notional(price, one.quantity - one.filled, one.instrument.multiplier, currency)
    return total
