"""What a person accepted that the broker does not hold covers no sale of options, however often one is tried."""

from dataclasses import replace
from typing import Any

import pytest
from services.execution.tests.domain.test_risk import CALL, LIMITS, NOW, PUT, STOCK, TARIFF, intent

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId, Side
from quantmatrix.common.runtime.database import Connection
from quantmatrix.execution.domain.risk import Denial, assess
from quantmatrix.execution.store import ExecutionStore

COVERED = replace(CALL, instrument_id=InstrumentId("C"))
PROTECTIVE = replace(PUT, instrument_id=InstrumentId("P"))


async def _account(connection: Connection) -> None:
    """20,000 dollars, 100 shares, one call and two puts in our books; the broker holds none of the options, and that was accepted."""
    await connection.execute(
        """insert into account (account_id, user_id, broker, currency, paper, opening_cash, cash, opened_at)
           values ('A', $1, 'paper', 'USD', true, 20000, 20000, $2)""",
        derived_id("user"),
        NOW,
    )
    for one in (STOCK, COVERED, PROTECTIVE):
        await connection.execute(
            """insert into instrument (instrument_id, symbol, asset_class, currency, multiplier, tick_size, lot_size, calendar)
               values ($1, $2, $3, 'USD', $4, 0.01, 1, 'XNYS')""",
            one.instrument_id,
            one.symbol,
            one.asset_class,
            one.multiplier.value,
        )
        await connection.execute(
            "insert into mark (instrument_id, price, session, marked_at) values ($1, 2, $2, $3)", one.instrument_id, NOW.date(), NOW
        )
    await connection.execute(
        "insert into position (account_id, instrument_id, quantity) values ('A', 'ABC', 100), ('A', 'C', 1), ('A', 'P', 2)"
    )
    await connection.execute(
        "insert into accepted_gap (account_id, about, instrument_id, gap) values ('A', 'position C', 'C', -1), ('A', 'position P', 'P', -2)"
    )


async def _verdict(connection: Connection, instrument: Instrument, quantity: int, number: int) -> object:
    wanted = replace(intent(quantity, Side.SELL, instrument=instrument), intent_id=derived_id("intent", instrument.symbol, number))
    look = await ExecutionStore(connection).look(wanted, NOW, TARIFF)
    assert look is not None
    return assess(wanted, look.standing, LIMITS)


async def _under_way(connection: Connection, instrument: Instrument, quantity: int) -> None:
    await connection.execute(
        """insert into orders (order_id, account_id, user_id, client_ref, intent_id, instrument_id, symbol, asset_class, currency, multiplier,
           side, quantity, filled, order_type, time_in_force, reference_price, state, triggered_by, session, created_at)
           values ($1, 'A', $2, 'A0000000000000000001', $3, $4, $5, $6, 'USD', 100, 'SELL', $7, 0, 'MARKET', 'DAY', 2, 'accepted', 'manual', $8, $9)""",
        derived_id("order"),
        derived_id("user"),
        derived_id("intent", instrument.symbol, 1),
        instrument.instrument_id,
        instrument.symbol,
        instrument.asset_class,
        quantity,
        NOW.date(),
        NOW,
    )


@pytest.mark.parametrize(("instrument", "quantity", "code"), [(COVERED, 1, "CALL_NOT_COVERED"), (PROTECTIVE, 2, "CASH_SECURED")])
async def test_the_same_shares_and_cash_cover_one_sale(database: Any, instrument: Instrument, quantity: int, code: str) -> None:
    connection = await database.connect("execution")
    await _account(connection)
    first = await _verdict(connection, instrument, quantity, 1)
    await _under_way(connection, instrument, quantity)
    while_it_works = await _verdict(connection, instrument, quantity, 2)
    await connection.execute("update orders set state = 'filled', filled = quantity")
    await connection.execute("update position set quantity = quantity - $2 where instrument_id = $1", instrument.instrument_id, quantity)
    afterwards = await _verdict(connection, instrument, quantity, 3)

    assert not isinstance(first, Denial)
    assert [one.code for one in (while_it_works, afterwards) if isinstance(one, Denial)] == [code, code]
