"""The paper venue's end of contracts and ours: died between the two, whoever hears of it first books it once."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from services.execution.tests.test_processes import order, prices
from services.execution.tests.test_splits import at_the_venue, book_of

from quantmatrix.common.contracts.asking.execution import BreaksAsked, FillsAsked, FillSummary
from quantmatrix.common.contracts.prices import Bar, BarsClosed, InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, ContractEnding, InstrumentId, Side, UserId
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, OPENED_AT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.ports import Moment

PUT = Instrument(InstrumentId("ABC-P20"), "ABC   240308P00020000", AssetClass.OPTION, "USD", Quantity(100))
LAST_DAY = 3
OTHER = UserId(derived_id("user", "somebody else"))


def with_put(day: int, close: int) -> list[Any]:
    """The stock at this price, the put at 0.90 to 1.10."""
    closed, reached = prices(day, close)
    assert isinstance(closed, BarsClosed)
    quote = Bar(PUT.instrument_id, PUT.symbol, "USD", *[Price(1)] * 4, Quantity(0), Price.parse("0.90"), Price.parse("1.10"))
    return [msgspec.structs.replace(closed, bars=(*closed.bars, quote)), reached]


async def sell_two_puts(start_here: Any, ask: Any, say: Saying) -> None:
    """Start execution, and sell two puts at 20 on paper on the second day: 180.00 less 1.30 come in."""
    await start_here("execution")
    for message in [like(InstrumentListed), like(InstrumentListed, instrument=PUT, underlying=INSTRUMENT.instrument_id), *with_put(0, 20)]:
        await say(message)
    await say.heard_by("execution", ask)
    await say(msgspec.structs.replace(order(1), instrument=PUT, side=Side.SELL, quantity=Quantity(2)))
    await at_the_venue(ask, 1)
    for message in with_put(1, 20):
        await say(message)
    await say.heard_by("execution", ask)


@pytest.mark.parametrize("compares_first", [True, False])
async def test_a_death_between_the_venues_end_of_contracts_and_ours_books_it_once(
    start_here: Any, ask: Any, say: Saying, paper: PaperBroker, database: Any, compares_first: bool
) -> None:
    """Two puts at 20 bring 180.00 less 1.30. At 18 they are assigned at the venue: 200 shares for 4,000, and nobody of us knows of it."""
    await sell_two_puts(start_here, ask, say)
    await start_here.stop("execution")
    later, (closed, reached) = timedelta(days=LAST_DAY), prices(LAST_DAY, 18)
    assert isinstance(closed, BarsClosed)
    await paper.bars_closed(Moment(SESSION + later, OPENED_AT + later, CLOSED_AT + later), closed.bars)

    if not compares_first:
        await say(closed)
    await start_here("execution", reconcile_every_s=0.1)
    await say.heard_by("execution", ask)
    for message in [*([closed] if compares_first else []), reached, *prices(LAST_DAY + 1, 18)]:
        await say(message)
    await say.heard_by("execution", ask)

    book = await book_of(ask)
    assert book.positions == book.broker_positions == {INSTRUMENT.instrument_id: Quantity(200)}
    assert book.cash == book.broker_cash == Money.parse("96178.70", "USD")
    assert (book.executions, book.broker_executions, book.executions_not_booked) == (2, 2, ())
    assert (await ask("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks == ()
    (told,) = (
        json.loads(row["payload"]) for row in await database.fetch("execution", "select payload from outbox where type = 'OptionEnded'")
    )
    assert (told["how"], told["contracts"], told["shares"], told["paid"]["amount"]) == ("assignment", "2", "200", "4000")
    await _is_listed_among_fills(ask)


async def _is_listed_among_fills(ask: Any) -> None:
    """The end comes before the sale, also page by page, of the contract's account, of the stock, and of its own session."""

    async def fills(**more: Any) -> tuple[FillSummary, ...]:
        return (await ask("execution", FillsAsked(user_id=FIRST_ADMINISTRATOR, **more))).fills

    end, sale = await fills(ends=True)
    assert end.ended is not None and end.order_id is None and sale.ended is None
    assert (end.instrument, end.ended.underlying, end.ended.shares, end.ended.share_side) == (PUT, INSTRUMENT, Quantity(200), Side.BUY)
    assert (end.ended.how, end.ended.strike, end.ended.paid) == (ContractEnding.ASSIGNMENT, Price(20), Money.parse("4000", "USD"))
    assert await fills() == (sale,)
    assert await fills(ends=True, limit=1) == (end,)
    assert await fills(ends=True, before=end.executed_at, before_id=end.fill_id) == (sale,)
    assert await fills(ends=True, instrument_id=INSTRUMENT.instrument_id) == (end,)
    assert await fills(ends=True, session=end.session) == (end,)
    assert await fills(ends=True, session=end.session + timedelta(days=1)) == ()
    assert (await ask("execution", FillsAsked(user_id=OTHER, ends=True))).fills == ()
