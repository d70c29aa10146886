"""Contracts at their end at the paper venue: exercised, assigned, settled or expired. Figures are worked out by hand."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from services.execution.tests.brokers.test_sold_puts import CALL, PUT, cash, order, quoted, sold
from services.execution.tests.brokers.test_venue import ACCOUNT, bar, day, found

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionKind, ContractEnding, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.domain.orders import Execution
from quantmatrix.execution.ports import Accepted, BrokerPosition, OrderRequest, Rejected
from quantmatrix.execution.testing import CLOSED_AT, STOCK, request


def call_quoted(bid: str, ask: str) -> Bar:
    middle = Price((Price.parse(bid).value + Price.parse(ask).value) / 2)
    return Bar(CALL.instrument_id, CALL.symbol, "USD", *[middle] * 4, Quantity(0), Price.parse(bid), Price.parse(ask))


async def ends(paper: PaperBroker) -> list[Execution]:
    return [one for one in (await paper.changed_since(ACCOUNT, CLOSED_AT))[1] if one.ended is not None]


async def held(paper: PaperBroker) -> dict[InstrumentId, int]:
    return {one.instrument_id: int(one.quantity.value) for one in await paper.positions(ACCOUNT)}


async def shares(paper: PaperBroker, quantity: int) -> None:
    """Bought on the first day at 20, with a commission of half a cent a share, a dollar at least."""
    await order(paper, 90, Side.BUY, quantity, instrument=STOCK)
    await day(paper, 1, bar("20"))


def until_cancelled(number: int, side: Side, quantity: int, limit: str, after_days: int = 1, instrument: Instrument = CALL) -> OrderRequest:
    """A limit order that works until somebody cancels it."""
    return request(
        number, side=side, quantity=quantity, instrument=instrument, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
        limit_price=Price.parse(limit), reference_price=Price(1), at=CLOSED_AT + timedelta(days=after_days),
    )  # fmt: skip


async def test_an_assignment_is_told_as_an_execution_that_nobody_ordered(paper: PaperBroker) -> None:
    await sold(paper)
    await day(paper, 3, bar("18.50"))

    (told,) = await ends(paper)
    assert told.ended is not None and told.ended.end.how is ContractEnding.ASSIGNMENT
    assert (told.side, told.quantity, told.price, told.fee) == (Side.BUY, Quantity(3), Price(0), Money.zero("USD"))
    assert (told.ended.option, told.ended.underlying, told.ended.strike) == (PUT.instrument_id, STOCK.instrument_id, Price(20))
    assert (told.ended.end.shares, told.ended.end.share_side, told.ended.end.paid) == (Quantity(300), Side.BUY, Money(6_000, "USD"))
    assert (told.client_ref, told.executed_at) == ("END-0000", CLOSED_AT + timedelta(days=3))


async def test_bars_that_are_heard_again_end_nothing_twice(paper: PaperBroker) -> None:
    await sold(paper)
    first = await day(paper, 3, bar("18.50"))
    left, there = await cash(paper), await held(paper)
    again = await day(paper, 3, bar("18.50"))

    assert first and again, "whoever died before booking it must hear of it again"
    assert (await cash(paper), await held(paper)) == (left, there)
    assert len(await ends(paper)) == 1 and not await day(paper, 4, bar("18"))


async def test_nothing_ends_before_the_last_bars_of_the_last_day(paper: PaperBroker) -> None:
    await sold(paper)
    await day(paper, 2, bar("18"))
    await day(paper, 3, bar("18"), last=False)

    assert await held(paper) == {PUT.instrument_id: -3} and await ends(paper) == []


@pytest.mark.parametrize(("contracts", "exercised", "left"), [(2, 2, "95778.70"), (60, 46, "8351.90")])
async def test_a_call_that_was_bought_is_exercised_as_far_as_the_cash_pays(
    paper: PaperBroker, contracts: int, exercised: int, left: str
) -> None:
    """2 at 1.10 cost 220 + 1.30: 99,778.70, of which 4,000 pay for 200 shares. 60 cost 6,600 + 39: of 93,361 each exercise takes 2,000, which
    pays for 46; the other 14 are settled at 25 - 20 = 5 a share, 7,000 less 9.10: 93,361 - 92,000 + 6,990.90 = 8,351.90."""
    await order(paper, 1, Side.BUY, contracts, instrument=CALL)
    await day(paper, 1, bar("20"), call_quoted("0.90", "1.10"))
    await day(paper, 3, bar("25"))

    assert await held(paper) == {STOCK.instrument_id: exercised * 100}
    assert await cash(paper) == Decimal(left)
    hows = [(one.ended.end.how, one.ended.end.contracts) for one in await ends(paper) if one.ended is not None]
    settled = [(ContractEnding.SETTLEMENT, Quantity(contracts - exercised))] if contracts > exercised else []
    assert hows == [(ContractEnding.EXERCISE, Quantity(exercised)), *settled]


async def test_a_put_that_was_bought_delivers_held_shares_and_is_settled_without_any(paper: PaperBroker) -> None:
    """100 shares at 20 and 1.00; 2 puts at 1.10 and 1.30. At 15 one delivers them for 2,000, the other one is settled at 500 less 1.00."""
    await shares(paper, 100)
    await order(paper, 1, Side.BUY, 2, 1)
    await day(paper, 2, bar("20"), quoted("0.90", "1.10"))
    await day(paper, 3, bar("15"))

    assert await held(paper) == {}
    assert await cash(paper) == Decimal(100_000) - 2_001 - Decimal("221.30") + 2_000 + 499


async def test_covered_calls_are_sold_against_shares_and_deliver_them(paper: PaperBroker) -> None:
    """250 shares at 20 and 1.25; 2 calls at 0.90 bring 180 less 1.30. At 22 they are assigned: 200 shares for 4,000."""
    await shares(paper, 250)
    naked = await order(paper, 1, Side.SELL, 3, 1, instrument=CALL)
    covered = await order(paper, 2, Side.SELL, 2, 1, instrument=CALL)
    one_more = await order(paper, 3, Side.SELL, 1, 1, instrument=CALL)
    await day(paper, 2, bar("20"), call_quoted("0.90", "1.10"))
    bound = await order(paper, 4, Side.SELL, 51, 2, instrument=STOCK)
    free = await order(paper, 5, Side.SELL, 50, 2, instrument=STOCK)
    await day(paper, 3, bar("22"))

    assert [type(one) for one in (naked, covered, one_more, bound, free)] == [Rejected, Accepted, Rejected, Rejected, Accepted]
    assert isinstance(bound, Rejected) and bound.code == "SHARES_BOUND"
    assert await held(paper) == {}
    assert await cash(paper) == Decimal(100_000) - Decimal("5001.25") + Decimal("178.70") + (50 * 22 - 1) + 4_000


async def test_an_adjusted_contract_delivers_what_a_split_made_of_it(paper: PaperBroker) -> None:
    """3 for 2: each of the 3 puts takes 150 shares for 2,000. At 13 they are worth 1,950, which is in the money by 50 a contract."""
    await sold(paper)
    await paper.action_effective(
        like(
            CorporateActionAnnounced, kind=ActionKind.SPLIT, instrument=PUT, numerator=1, denominator=1, becomes="ABC1  240308P00020000",
            deliverable=Quantity(150),
        )
    )  # fmt: skip
    await day(paper, 3, bar("13"))

    assert await held(paper) == {STOCK.instrument_id: 450}
    assert await cash(paper) == Decimal("94268.05")


async def test_an_order_that_works_for_a_contract_ends_with_it(paper: PaperBroker) -> None:
    await sold(paper)
    await order(paper, 2, Side.BUY, 3, 1, limit="0.05")
    await day(paper, 3, bar("18"))

    assert (await found(paper, 2)).status in ("expired", "cancelled")
    assert await paper.positions(ACCOUNT) == [BrokerPosition(STOCK.instrument_id, Quantity(300))]


async def test_an_early_assignment_is_told_the_same_way(paper: PaperBroker) -> None:
    """One of three puts is assigned two days before its end: 100 shares for 2,000, two puts are left."""
    await sold(paper)
    await paper.assign(ACCOUNT, PUT.instrument_id, STOCK.instrument_id, Quantity(1), CLOSED_AT + timedelta(days=1, hours=1), "L-1")

    (told,) = await ends(paper)
    assert told.ended is not None and told.ended.end.how is ContractEnding.ASSIGNMENT and told.quantity == Quantity(1)
    assert await held(paper) == {PUT.instrument_id: -2, STOCK.instrument_id: 100}
    assert await cash(paper) == Decimal("98268.05")
    assert not await found_stale(paper)


async def found_stale(paper: PaperBroker) -> bool:
    """Whether the next bars would miss the contracts that are left."""
    await day(paper, 3, bar("18"))
    return await held(paper) != {STOCK.instrument_id: 300}


async def test_more_than_was_sold_cannot_be_assigned(paper: PaperBroker) -> None:
    await sold(paper)

    with pytest.raises(ValueError, match="3 contracts"):
        await paper.assign(ACCOUNT, PUT.instrument_id, STOCK.instrument_id, Quantity(4), CLOSED_AT + timedelta(days=1), "L-1")
    assert await held(paper) == {PUT.instrument_id: -3}


async def test_an_order_that_works_for_a_contract_ends_with_it_also_where_the_cash_pays_a_part_of_its_exercise(paper: PaperBroker) -> None:
    """Of 60 calls 46 are exercised and 14 settled: nothing is left to be sold."""
    await order(paper, 1, Side.BUY, 60, instrument=CALL)
    await day(paper, 1, bar("20"), call_quoted("0.90", "1.10"))
    await paper.submit(until_cancelled(2, Side.SELL, 60, "50"))
    await day(paper, 3, bar("25"))

    assert (await found(paper, 2)).status == "expired"


async def test_an_order_for_a_contract_that_nobody_holds_expires_with_it(paper: PaperBroker) -> None:
    """A put that could still be sold would bind 6,000 for ever: 5,000 shares at 19.90 and 25.00 need all but 475 of the cash."""
    await paper.submit(until_cancelled(1, Side.SELL, 3, "5", instrument=PUT))
    await day(paper, 3, bar("20"))
    await order(paper, 2, Side.BUY, 5_000, 3, instrument=STOCK, limit="19.90")
    await day(paper, 4, bar("19.90"))

    assert (await found(paper, 1)).status == "expired"
    assert (await held(paper), await cash(paper)) == ({STOCK.instrument_id: 5_000}, Decimal(475))


async def test_shares_that_a_call_on_sale_needs_are_not_delivered_to_a_put(paper: PaperBroker) -> None:
    """100 shares; a call of April is on sale against them when a put that was bought ends in the money at 15: it is settled, not exercised."""
    later = replace(CALL, instrument_id=InstrumentId("ABC-C20-APR"), symbol="ABC   240419C00020000")
    await shares(paper, 100)
    await order(paper, 1, Side.BUY, 1, 1)
    await day(paper, 2, bar("20"), quoted("0.90", "1.10"))
    selling = await paper.submit(until_cancelled(2, Side.SELL, 1, "5", after_days=2, instrument=later))
    await day(paper, 3, bar("15"))

    assert isinstance(selling, Accepted)
    assert await held(paper) == {STOCK.instrument_id: 100}


async def test_shares_that_a_call_on_sale_needs_are_not_sold_either(paper: PaperBroker) -> None:
    """The call would be naked as soon as both are filled."""
    await shares(paper, 100)
    call = await order(paper, 1, Side.SELL, 1, 1, instrument=CALL)
    sale = await order(paper, 2, Side.SELL, 1, 1, instrument=STOCK)
    await day(paper, 2, bar("20"), call_quoted("0.90", "1.10"))

    assert isinstance(call, Accepted) and isinstance(sale, Rejected) and sale.code == "SHARES_BOUND"
    assert await held(paper) == {STOCK.instrument_id: 100, CALL.instrument_id: -1}
