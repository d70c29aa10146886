"""Strategies of a person that raise or never come back, asked for as the console asks: the sentence names the bar, others are unharmed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.signals.tests.floor import SESSIONS
from services.signals.tests.stored.broken import LOOP, RAISE, spoil_slot
from services.signals.tests.stored.installed import Installation, answers, market_behind

from quantmatrix.common.contracts.asking.backtests import BacktestWanted
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.process import StartProcess
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money
from quantmatrix.operations.testing import FreshBus, FreshDatabase

pytestmark = pytest.mark.long(20)


@pytest.fixture
async def here(
    database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess, tmp_path: Path
) -> AsyncIterator[Installation]:
    """Signals with two broken strategies in its slot, and three seconds for a bar."""
    spoil_slot(tmp_path, {"raises": (400, RAISE), "endless": (3, LOOP)})
    await market_behind(database, bus)
    await start_process("signals", PYTHONPATH=str(tmp_path), QM_SIGNALS_BACKTEST_BAR_LIMIT_S="3")
    await wait_until(lambda: answers(ask), "signals answers")
    yield Installation(database, bus, ask, start_process)


async def _ordered(here: Installation, strategy: str, **more: Any) -> int:
    here.commands += 1
    wish = BacktestWanted(
        user_id=FIRST_ADMINISTRATOR, command_id=UUID(int=here.commands), strategy=strategy, symbols=("ABC",),
        capital=Money(50_000, "USD"), **more,
    )  # fmt: skip
    return (await here.ask("signals", wish)).backtest_id


async def test_the_bar_is_named_and_others_come_to_their_end(here: Installation) -> None:
    wishes = [
        ("endless", {}), ("raises", {}), ("endless", {"grid": {"fast": "[5]"}}), ("raises", {"grid": {"fast": "[5, 6]"}}),
        ("moving_average_cross", {}),
    ]  # fmt: skip
    numbers = [await _ordered(here, strategy, **more) for strategy, more in wishes]

    endless, raises, swept, tried, well = [(await here.ended(number)).line for number in numbers]

    assert {one.state for one in (endless, raises, swept, tried)} == {"failed"} and (well.state, well.error) == ("done", None)
    assert endless.error == f"endless did not come back from ABC, bar 3 of {len(SESSIONS)} ({SESSIONS[2]}) and was stopped"
    assert raises.error == f"raises raised LookupError on ABC, bar 400 of {len(SESSIONS)} ({SESSIONS[399]}): no such level"
    assert swept.error == f"with fast=5: {endless.error}"
    assert str(tried.error).startswith("with fast=") and str(tried.error).endswith(f": {raises.error}")
    assert await here.database.fetch("signals", "select 1 from backtest_table where backtest_id <> $1", well.backtest_id) == []
