"""A service that dies with a backtest at work: another life of it goes on at once, and two of them never compute the same."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from services.signals.tests.stored.gate import held_at_half
from services.signals.tests.stored.installed import PARTS, Installation, answers, market_behind

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.process import ServiceProcess, StartProcess, children_of, is_alive
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until
from quantmatrix.operations.testing import FreshBus, FreshDatabase

pytestmark = pytest.mark.long(40)


@pytest.fixture
async def two(database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess) -> AsyncIterator[list[ServiceProcess]]:
    """Two processes of signals with a market behind them."""
    await market_behind(database, bus)
    started = [await start_process("signals"), await start_process("signals")]
    await wait_until(lambda: answers(ask), "signals answers")
    yield started


async def test_one_that_is_killed_leaves_its_backtest_to_the_other(
    two: list[ServiceProcess], database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess
) -> None:
    here = Installation(database, bus, ask, start_process)
    whole = await here.ended(await here.ordered())
    async with held_at_half(database):
        number = await here.ordered()
        await here.half_way(number)
        (doomed,) = [one for one in two if children_of(one.pid)]
        hands = children_of(doomed.pid)
        await doomed.kill()

    found = await here.ended(number)

    assert (found.line.state, found.line.error) == ("done", None)
    assert found.line.digest == whole.line.digest and found.tried == whole.tried
    await wait_until(lambda: not any(is_alive(hand) for hand in hands), "its process ended with it")
    rows = await database.fetch("signals", "select backtest_id, tries from backtest order by 1")
    assert [(row["backtest_id"], row["tries"]) for row in rows] == [(whole.line.backtest_id, 1), (number, 2)]


async def test_one_that_is_asked_to_stop_puts_its_backtest_back(
    two: list[ServiceProcess], database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess
) -> None:
    here = Installation(database, bus, ask, start_process)
    async with held_at_half(database):
        number = await here.ordered()
        await here.half_way(number)
        (stopping,) = [one for one in two if children_of(one.pid)]
        assert await stopping.stop() == 0

    found = await here.ended(number)

    assert (found.line.state, len(found.tried)) == ("done", PARTS)
    assert [row["tries"] for row in await database.fetch("signals", "select tries from backtest")] == [1]


async def test_a_command_that_hands_its_sweep_to_workers_gets_the_digest_of_its_own(
    two: list[ServiceProcess], database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess
) -> None:
    here = Installation(database, bus, ask, start_process)

    async def swept(*words: str) -> tuple[dict[str, Any], str]:
        command = "quantmatrix.operations backtest sweep moving_average_cross --symbols AAPL --grid fast=3,5 --grid slow=20,30 --json"
        outside = {"QM_NATS_OPERATOR_PASSWORD": bus.password("operator"), "QM_NATS_PASSWORD": ""}
        process = await start_process("signals", module=f"{command} {' '.join(words)}", **outside)
        assert await process.ended(within_s=GIVES_WAY_S) == 0, process.written()
        said = process.written()
        return json.loads(said[said.index("{\n") if "{\n" in said else said.index('{"') :]), said

    own, _ = await swept("--no-store")
    alone, told = await swept("--by-workers")
    worker = await here.worker()
    handed, _ = await swept("--by-workers")

    assert own["digest"] == alone["digest"] == handed["digest"] and own["tried"] == handed["tried"]
    assert "no worker of the installation waits for jobs" in " ".join(told.split())
    rows = await database.fetch("signals", "select backtest_id, by_service, state from backtest order by 1")
    assert [(row["backtest_id"], row["by_service"], row["state"]) for row in rows] == [
        (alone["id"], False, "done"),
        (handed["id"], True, "done"),
    ]
    assert f"backtest {handed['id']}: parts" in worker.written()
