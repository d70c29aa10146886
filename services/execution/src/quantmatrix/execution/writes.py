"""What is written of orders and marks with the page that decides it: a change needs no look of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quantmatrix.common.contracts.prices import BarsClosed
from quantmatrix.common.names import InstrumentId, OrderState
from quantmatrix.common.runtime.writing import Write
from quantmatrix.common.values import Price
from quantmatrix.execution.books import change_of
from quantmatrix.execution.domain.orders import Execution, NamedLots, Order, fill_of
from quantmatrix.execution.domain.states import UNANSWERED

_MARKS = """marks_kept as (insert into mark (instrument_id, price, session, marked_at)
    select * from unnest($1::text[], $2::numeric[], $3::date[], $4::timestamptz[]) on conflict (instrument_id)
    do update set price = excluded.price, session = excluded.session, marked_at = excluded.marked_at)"""
_PLACED = """order_placed as (insert into orders (order_id, account_id, user_id, client_ref, intent_id, instrument_id, symbol, asset_class,
    currency, multiplier, side, quantity, order_type, time_in_force, limit_price, stop_price, reference_price, state, code, detail,
    triggered_by, session, created_at, trace, last_event, version, lots) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $29))"""
_PLACED_TOLD = "order_first_told as (insert into order_event (order_id, ordinal, event, state, occurred_at, detail) values ($1, 1, $27, $18, $23, $28))"
_MOVED = """order_moved as (update orders set state = $2, filled = $3, quantity = $4, limit_price = $5, stop_price = $6,
    broker_order_id = $7, code = $8, detail = $9, last_event = $10, version = $11,
    cancel_asked_at = $30, lots = $31 where order_id = $1 and version = $11 - cardinality($12::text[]) returning 1)"""
_TOLD = """order_told as (insert into order_event (order_id, ordinal, event, state, occurred_at, detail)
    select $1, (select count(*) from order_event where order_id = $1) + n.ordinal, n.event, n.state, n.at, n.detail
    from unnest($12::text[], $13::text[], $14::timestamptz[], $15::text[]) with ordinality as n (event, state, at, detail, ordinal))"""
_BOOKED = """order_booked as (insert into execution (account_id, execution_id, fill_id, order_id, instrument_id, side, quantity, price, fee,
    currency, session, executed_at, corrects) select $16, n.id, n.fill_id, $1, $17, n.side, n.quantity, n.price, n.fee, n.currency,
    n.session, n.at, n.corrects from unnest($18::text[], $19::uuid[], $20::text[], $21::numeric[], $22::numeric[], $23::numeric[],
    $24::text[], $25::date[], $26::timestamptz[], $27::text[])
    as n (id, fill_id, side, quantity, price, fee, currency, session, at, corrects) on conflict do nothing returning 1)"""
_HELD = """order_held as (insert into position as p (account_id, instrument_id, quantity) select $16, $17, $28 where cardinality($18::text[]) > 0
    on conflict (account_id, instrument_id) do update set quantity = p.quantity + excluded.quantity)"""
_PAID = "order_paid as (update account set cash = cash - $29 where account_id = $16 and cardinality($18::text[]) > 0)"
_AS_IT_WAS = "(select count(*) from order_moved) = 1 and (select count(*) from order_booked) = cardinality($18::text[])"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an order, and the state after it. at: event time, UTC."""

    event: str
    state: OrderState
    at: datetime
    detail: str | None


def marks(heard: Sequence[BarsClosed]) -> Write:
    """The latest price of each instrument, of these bars in the order they were heard."""
    last = {bar.instrument_id: (bar, closed) for closed in heard for bar in closed.bars}
    whole = [closed for _, closed in last.values()]
    prices = [bar.close.value for bar, _ in last.values()]
    return Write((_MARKS,), (list(last), prices, [one.session for one in whole], [one.closed_at for one in whole]))


def latest(instrument: InstrumentId, heard: Sequence[BarsClosed]) -> tuple[Price, datetime] | None:
    """The last price of an instrument among bars that are still to be written, and when it was; None where they have none of it."""
    found = ((bar.close, closed.closed_at) for closed in reversed(heard) for bar in closed.bars if bar.instrument_id == instrument)
    return next(found, None)


def nothing_unanswered() -> Write:
    """Writes nothing, and insists that no order waits for a broker's answer."""
    return Write((), (sorted(UNANSWERED),), "not exists (select from orders where state = any($1::text[]))")


def placed(order: Order, *, event: str) -> Write:
    """A new order with its first event."""
    one = order.instrument
    arguments = (
        order.order_id, order.account_id, order.user_id, order.client_ref, order.intent_id, one.instrument_id, one.symbol, one.asset_class,
        one.currency, one.multiplier.value, order.side, order.quantity.value, order.order_type, order.time_in_force,
        order.limit_price and order.limit_price.value, order.stop_price and order.stop_price.value,
        order.reference_price and order.reference_price.value, order.state, order.code, order.detail, order.triggered_by, order.session,
        order.created_at, order.trace, order.last_event, order.version, event, f"{order.code} {order.detail}" if order.code else None,
        _told_lots(order.lots),
    )  # fmt: skip
    return Write((_PLACED, _PLACED_TOLD), arguments)


def changed(order: Order, steps: Sequence[Step], executions: Sequence[Execution]) -> Write:
    """An order as it stands after these steps, the steps, and its new executions; position and cash move with them.

    Insists that the order is the one that these steps started from, and that none of the executions was booked before:
    whoever did so knows more of it.
    """
    moves = [change_of(order, execution, 1) for execution in executions]
    arguments = (
        order.order_id, order.state, order.filled.value, order.quantity.value, order.limit_price and order.limit_price.value,
        order.stop_price and order.stop_price.value, order.broker_order_id, order.code, order.detail, order.last_event, order.version,
        [step.event for step in steps], [step.state for step in steps], [step.at for step in steps], [step.detail for step in steps],
        order.account_id, order.instrument.instrument_id,
        [one.execution_id for one in executions], [fill_of(order.account_id, one.execution_id) for one in executions],
        [one.side for one in executions], [one.quantity.value for one in executions], [one.price.value for one in executions],
        [one.fee.amount for one in executions], [one.fee.currency for one in executions], [one.session for one in executions],
        [one.executed_at for one in executions], [one.corrects for one in executions],
        sum((quantity for quantity, _ in moves), Decimal(0)), sum((cash for _, cash in moves), Decimal(0)),
        order.cancel_asked_at, _told_lots(order.lots),
    )  # fmt: skip
    pieces = (_MOVED, _TOLD, _BOOKED, _HELD, _PAID)
    return Write(pieces, arguments, _AS_IT_WAS)


def _told_lots(lots: NamedLots) -> str:
    return json.dumps([[str(lot_id), str(quantity)] for lot_id, quantity in lots])
