"""What a split does at the paper venue: holdings and working orders in new units, an option under its new symbol."""

from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Price, Quantity


async def follow(connection: Connection, action: CorporateActionAnnounced) -> None:
    """Once an action: the caller remembers which ones have been followed. Units and prices round as `Quantity.scaled` does."""
    if action.becomes:
        await _adjust_contract(connection, action)
    instrument, new, old = action.instrument.instrument_id, action.numerator, action.denominator
    held = await connection.fetch(
        "select account_id, quantity from holding where instrument_id = $1 order by account_id for update", instrument
    )
    await connection.executemany(
        "update holding set quantity = $3 where account_id = $1 and instrument_id = $2",
        [(row["account_id"], instrument, Quantity(row["quantity"]).scaled(new, old).value) for row in held],
    )
    orders = await connection.fetch(
        """select venue_order_id, quantity, filled, limit_price, stop_price from venue_order
           where instrument_id = $1 and status = 'working' order by venue_order_id for update""",
        instrument,
    )
    await connection.executemany(
        "update venue_order set quantity = $2, filled = $3, limit_price = $4, stop_price = $5 where venue_order_id = $1",
        [
            (
                row["venue_order_id"],
                *(Quantity(row[name]).scaled(new, old).value for name in ("quantity", "filled")),
                *(row[name] and Price(row[name]).scaled(old, new).value for name in ("limit_price", "stop_price")),
            )
            for row in orders
        ],
    )


async def _adjust_contract(connection: Connection, action: CorporateActionAnnounced) -> None:
    """What a split of its stock makes of an option: its orders go on under its new symbol, and it may deliver more or fewer shares."""
    own = action.instrument.instrument_id
    await connection.execute("update venue_order set symbol = $2 where instrument_id = $1", own, action.becomes)
    await connection.execute("update contract set symbol = $2 where instrument_id = $1", own, action.becomes)
    if action.deliverable is not None:
        await connection.execute(
            "insert into adjusted values ($1, $2) on conflict (instrument_id) do update set deliverable = excluded.deliverable",
            own,
            action.deliverable.value,
        )
