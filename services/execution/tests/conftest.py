"""A paper venue on a fresh database, and a speaker on the bus, for execution's tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from quantmatrix.common.names import AccountId
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.values import Money
from quantmatrix.execution.brokers.paper import PaperBroker, make
from quantmatrix.execution.settings import ExecutionSettings

pytest.register_assert_rewrite("quantmatrix.execution.testing")

from services.execution.tests.desk import Desk  # noqa: E402

from quantmatrix.execution.testing import FakeBroker  # noqa: E402


@pytest.fixture
def say(bus: Any) -> Saying:
    return Saying(bus.connect)


@pytest.fixture
async def desk(start_here: Any, ask: Any, say: Saying) -> Desk:
    made = Desk(start_here, ask, say, FakeBroker())
    await made.prices()
    return made


@pytest.fixture
async def paper(database: Any) -> AsyncIterator[PaperBroker]:
    """The paper broker as the default settings make it, with the account DU0000001."""
    broker = make(ExecutionSettings(paper_database_url=database.url("paper")))
    await broker.start()
    await broker.open_account(AccountId("DU0000001"), Money(100_000, "USD"))
    yield broker
    await broker.stop()
