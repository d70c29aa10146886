"""A sweep of a command that ends half-way goes on where it ended, here or by workers, and comes to the digest of one that nobody disturbed."""

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from services.signals.tests.stored.gate import HALF, held_at_half
from services.signals.tests.stored.installed import Installation, answers, market_behind

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.process import ServiceProcess, StartProcess
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until
from quantmatrix.operations.testing import FreshBus, FreshDatabase

SWEEP = "sweep atr_matrix --symbols AAPL,MSFT --from 2003-04-01 --to 2004-03-31 --grid stop_atr=1,1.25,1.5,1.75,2,2.25"
pytestmark = pytest.mark.long(30)


@pytest.fixture
async def here(database: FreshDatabase, bus: FreshBus, ask: Ask, start_process: StartProcess) -> AsyncIterator[Installation]:
    """Signals with a market behind it."""
    await market_behind(database, bus)
    await start_process("signals")
    await wait_until(lambda: answers(ask), "signals answers")
    yield Installation(database, bus, ask, start_process)


async def command(here: Installation, words: str) -> ServiceProcess:
    outside = {"QM_NATS_OPERATOR_PASSWORD": here.bus.password("operator"), "QM_NATS_PASSWORD": ""}
    return await here.start_process("signals", module=f"quantmatrix.operations backtest {words} --json", **outside)


async def told(here: Installation, words: str) -> dict[str, Any]:
    process = await command(here, words)
    assert await process.ended(within_s=GIVES_WAY_S) == 0, process.written()
    said = process.written()
    found: dict[str, Any] = json.loads(said[said.index('{"') if '{"' in said else said.index("{\n") :])
    return found


async def stored_parts(here: Installation, number: int) -> set[tuple[Any, ...]]:
    rows = await here.database.fetch("signals", "select p.*, xmin::text as written from backtest_part p where backtest_id = $1", number)
    return {tuple(str(value) for value in row) for row in rows}


async def test_a_killed_sweep_is_resumed_with_what_it_had_and_comes_to_the_same_digest(here: Installation) -> None:
    whole = await told(here, f"{SWEEP} --workers 1")
    async with held_at_half(here.database):
        doomed = await command(here, f"{SWEEP} --workers 1")
        await here.half_way(whole["id"] + 1)
        await doomed.kill()
        had = await stored_parts(here, whole["id"] + 1)
    refused = await command(here, f"resume {whole['id'] + 1}")
    assert await refused.ended(within_s=GIVES_WAY_S) == 4
    assert "still at work" in refused.written()
    passed = "update backtest set beat_at = beat_at - interval '10 minutes' where backtest_id = $1 returning 1"
    assert await here.database.fetch("signals", passed, whole["id"] + 1)

    resumed = await told(here, f"resume {whole['id'] + 1} --workers 1")

    assert len(had) == HALF
    assert had <= await stored_parts(here, whole["id"] + 1), "a finished combination was written again"
    assert resumed["digest"] == whole["digest"] and resumed["tried"] == whole["tried"]


async def test_a_sweep_by_workers_that_a_person_stops_is_resumed_by_workers_with_the_same_digest(here: Installation) -> None:
    whole = await told(here, f"{SWEEP} --workers 1")
    await here.worker()
    number = whole["id"] + 1
    async with held_at_half(here.database):
        stopped = await command(here, f"{SWEEP} --by-workers")
        await here.half_way(number)
        stopped.send(signal.SIGINT)
        assert await stopped.ended(within_s=GIVES_WAY_S) != 0

    resumed = await told(here, f"resume {number} --by-workers")

    assert resumed["digest"] == whole["digest"] and resumed["tried"] == whole["tried"]
