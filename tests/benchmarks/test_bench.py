"""The benchmark measures what it says: every figure is there, and the floors lie below what stands on them. No time is asserted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.benchmarks.figures import Latency, family, resident_mib
from tests.benchmarks.flow import flow
from tests.benchmarks.ledger import lots
from tests.benchmarks.product import ticks
from tests.benchmarks.run import measure_floors
from tests.benchmarks.statement import ROWS, imported

from quantmatrix.operations.demo import Options

pytestmark = [pytest.mark.servers, pytest.mark.long(25)]
QUARTER = Options(first="2003-04-01", last="2003-06-30", environment={"QM_EXECUTION_PAPER_FILLS": "at_once"})
"""What lies before is history, so there is something to decide from the first day on."""


def test_percentiles_are_those_of_the_values() -> None:
    found = Latency.of([number / 1_000 for number in range(1, 101)])
    assert (found.count, found.p50, found.p99) == (100, 50.0, 99.0)


def test_memory_counts_a_process_and_what_it_started() -> None:
    assert resident_mib(1_000_000_000) == 0.0
    assert resident_mib(os.getpid()) > 20
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert family(os.getpid()).count(child.pid) == 1
        assert 20 < resident_mib(os.getpid(), alone=True) < resident_mib(os.getpid())


def test_lots_are_booked_and_both_loops_agree() -> None:
    found = lots(3_000, rebuilt=1_000)
    assert found.closings > 1_000
    assert found.columns_per_s > 0 and found.decimals_per_s > 0 and found.rebuild_s > 0


async def test_a_statement_is_imported_whole_and_taken_back(tmp_path: Path) -> None:
    found = await imported(tmp_path)
    assert (found.rows, found.booked) == (ROWS, 1_568)
    assert 0 < found.floor_s < found.seconds
    assert found.worked_s > 0


async def test_floors_ticks_and_flow_are_measured(tmp_path: Path) -> None:
    floors = await measure_floors(tmp_path, 20)
    assert 0 < floors.publish.p50 < floors.hops.p50
    assert 0 < floors.commit.p50 < floors.hops.p50
    tick = await ticks(tmp_path, QUARTER)
    assert tick.fill.count > 0
    assert 0 < tick.fill.p50 < tick.lot.p50
    through = await flow(tmp_path, 500)
    assert through.in_per_s <= through.out_per_s
