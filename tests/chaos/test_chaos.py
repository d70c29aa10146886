"""A part of the replay under a few seeds, a power cut and an emptied bus; `make chaos` does all of it over all years."""

import pytest
from tests.chaos.run import emptied_while_down, emptied_while_running, killed, power_cut, run_one, undisturbed, wrongs

from quantmatrix.operations.demo import Options

pytestmark = [pytest.mark.servers, pytest.mark.chaos, pytest.mark.long]
OPTIONS = Options(last="2000-12-29")


async def test_no_kill_and_no_emptied_bus_changes_the_ledger() -> None:
    rows = [
        await run_one(scenario, OPTIONS)
        for scenario in (undisturbed, killed(1, 0.5), killed(2, 0.5), power_cut, emptied_while_down, emptied_while_running)
    ]
    assert rows[0].result.counts["fills"] > 10
    assert wrongs(rows, kills_wanted=4) == []


async def test_another_part_of_the_replay_is_another_ledger() -> None:
    """The digest tells ledgers apart: it is not a constant."""
    short = await run_one(undisturbed, Options(last="2000-10-31"))
    shorter = await run_one(undisturbed, Options(last="2000-08-31"))
    assert short.result.ledger_digest != shorter.result.ledger_digest
    assert wrongs([short, shorter], kills_wanted=0) == [f"{shorter.name}: another ledger"]
