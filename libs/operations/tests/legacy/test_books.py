"""The queue of lots gives what the ledger gives, fill by fill, to the last digit."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from libs.operations.tests.legacy.making import crypto, order, snapshot

from quantmatrix.operations.legacy.books import Position, booked_positions, by_place, fill_of, opening_of, openings_of
from quantmatrix.operations.legacy.crypto import read_crypto
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.ledger import Ledger, booked

traded = some.lists(
    some.tuples(
        some.sampled_from(["buy", "sell"]), some.integers(1, 9), some.integers(90, 110), some.integers(0, 3), some.sampled_from([0.0, 0.07])
    ),
    min_size=1,
    max_size=14,
)


def of_ledger(ledger: Ledger) -> Position:
    lots, closings = ledger.lots.values(), ledger.closings
    zero = Decimal(0)
    return Position(
        quantity=sum((lot.quantity.value for lot in lots), zero),
        realised=sum((one.realised.amount for one in closings if one.realised is not None), zero),
        open_cost=sum((lot.basis.amount for lot in lots if lot.basis is not None), zero),
        pending=sum((one.quantity.value for one in closings if one.realised is None), zero),
        pending_proceeds=sum((one.known_proceeds.amount for one in closings if one.realised is None), zero),
        unknown=sum((lot.quantity.value for lot in lots if lot.basis is None), zero),
    )


@given(traded, some.booleans())
def test_lots_in_a_queue_give_what_the_ledger_gives(made: list[Any], with_opening: bool) -> None:
    """Many trades of one instant, so that ties are settled too; without the opening lot, positions cross zero."""
    orders = [
        order(number, side=side, size=size / 3, price=float(price), commission=fee, filled_at=f"2024-03-01T10:00:0{second}Z")
        for number, (side, size, price, second, fee) in enumerate(made, 1)
    ]
    found = read_crypto(snapshot(crypto(*orders)), Choices())
    openings = openings_of(found) if with_opening else {}
    ((where, trades),) = by_place(found.trades).items()
    fills = [fill_of(trade) for trade in trades]
    events = [Event(fill.fill_id, fill, place) for place, fill in enumerate(fills)]
    if where in openings:
        arrival = opening_of(trades[0], openings[where])
        events.append(Event(arrival.arrival_id, arrival))

    position = booked_positions(found.trades, openings, fees=True)[where]

    assert position == of_ledger(booked(events))
