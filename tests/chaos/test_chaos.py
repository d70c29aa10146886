"""A part of the replay under kills, a power cut and an emptied bus; `make chaos` does all of it over all years and under many seeds."""

import pytest
import pytest_asyncio
from tests.chaos.run import Row, cut_and_killed, emptied, run_one, undisturbed, wrongs

from quantmatrix.operations.demo import Options
from quantmatrix.operations.testing import Prepared

pytestmark = [pytest.mark.servers, pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(40)]
OPTIONS = Options(first="2003-04-01", last="2003-09-30")
"""What lies before is history, so there is something to decide from the first day on."""
KILLS_MAX = 16
"""On a busy machine the replay takes longer, and without an end to the kills it would take ever longer."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference() -> Row:
    """The part of the replay with nobody disturbed, from a first start."""
    return await run_one(undisturbed, OPTIONS)


async def test_no_kill_and_no_emptied_bus_changes_the_ledger(reference: Row, prepared: Prepared) -> None:
    disturbed = [await run_one(scenario, OPTIONS, prepared=prepared) for scenario in (cut_and_killed(1, 0.5, KILLS_MAX), emptied)]
    assert reference.result.counts["fills"] > 10
    assert wrongs([reference, *disturbed], kills_wanted=4) == []


async def test_another_part_of_the_replay_is_another_ledger(reference: Row, prepared: Prepared) -> None:
    """The digest tells ledgers apart: it is not a constant."""
    shorter = await run_one(undisturbed, Options(first="2003-04-01", last="2003-05-15"), prepared=prepared)
    assert shorter.result.counts["fills"] > 0
    assert reference.result.ledger_digest != shorter.result.ledger_digest
    assert wrongs([reference, shorter], kills_wanted=0) == [f"{shorter.name}: another ledger"]
