"""How the paper venue fills an order on a daily bar: never on a price of the past, never better than the market was."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import OrderType, Side
from quantmatrix.common.values import Price
from quantmatrix.execution.brokers.paper.matching import fill_price

OPENED = datetime(2024, 3, 6, 14, 30, tzinfo=UTC)
BEFORE = OPENED - timedelta(hours=17)
BAR = (Price(100), Price(105), Price(95))  # open, high, low


@pytest.mark.parametrize(
    ("side", "kind", "limit", "stop", "expected"),
    [
        (Side.BUY, OrderType.MARKET, None, None, "100"),
        (Side.SELL, OrderType.MARKET, None, None, "100"),
        (Side.BUY, OrderType.LIMIT, "102", None, "100"),
        (Side.BUY, OrderType.LIMIT, "100", None, "100"),
        (Side.BUY, OrderType.LIMIT, "97", None, "97"),
        (Side.BUY, OrderType.LIMIT, "95", None, "95"),
        (Side.BUY, OrderType.LIMIT, "94.99", None, None),
        (Side.SELL, OrderType.LIMIT, "98", None, "100"),
        (Side.SELL, OrderType.LIMIT, "105", None, "105"),
        (Side.SELL, OrderType.LIMIT, "105.01", None, None),
        (Side.BUY, OrderType.STOP, None, "99", "100"),
        (Side.BUY, OrderType.STOP, None, "104", "104"),
        (Side.BUY, OrderType.STOP, None, "105.01", None),
        (Side.SELL, OrderType.STOP, None, "101", "100"),
        (Side.SELL, OrderType.STOP, None, "96", "96"),
        (Side.SELL, OrderType.STOP, None, "94.99", None),
    ],
)
def test_fills_on_a_bar(side: Side, kind: OrderType, limit: str | None, stop: str | None, expected: str | None) -> None:
    found = fill_price(side, kind, limit and Price.parse(limit), stop and Price.parse(stop), BEFORE, OPENED, BAR)

    assert found == (expected and Price.parse(expected))


def test_a_bar_that_opened_before_the_order_came_fills_nothing() -> None:
    late = OPENED + timedelta(microseconds=1)

    assert fill_price(Side.BUY, OrderType.MARKET, None, None, late, OPENED, BAR) is None
    assert fill_price(Side.BUY, OrderType.MARKET, None, None, OPENED, OPENED, BAR) == Price(100)


cents = st.decimals("1", "200", places=2)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(Side)), st.sampled_from(list(OrderType)), cents, cents, st.lists(cents, min_size=3, max_size=3))
def test_a_fill_lies_inside_the_bar_and_keeps_the_orders_price(
    side: Side, kind: OrderType, limit: Decimal, stop: Decimal, bar: list[Decimal]
) -> None:
    low, opened, high = sorted(bar)

    found = fill_price(side, kind, Price(limit), Price(stop), BEFORE, OPENED, (Price(opened), Price(high), Price(low)))

    if found is None:
        assert kind is not OrderType.MARKET
        return
    assert low <= found.value <= high
    if kind is OrderType.LIMIT:
        assert (limit - found.value) * side.sign >= 0
    if kind is OrderType.STOP:
        assert (found.value - stop) * side.sign >= 0
