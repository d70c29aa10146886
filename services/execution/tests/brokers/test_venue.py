"""The paper venue: a memory of its own, next-open fills with commission, splits once, and no favours."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ActionKind, AssetClass, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker, make
from quantmatrix.execution.ports import Accepted, BrokerOrder, BrokerPosition, Moment, Rejected
from quantmatrix.execution.settings import ExecutionSettings
from quantmatrix.execution.testing import CLOSED_AT, STOCK, request

ACCOUNT = AccountId("DU0000001")


def bar(opened: str, high: str | None = None, low: str | None = None, instrument: str = STOCK.instrument_id) -> Bar:
    return Bar(
        InstrumentId(instrument), "ABC", "USD", Price.parse(opened), Price.parse(high or opened), Price.parse(low or opened), Price.parse(opened), Quantity(1)
    )  # fmt: skip


async def day(broker: PaperBroker, number: int, *bars: Bar, **more: Any) -> bool:
    closed = CLOSED_AT + timedelta(days=number)
    return await broker.bars_closed(Moment(closed.date(), closed - timedelta(hours=6, minutes=30), closed, **more), bars)


async def found(broker: PaperBroker, number: int = 1) -> BrokerOrder:
    order = await broker.find(ACCOUNT, request(number).client_ref)
    assert isinstance(order, BrokerOrder)
    return order


async def test_a_market_order_fills_at_the_next_bars_open_with_commission(paper: PaperBroker) -> None:
    """1,000 at 25: value 25,000 and 5.00 commission (the published example)."""
    await paper.submit(request(quantity=1_000, reference_price=Price(25)))
    await day(paper, 1, bar("25", "27", "24"))

    ((execution,),) = ((await paper.changed_since(ACCOUNT, CLOSED_AT))[1],)
    assert (execution.price, execution.fee) == (Price(25), Money.parse("5", "USD"))
    assert execution.session == date(2024, 3, 6)
    assert await paper.cash(ACCOUNT) == Money(74_995, "USD")


async def test_the_session_that_an_order_was_decided_on_does_not_fill_it(paper: PaperBroker) -> None:
    await paper.submit(request())

    await day(paper, 0, bar("25"))

    assert (await found(paper)).status == "working"


async def test_hearing_the_same_bars_again_changes_nothing(paper: PaperBroker) -> None:
    await paper.submit(request())
    assert await day(paper, 1, bar("25"))
    book, cash = await paper.book(), await paper.cash(ACCOUNT)

    assert await day(paper, 1, bar("25"))

    assert (await paper.book(), await paper.cash(ACCOUNT)) == (book, cash)


async def test_an_order_that_comes_after_quiet_days_fills_like_any_other(paper: PaperBroker) -> None:
    assert not await day(paper, -2, bar("25"))
    assert not await day(paper, -1, bar("25"))
    await paper.submit(request())

    assert await day(paper, 1, bar("25"))

    assert (await found(paper)).status == "filled"
    assert not await day(paper, 2, bar("26"))
    assert not await day(paper, 3, bar("26"))


async def test_a_day_order_that_did_not_fill_expires_and_a_gtc_order_stays(paper: PaperBroker) -> None:
    low = {"order_type": OrderType.LIMIT, "limit_price": Price(90)}
    await paper.submit(request(1, **low))
    await paper.submit(request(2, time_in_force=TimeInForce.GTC, **low))

    await day(paper, 1, bar("100", "101", "99"))
    assert [(await found(paper, number)).status for number in (1, 2)] == ["expired", "working"]

    await day(paper, 2, bar("95", "96", "89"))
    assert [(await found(paper, number)).status for number in (1, 2)] == ["expired", "filled"]


async def test_a_day_order_waits_for_the_last_bars_of_its_session(paper: PaperBroker) -> None:
    """Of many instruments the bars of a session come in parts: what one part does not fill, the next one may."""
    await paper.submit(request(1))
    await paper.submit(request(2, order_type=OrderType.LIMIT, limit_price=Price(20)))

    await day(paper, 1, bar("7", instrument="XNYS-AAA"), last=False)
    first = [(await found(paper, number)).status for number in (1, 2)]
    await day(paper, 1, bar("25"))

    assert first == ["working", "working"]
    assert [(await found(paper, number)).status for number in (1, 2)] == ["filled", "expired"]


async def test_the_venue_remembers_when_execution_dies(paper: PaperBroker, database: Any) -> None:
    """Another process opens the same storage and finds the order, its fill and the cash."""
    await paper.submit(request())
    await paper.stop()
    heir = make(ExecutionSettings(paper_database_url=database.url("paper")))
    await heir.start()
    await heir.open_account(ACCOUNT, Money(1, "USD"))  # again: changes nothing

    await day(heir, 1, bar("100"))

    assert (await found(heir)).status == "filled"
    assert await heir.cash(ACCOUNT) == Money(98_999, "USD")
    await heir.stop()


@pytest.mark.parametrize("look", ["by reference", "by time"])
async def test_an_order_that_another_process_brought_late_fills_once_this_one_came_upon_it(
    paper: PaperBroker, database: Any, look: str
) -> None:
    """The heir remembers a quiet book; then what its predecessor had sent arrives. It never sends that order itself."""
    heir = make(ExecutionSettings(paper_database_url=database.url("paper")))
    await heir.start()
    assert not await day(heir, -1, bar("25"))
    await paper.submit(request())

    if look == "by reference":
        assert (await found(heir)).status == "working"
    else:
        assert [order.status for order in (await heir.changed_since(ACCOUNT, CLOSED_AT - timedelta(days=1)))[0]] == ["working"]

    assert await day(heir, 1, bar("25"))
    assert (await found(heir)).status == "filled"
    await heir.stop()


async def test_the_venue_does_not_refuse_a_second_order_under_one_reference_but_its_book_tells(paper: PaperBroker) -> None:
    """Real brokers do not either. The count is what the recovery tests look at, so it must be able to be wrong."""
    first, second = await paper.submit(request()), await paper.submit(request())

    assert isinstance(first, Accepted) and isinstance(second, Accepted)
    assert first.broker_order_id != second.broker_order_id
    book = await paper.book()
    assert (book.orders, book.duplicate_orders) == (2, 1)


async def test_where_orders_fill_at_once_the_answer_brings_the_execution(paper: PaperBroker, database: Any) -> None:
    at_once = make(ExecutionSettings(paper_database_url=database.url("paper"), paper_fills="at_once"))
    await at_once.start()

    outcome = await at_once.submit(request(quantity=1_000, reference_price=Price(25)))

    assert isinstance(outcome, Accepted) and outcome.executions is not None
    assert (await at_once.changed_since(ACCOUNT, CLOSED_AT))[1] == list(outcome.executions)
    assert outcome.executions[0].fee == Money.parse("5", "USD")
    assert await at_once.cash(ACCOUNT) == Money(74_995, "USD")
    assert await at_once.positions(ACCOUNT) == [BrokerPosition(STOCK.instrument_id, Quantity(1_000))]
    assert (await found(at_once)).status == "filled"
    await at_once.stop()


async def test_orders_that_come_together_never_spend_the_same_cash(paper: PaperBroker, database: Any) -> None:
    """Four orders of 30,000 each on an account of 100,000, all at the same time: three are paid."""
    at_once = make(ExecutionSettings(paper_database_url=database.url("paper"), paper_fills="at_once"))
    await at_once.start()

    wanted = [request(number, quantity=300, reference_price=Price(100)) for number in range(1, 5)]
    outcomes = await asyncio.gather(*(at_once.submit(one) for one in wanted))

    fees = sum(
        (execution.fee.amount for one in outcomes if isinstance(one, Accepted) for execution in one.executions or ()),
        Decimal(0),
    )
    assert Counter(type(one) for one in outcomes) == {Accepted: 3, Rejected: 1}
    assert await at_once.cash(ACCOUNT) == Money(10_000 - fees, "USD")
    await at_once.stop()


async def test_an_order_the_account_cannot_pay_is_rejected_and_remembered(paper: PaperBroker) -> None:
    outcome = await paper.submit(request(quantity=100_000))

    assert isinstance(outcome, Rejected) and outcome.code and outcome.detail
    assert (await found(paper)).status == "rejected"
    await day(paper, 1, bar("1"))
    assert await paper.positions(ACCOUNT) == []


async def test_an_account_the_venue_does_not_know_is_rejected(paper: PaperBroker) -> None:
    outcome = await paper.submit(request(account="STRANGER"))

    assert isinstance(outcome, Rejected) and outcome.code == "ACCOUNT_UNKNOWN"


async def test_a_fraction_of_a_share_is_filled_as_the_fraction_it_is(paper: PaperBroker) -> None:
    """A third of a share stays one on its way through the venue: bought, held, sold, and paid for to the last digit."""
    third = Quantity.parse("2.333333333333")
    await paper.submit(request(1, quantity=third, reference_price=Price(30)))
    await day(paper, 1, bar("30"))
    held, paid = await paper.positions(ACCOUNT), Money(100_000, "USD") - await paper.cash(ACCOUNT)

    await paper.submit(request(2, side=Side.SELL, quantity=third, reference_price=Price(30), at=CLOSED_AT + timedelta(days=1)))
    await day(paper, 2, bar("30"))

    assert held == [BrokerPosition(STOCK.instrument_id, third)]
    fee = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1][0].fee
    assert paid == Money.parse("69.99999999999", "USD") + fee
    assert [one.quantity for one in (await paper.changed_since(ACCOUNT, CLOSED_AT))[1]] == [third, third]
    assert await paper.positions(ACCOUNT) == []


@pytest.mark.parametrize(
    ("bought", "numerator", "denominator", "held"),
    [("145", 1, 3, "48.333333333333"), ("0.000000000001", 1, 2, "0"), ("0.000000000003", 1, 2, "0.000000000002"), ("7", 3, 2, "10.5")],
)
async def test_a_split_rounds_units_as_the_books_do(paper: PaperBroker, bought: str, numerator: int, denominator: int, held: str) -> None:
    """Half of the last digit goes to the even neighbour: away from zero, as a database rounds, would part the venue from the lots."""
    await paper.submit(request(quantity=Quantity.parse(bought), reference_price=Price(25)))
    await day(paper, 1, bar("25"))

    await paper.action_effective(
        like(
            CorporateActionAnnounced, kind=ActionKind.SPLIT, instrument=STOCK, effective=date(2024, 3, 7), numerator=numerator,
            denominator=denominator, amount=None,
        )
    )  # fmt: skip

    assert [one.quantity for one in await paper.positions(ACCOUNT)] == [Quantity.parse(held)] * (held != "0")


async def test_a_split_changes_holdings_and_working_orders_once(paper: PaperBroker) -> None:
    await paper.submit(request(1, quantity=100))
    await day(paper, 1, bar("50"))
    stop = request(
        2, side=Side.SELL, quantity=100, order_type=OrderType.STOP, stop_price=Price(40), time_in_force=TimeInForce.GTC,
        at=CLOSED_AT + timedelta(days=1),
    )  # fmt: skip
    await paper.submit(stop)
    split = like(
        CorporateActionAnnounced,
        kind=ActionKind.SPLIT,
        instrument=STOCK,
        effective=date(2024, 3, 7),
        numerator=2,
        denominator=1,
        amount=None,
    )

    await paper.action_effective(split)
    await paper.action_effective(split)

    order = await found(paper, 2)
    assert (order.quantity, order.stop_price) == (Quantity(200), Price(20))
    assert await paper.positions(ACCOUNT) == [BrokerPosition(STOCK.instrument_id, Quantity(200))]
    await day(paper, 2, bar("19"))
    assert await paper.positions(ACCOUNT) == []


async def test_a_contract_is_settled_in_the_terms_that_a_split_of_its_stock_gave_it(paper: PaperBroker) -> None:
    """One 95 call on ABC, split 3 for 2: it delivers 150 shares for 9,500. At 70 these are worth 10,500, so 1,000 come, less 0.65 and 1 at least."""
    option = Instrument(InstrumentId("CALL"), "ABC   240307C00095000", AssetClass.OPTION, "USD", Quantity(100))
    await paper.submit(replace(request(1, quantity=1), instrument=option, reference_price=Price(9)))
    quote = Bar(option.instrument_id, option.symbol, "USD", *[Price(9)] * 4, Quantity(1), Price(9), Price(9))
    await day(paper, 1, quote, bar("104"))
    sale = replace(request(2, side=Side.SELL, quantity=1, at=CLOSED_AT + timedelta(days=1)), instrument=option)
    await paper.submit(sale)
    adjustment = like(
        CorporateActionAnnounced, kind=ActionKind.SPLIT, instrument=option, effective=date(2024, 3, 7), numerator=1, denominator=1,
        amount=None, becomes="ABC1  240307C00095000", deliverable=Quantity(150),
    )  # fmt: skip
    await paper.action_effective(adjustment)
    await paper.action_effective(adjustment)

    await day(paper, 2, bar("70"))

    executions = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1]
    assert [(one.price, one.quantity, one.fee) for one in executions] == [
        (Price(9), Quantity(1), Money(1, "USD")),
        (Price(10), Quantity(1), Money(1, "USD")),
    ]


async def test_a_dividend_moves_nothing_at_the_venue(paper: PaperBroker) -> None:
    await paper.submit(request(quantity=100))
    await day(paper, 1, bar("50"))
    cash = await paper.cash(ACCOUNT)

    await paper.action_effective(like(CorporateActionAnnounced, kind=ActionKind.DIVIDEND, instrument=STOCK, amount=Price(1)))

    assert await paper.cash(ACCOUNT) == cash


async def test_orders_are_matched_by_time_and_then_by_reference(paper: PaperBroker) -> None:
    """The same book gives the same executions, however the orders came in."""
    for number in (3, 1, 2):
        await paper.submit(request(number))
    await day(paper, 1, bar("100"))

    executions = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1]
    references = [one.client_ref for one in executions]
    assert references == sorted(references) and len(references) == 3


async def test_the_books_of_the_venue_agree_with_themselves(paper: PaperBroker) -> None:
    """Cash is the opening cash less the value of every execution and its fee, whatever was traded."""
    for number, (side, quantity) in enumerate([(Side.BUY, 100), (Side.BUY, 37), (Side.SELL, 80), (Side.SELL, 57)], start=1):
        await paper.submit(request(number, side=side, quantity=quantity, at=CLOSED_AT + timedelta(days=number)))
        await day(paper, number + 1, bar(str(90 + 7 * number)))

    executions = (await paper.changed_since(ACCOUNT, CLOSED_AT))[1]
    moved = sum((one.price.value * one.quantity.value * one.side.sign + one.fee.amount for one in executions), Decimal(0))
    assert len(executions) == 4
    assert await paper.cash(ACCOUNT) == Money(100_000 - moved, "USD")
    assert await paper.positions(ACCOUNT) == []
