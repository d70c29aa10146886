"""Options at the paper venue: the quote fills, contracts have a commission of their own, and what nobody buys is settled at its end."""

from dataclasses import replace
from datetime import date

import pytest
from services.execution.tests.brokers.test_venue import ACCOUNT, bar, day, found

from quantmatrix.common.contracts.prices import Bar
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, InstrumentId, Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.ports import Close
from quantmatrix.execution.testing import CLOSED_AT, STOCK, request

LAST_DAY = date(2024, 3, 8)
CALL = Instrument(InstrumentId("ABC-C20"), "ABC   240308C00020000", AssetClass.OPTION, "USD", Quantity(100))


def quoted(bid: str, ask: str) -> Bar:
    middle = Price((Price.parse(bid).value + Price.parse(ask).value) / 2)
    return Bar(CALL.instrument_id, CALL.symbol, "USD", *[middle] * 4, Quantity(0), Price.parse(bid), Price.parse(ask))


async def _order(paper: PaperBroker, number: int, side: Side, quantity: int, after_days: int) -> None:
    made = request(number, side=side, quantity=quantity, instrument=CALL, reference_price=Price(1))
    await paper.submit(replace(made, at=CLOSED_AT.replace(day=CLOSED_AT.day + after_days)))


async def _held(paper: PaperBroker, quantity: int = 3) -> None:
    """Bought on the first day at an ask of 1.10."""
    await _order(paper, 1, Side.BUY, quantity, 0)
    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))


@pytest.mark.parametrize(("quantity", "fee"), [(1, "1"), (2, "1.30"), (10, "6.50")])
async def test_contracts_cost_65_cents_each_and_a_dollar_an_order_at_least(paper: PaperBroker, quantity: int, fee: str) -> None:
    await _held(paper, quantity)

    (execution,) = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1]

    assert (execution.price, execution.fee) == (Price.parse("1.10"), Money.parse(fee, "USD"))
    assert await paper.cash(ACCOUNT) == Money(100_000 - 110 * quantity, "USD") - Money.parse(fee, "USD")


@pytest.mark.parametrize(("close", "worth", "fee"), [("21.50", "1.50", "1.95"), ("20", "0", "0"), ("18", "0", "0")])
async def test_a_sale_that_finds_no_bid_on_the_last_day_is_settled_by_the_close_of_the_stock(
    paper: PaperBroker, close: str, worth: str, fee: str
) -> None:
    await _held(paper)
    await _order(paper, 2, Side.SELL, 3, 1)
    await day(paper, 2, bar(close))
    unsold = (await found(paper, 2)).status
    await _order(paper, 3, Side.SELL, 3, 2)
    before = await paper.cash(ACCOUNT)

    await day(paper, 3, bar(close))

    last = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1][-1]
    assert unsold == "expired" and last.session == LAST_DAY
    assert (last.price, last.fee) == (Price.parse(worth), Money.parse(fee, "USD"))
    assert await paper.cash(ACCOUNT) == before + Money(Price.parse(worth).value * 300, "USD") - Money.parse(fee, "USD")
    assert await paper.positions(ACCOUNT) == []


async def test_a_bid_on_the_last_day_is_taken_and_a_stock_that_does_not_trade_settles_nothing(paper: PaperBroker) -> None:
    await _held(paper)
    await _order(paper, 2, Side.SELL, 1, 2)
    await day(paper, 3, quoted("0.20", "0.40"))
    await _order(paper, 3, Side.SELL, 2, 3)
    await day(paper, 4)

    assert (await paper.changed_since(ACCOUNT, CLOSED_AT))[1][-1].price == Price.parse("0.20")
    assert [(await found(paper, number)).status for number in (2, 3)] == ["filled", "expired"]


async def test_an_option_is_settled_by_a_close_that_came_with_other_bars_of_the_session(paper: PaperBroker) -> None:
    await _held(paper)
    await _order(paper, 2, Side.SELL, 3, 2)

    await day(paper, 3, closes={"ABC": Close(STOCK.instrument_id, Price.parse("21.50"))})

    assert (await paper.changed_since(ACCOUNT, CLOSED_AT))[1][-1].price == Price.parse("1.50")
