"""The contract of brokers, on the double and on the paper broker."""

from datetime import timedelta

import pytest

from quantmatrix.common.contracts.prices import Bar
from quantmatrix.common.values import Price, Quantity
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.ports import Broker, Moment, PriceDriven
from quantmatrix.execution.testing import CLOSED_AT, STOCK, BrokerContract, FakeBroker

HUNDRED_AND_ONE = Bar(STOCK.instrument_id, "ABC", "USD", Price(101), Price(102), Price(99), Price(100), Quantity(1_000))


class TestTheFakeBroker(BrokerContract):
    @pytest.fixture
    def broker(self) -> Broker:
        return FakeBroker()

    async def fill_everything(self, broker: Broker) -> None:
        assert isinstance(broker, FakeBroker)
        for reference, order in list(broker.orders.items()):
            if order.status == "working":
                broker.fill(reference, order.quantity - order.filled, Price(101))


class TestThePaperBroker(BrokerContract):
    _day = 0

    @pytest.fixture
    def broker(self, paper: PaperBroker) -> Broker:
        return paper

    async def fill_everything(self, broker: Broker) -> None:
        """The next day's bar."""
        assert isinstance(broker, PriceDriven)
        self._day += 1
        closed = CLOSED_AT + timedelta(days=self._day)
        await broker.bars_closed(Moment(closed.date(), closed - timedelta(hours=6, minutes=30), closed), [HUNDRED_AND_ONE])
