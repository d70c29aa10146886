"""Cash at the paper venue never ends below zero, whatever passes the gate and whatever opens follow."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.execution.tests.domain.test_risk import LIMITS, STANDING, TARIFF, intent

from quantmatrix.common.contracts.prices import Bar
from quantmatrix.common.names import AccountId, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.domain.commission import affordable
from quantmatrix.execution.domain.risk import ApprovedOrder, Standing, assess
from quantmatrix.execution.ports import Accepted, Moment, OrderRequest
from quantmatrix.execution.testing import CLOSED_AT, STOCK, request

ALMOST_ALL = Money(10**9, "USD")
WIDE = replace(
    LIMITS, order_quantity_max=Quantity(10**7), order_notional_max=ALMOST_ALL, position_notional_max=ALMOST_ALL, open_orders_max=50
)
ONE = Quantity(1)
NUMBERS = count(1)

wishes = st.tuples(
    st.sampled_from(list(Side)),
    st.sampled_from(list(OrderType)),
    st.integers(90, 110),
    st.integers(1, 1_000) | st.none(),
    st.sampled_from(list(TimeInForce)),
)
"""A side, a kind, its limit or stop in percent of the close, and a quantity: none stands for the most that the gate lets pass."""
courses = st.lists(st.tuples(st.lists(wishes, max_size=3), st.integers(40, 250)), min_size=2, max_size=6)
"""Day by day: what is wished for on the close, and the next open in percent of it."""


class Course:
    """Days of one account: wishes go through the gate to the venue on each close, then the next bar opens."""

    def __init__(self, broker: PaperBroker) -> None:
        self.broker, self.account = broker, AccountId(f"DU{next(NUMBERS):07}-course")
        self.close, self.closed_at = Price.parse("12.5"), CLOSED_AT
        self.sent: dict[str, OrderRequest] = {}

    async def wish(self, side: Side, kind: OrderType, pct: int, quantity: int | None, lasts: TimeInForce) -> None:
        near, standing = self.close.scaled(pct, 100), await self.standing()
        prices: dict[str, Any] = {} if kind is OrderType.MARKET else {f"{kind.value.lower()}_price": near}
        free = standing.cash - standing.reserved
        most = affordable(TARIFF.others, free, near, Quantity.in_lots(free.amount / near.value, ONE), ONE)
        units = Quantity(quantity) if quantity else max(most if side is Side.BUY else standing.position, ONE)
        wanted = replace(intent(1, side, order_type=kind, instrument=STOCK, **prices), quantity=units)
        if not isinstance(assess(wanted, standing, WIDE), ApprovedOrder):
            return
        order = request(
            next(NUMBERS), account=self.account, side=side, order_type=kind, reference_price=self.close, at=self.closed_at,
            time_in_force=lasts, **prices,
        )  # fmt: skip
        self.sent[order.client_ref] = replace(order, quantity=units)
        assert isinstance(await self.broker.submit(self.sent[order.client_ref]), Accepted), "the venue takes what the gate lets pass"

    async def standing(self) -> Standing:
        """As execution's tables have it."""
        orders, _ = await self.broker.changed_since(self.account, CLOSED_AT)
        working = [self.sent[one.client_ref] for one in orders if one.status == "working"]
        buys, sells = ([one for one in working if one.side is side] for side in (Side.BUY, Side.SELL))
        needed = (TARIFF.needed("ABC", one.quantity, notional(_at(one), one.quantity, ONE, "USD")) for one in buys)
        return replace(
            STANDING,
            cash=await self.broker.cash(self.account),
            reserved=sum(needed, Money.zero("USD")),
            position=sum((one.quantity for one in await self.broker.positions(self.account)), Quantity(0)),
            working_buys=sum((one.quantity for one in buys), Quantity(0)),
            working_sells=sum((one.quantity for one in sells), Quantity(0)),
            price=self.close,
        )

    async def open(self, pct: int) -> None:
        self.closed_at, opened = self.closed_at + timedelta(days=1), self.close.scaled(pct, 100)
        moment = Moment(self.closed_at.date(), _open_of(self.closed_at), self.closed_at)
        prices = opened, opened.scaled(11, 10), opened.scaled(9, 10), opened
        await self.broker.bars_closed(moment, [Bar(STOCK.instrument_id, "ABC", "USD", *prices, ONE)])
        self.close = opened


def _at(order: OrderRequest) -> Price:
    return order.limit_price or max(order.stop_price or Price(0), order.reference_price or Price(0))


def _open_of(closed_at: datetime) -> datetime:
    return closed_at - timedelta(hours=6, minutes=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(courses)
async def test_over_any_course_of_orders_and_opens_neither_cash_nor_position_ends_below_zero(
    paper: PaperBroker, days: list[tuple[list[Any], int]]
) -> None:
    course = Course(paper)
    await paper.open_account(course.account, Money(10_000, "USD"))
    for wanted, opens_at in days:
        for one in wanted:
            await course.wish(*one)
        await course.open(opens_at)

        assert await paper.cash(course.account) >= Money.zero("USD")
        assert all(one.quantity > Quantity(0) for one in await paper.positions(course.account))

    _, executions = await paper.changed_since(course.account, CLOSED_AT)
    spent = sum(
        (notional(one.price, one.quantity, ONE, "USD").times(Decimal(one.side.sign)) + one.fee for one in executions), Money.zero("USD")
    )
    assert await paper.cash(course.account) == Money(10_000, "USD") - spent


async def test_a_purchase_that_opens_higher_fills_as_far_as_the_cash_pays_and_the_rest_is_cancelled(paper: PaperBroker) -> None:
    """4,000 at 24.99 are reckoned at 99,960 and 20.00; at the open of 26 the cash pays for 3,845 with 19.225."""
    await paper.submit(request(1, quantity=4_000, reference_price=Price.parse("24.99"), time_in_force=TimeInForce.GTC))
    moment = Moment(CLOSED_AT.date() + timedelta(days=1), _open_of(CLOSED_AT + timedelta(days=1)), CLOSED_AT + timedelta(days=1))
    bar = Bar(STOCK.instrument_id, "ABC", "USD", Price(26), Price(26), Price(26), Price(26), ONE)

    await paper.bars_closed(moment, [bar])
    await paper.bars_closed(moment, [bar])

    (order,), (execution,) = await paper.changed_since(request().account_id, CLOSED_AT)
    assert (execution.quantity, execution.fee) == (Quantity(3_845), Money.parse("19.225", "USD"))
    assert (order.status, order.filled) == ("cancelled", Quantity(3_845))
    assert order.reason == "FUNDS: 4000 wanted at 26, 100000 USD pays for 3845"
    assert await paper.cash(request().account_id) == Money.parse("10.775", "USD")


async def test_a_purchase_that_the_cash_pays_nothing_of_makes_no_execution(paper: PaperBroker) -> None:
    await paper.submit(request(1, quantity=1, reference_price=Price(90_000)))
    moment = Moment(CLOSED_AT.date() + timedelta(days=1), _open_of(CLOSED_AT + timedelta(days=1)), CLOSED_AT + timedelta(days=1))

    await paper.bars_closed(moment, [Bar(STOCK.instrument_id, "ABC", "USD", *(Price(120_000),) * 4, ONE)])

    (order,), executions = await paper.changed_since(request().account_id, CLOSED_AT)
    assert (order.status, order.filled, list(executions)) == ("cancelled", Quantity(0), [])
    assert await paper.positions(request().account_id) == []


async def test_the_venue_refuses_what_its_cash_does_not_pay_with_the_commission(paper: PaperBroker) -> None:
    """4,000 at 25 are just the 100,000 of the account, and 20 more in commission."""
    refused = await paper.submit(request(1, quantity=4_000, reference_price=Price(25)))

    assert str(refused) == "Rejected(code='FUNDS', detail='the order needs 100020 USD, the account has 100000 USD')"


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1)])
async def test_where_cash_pays_for_one_of_two_purchases_the_instrument_decides_as_in_a_backtest(paper: PaperBroker, numbers: Any) -> None:
    """1,990 of each at 25 are reckoned at 49,750 with 9.95; at 50 the first takes 99,500 with 9.95, and 490.05 pay for 9 of the other with 1.00."""
    named = [replace(STOCK, instrument_id=InstrumentId(one), symbol=one) for one in ("Zeta", "alpha")]
    for number, instrument in zip(numbers, named, strict=True):
        await paper.submit(request(number, quantity=1_990, instrument=instrument, reference_price=Price(25)))
    closed = CLOSED_AT + timedelta(days=1)

    bars = [Bar(one.instrument_id, one.symbol, "USD", *(Price(50),) * 4, ONE) for one in reversed(named)]
    await paper.bars_closed(Moment(closed.date(), _open_of(closed), closed), bars)

    held = {one.instrument_id: one.quantity for one in await paper.positions(request().account_id)}
    assert held == {"Zeta": Quantity(1_990), "alpha": Quantity(9)}, "capital letters come first, as in Python"


def test_what_costs_nothing_is_paid_by_no_cash_too() -> None:
    """A sold put that ends worthless is settled for nothing, also where a correction left the account below zero."""
    assert affordable(TARIFF.options, Money(-5, "USD"), Price(0), Quantity(3), Quantity(100)) == Quantity(3)
    assert affordable(TARIFF.options, Money(-5, "USD"), Price(1), Quantity(3), Quantity(100)) == Quantity(0)
