"""Puts that are sold at the paper venue: cash secures them, and they are bought back or settled at their end. Figures are worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from services.execution.tests.brokers.test_venue import ACCOUNT, bar, day, found

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionKind, AssetClass, InstrumentId, OrderType, Side
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.ports import Accepted, BrokerPosition, Rejected, SubmitOutcome
from quantmatrix.execution.testing import CLOSED_AT, STOCK, request

PUT = Instrument(InstrumentId("ABC-P20"), "ABC   240308P00020000", AssetClass.OPTION, "USD", Quantity(100))
CALL = replace(PUT, instrument_id=InstrumentId("ABC-C20"), symbol="ABC   240308C00020000")


def quoted(bid: str, ask: str) -> Bar:
    middle = Price((Price.parse(bid).value + Price.parse(ask).value) / 2)
    return Bar(PUT.instrument_id, PUT.symbol, "USD", *[middle] * 4, Quantity(0), Price.parse(bid), Price.parse(ask))


async def order(
    paper: PaperBroker,
    number: int,
    side: Side,
    quantity: int,
    after_days: int = 0,
    *,
    instrument: Instrument = PUT,
    limit: str | None = None,
) -> SubmitOutcome:
    kind = {"order_type": OrderType.LIMIT, "limit_price": Price.parse(limit)} if limit else {}
    made = request(number, side=side, quantity=quantity, instrument=instrument, reference_price=Price(1), **kind)
    return await paper.submit(replace(made, at=CLOSED_AT.replace(day=CLOSED_AT.day + after_days)))


async def sold(paper: PaperBroker, quantity: int = 3) -> None:
    """On the first day at a bid of 0.90: 270.00 less 1.95 for three."""
    await order(paper, 1, Side.SELL, quantity, limit="0.90")
    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))


async def cash(paper: PaperBroker) -> Decimal:
    return (await paper.cash(ACCOUNT)).amount


async def test_a_put_is_sold_decays_and_is_bought_back(paper: PaperBroker) -> None:
    """100,000 + 270.00 - 1.95 = 100,268.05; at an ask of 0.40 three cost 120.00 + 1.95, which leaves 100,146.10."""
    await sold(paper)
    brought, held = await cash(paper), await paper.positions(ACCOUNT)
    await order(paper, 2, Side.BUY, 3, 1)

    await day(paper, 2, bar("21"), quoted("0.30", "0.40"))

    assert (brought, held) == (Decimal("100268.05"), [BrokerPosition(PUT.instrument_id, Quantity(-3))])
    assert await cash(paper) == Decimal("100146.10") and await paper.positions(ACCOUNT) == []


@pytest.mark.parametrize(
    ("close", "left", "held"), [("18.50", "94268.05", 300), ("19.99", "94268.05", 300), ("20", "100268.05", 0), ("23", "100268.05", 0)]
)
async def test_a_sold_put_that_nobody_offers_is_assigned_on_its_last_day(paper: PaperBroker, close: str, left: str, held: int) -> None:
    """A cent in the money is enough: 300 shares for 6,000 leave 94,268.05 of 100,268.05, without commission. From 20 on it ends for nothing."""
    await sold(paper)
    await order(paper, 2, Side.BUY, 3, 1)
    await day(paper, 2, bar(close))
    waiting = (await found(paper, 2)).status
    await order(paper, 3, Side.BUY, 3, 2)

    await day(paper, 3, bar(close))

    assert waiting == "expired"
    assert await cash(paper) == Decimal(left)
    assert await paper.positions(ACCOUNT) == ([BrokerPosition(STOCK.instrument_id, Quantity(held))] if held else [])


async def test_the_last_day_opens_nothing_that_nobody_quotes(paper: PaperBroker) -> None:
    await order(paper, 1, Side.SELL, 1, 2)
    await order(paper, 2, Side.BUY, 1, 2)

    await day(paper, 3, bar("18"))

    assert [(await found(paper, number)).status for number in (1, 2)] == ["expired", "expired"]


async def test_cash_secures_what_is_sold_to_the_last_dollar(paper: PaperBroker) -> None:
    """100,000 are the strikes of 50 puts at 20; with those working there is none for one more, and stocks are bought with the premium alone."""
    too_many = await order(paper, 1, Side.SELL, 51, limit="0.90")
    fifty = await order(paper, 2, Side.SELL, 50, limit="0.90")
    one_more = await order(paper, 3, Side.SELL, 1, limit="0.90")
    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))
    premium = await cash(paper) - 100_000
    dear = await order(paper, 4, Side.BUY, 5_000, 1, instrument=STOCK)
    cheap = await order(paper, 5, Side.BUY, 4_000, 1, instrument=STOCK)

    assert isinstance(too_many, Rejected) and too_many.code == "FUNDS" and "bind 102000 USD" in too_many.detail
    assert isinstance(fifty, Accepted) and isinstance(one_more, Rejected)
    assert premium == Decimal("4467.50")
    assert isinstance(dear, Rejected) and dear.code == "FUNDS" and isinstance(cheap, Accepted)


async def test_a_purchase_that_opens_higher_takes_nothing_of_what_puts_bind(paper: PaperBroker) -> None:
    """The premium of 4,467.50 pays for 4,000 at the last price of 1.00, and for 2,223 at the open of 2.00 with 11.115 of commission."""
    await order(paper, 1, Side.SELL, 50, limit="0.90")
    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))
    await order(paper, 2, Side.BUY, 4_000, 1, instrument=STOCK)

    await day(paper, 2, bar("2"), quoted("17", "19"))

    assert await cash(paper) >= Decimal(100_000)
    assert (await paper.changed_since(ACCOUNT, CLOSED_AT))[1][-1].quantity >= Quantity(2_200)


@pytest.mark.parametrize("instrument", [CALL, STOCK], ids=["a call", "a stock"])
async def test_nothing_but_puts_is_sold_without_being_held(paper: PaperBroker, instrument: Instrument) -> None:
    refused = await order(paper, 1, Side.SELL, 1, instrument=instrument)

    assert isinstance(refused, Rejected) and refused.code == "SHORT_REFUSED"


async def test_a_split_adjusts_what_was_sold_and_binds_the_same_cash(paper: PaperBroker) -> None:
    """50 at 20 become 100 at 10: 100,000 stay bound, and stocks are still bought with the premium alone."""
    await order(paper, 1, Side.SELL, 50, limit="0.90")
    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))
    await paper.action_effective(
        like(CorporateActionAnnounced, kind=ActionKind.SPLIT, instrument=PUT, numerator=2, denominator=1, becomes="ABC   240308P00010000")
    )

    dear = await order(paper, 4, Side.BUY, 5_000, 1, instrument=STOCK)
    cheap = await order(paper, 5, Side.BUY, 4_000, 1, instrument=STOCK)

    assert await paper.positions(ACCOUNT) == [BrokerPosition(PUT.instrument_id, Quantity(-100))]
    assert isinstance(dear, Rejected) and isinstance(cheap, Accepted)


async def test_the_venue_remembers_what_was_sold(paper: PaperBroker) -> None:
    await sold(paper)
    before = await paper.cash(ACCOUNT)

    await day(paper, 1, bar("20"), quoted("0.90", "1.10"))

    assert await paper.cash(ACCOUNT) == before == Money.parse("100268.05", "USD")
    assert await paper.positions(ACCOUNT) == [BrokerPosition(PUT.instrument_id, Quantity(-3))]


async def test_of_two_purchases_of_one_session_the_second_closes_nothing_any_more(paper: PaperBroker) -> None:
    """25 at 20 of each of two puts bind 100,000. The first purchase pays 25 x 1,500; of the 66,898.75 left the other put binds 50,000."""
    other = replace(PUT, instrument_id=InstrumentId("ABC-P20b"), symbol="ABC   240315P00020000")
    await order(paper, 1, Side.SELL, 25, limit="0.90")
    await order(paper, 2, Side.SELL, 25, limit="0.90", instrument=other)
    quote = quoted("0.90", "1.10")
    await day(paper, 1, bar("20"), quote, msgspec.structs.replace(quote, instrument_id=other.instrument_id, symbol=other.symbol))
    await order(paper, 3, Side.BUY, 25, 1)
    await order(paper, 4, Side.BUY, 25, 1)

    await day(paper, 2, bar("20"), quoted("13", "15"))

    orders = {one: await found(paper, one) for one in (3, 4)}
    assert sorted((one.filled, one.status) for one in orders.values()) == [(Quantity(11), "cancelled"), (Quantity(25), "filled")]
    assert await cash(paper) >= Decimal(50_000)
