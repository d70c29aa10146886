"""The fixtures of every test that needs the real servers. Nothing here knows a single service.

servers       once per run: a real NATS server and a real PostgreSQL, as `qm up` starts them, in a folder of their own. Tests may stop,
              kill and start them (`await servers.postgres_stop()`, `nats_kill()`, …); the next test finds them well again.
prepared      `prepared.copy_to(home)` makes a data folder as a first start leaves it, for tests of what comes after that.
database      a fresh database per test, copied from a template in which every service's schema is migrated and every role has its own:
              `database.url("portfolio")`, `await database.connect("portfolio")`, `await database.fetch("portfolio", "select …")`.
bus           a fresh bus per test: streams and consumers of the table, empty. `await bus.connect("execution")` is a connection under that
              NATS user (also `provision`, `operator`); all are closed at the end.
ask           puts questions to services as the operator: `await ask("portfolio", PortfolioAsked(...))`.
start_here    runs a service inside the test: `await start_here("portfolio")`, settings as keywords; `await start_here.stop("portfolio")` ends
              one early. Errors of a service fail the test.
start_process runs a service as a process: `process = await start_process("execution", QM_EXECUTION_PAPER_CASH="5000")`, then
              `process.kill()`, `.stop()`, `.start()`. What is still running at the end is killed.

Types for annotations: `FreshDatabase`, `FreshBus`, `Servers` of `quantmatrix.operations.testing`, `StartHere` and `StartProcess` of
`quantmatrix.common.testing.here` and `.process`. `quantmatrix.common.testing` has what needs no server: `wait_until(condition)`, `SetClock`,
`examples.py` (an example of every message). Tests that use these fixtures are marked `servers` by themselves:
`pytest -m "not servers"` runs the others. Property tests try the same examples every time; `--hypothesis-profile=explore` tries others.
"""

import gc
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.main import GARBAGE_LOOKS
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.process import StartProcess
from quantmatrix.common.testing.waiting import WITHIN_S
from quantmatrix.operations.testing import FreshBus, FreshDatabase, Prepared, Servers

_numbers = itertools.count(1)
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=2_000, database=None)
settings.load_profile("steady")


MEMORY = Path("/dev/shm")  # noqa: S108 - only to make folders of our own in it
MEMORY_BYTES_MIN = 6 << 30


def pytest_configure() -> None:
    """What the person's shell says about QuantMatrix is none of the tests' business. Folders lie in memory where there is room.

    Every test has a database of its own: a thousand files, made and removed again. Disks are slow at nothing more than at that.
    """
    for name in [name for name in os.environ if name.startswith("QM_")]:
        del os.environ[name]
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # httpcore looks for it in every folder at every request
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the servers, and begin with the longest files: `make test` gives each worker a file at a time."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.servers)
    items.sort(key=_seconds, reverse=True)


def pytest_collection_finish() -> None:
    """Look for rings of objects as seldom as the services do, and never among what was collected: half a million objects that stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_LOOKS)


def _seconds(item: pytest.Item) -> int:
    marker = item.get_closest_marker("long")
    return 0 if marker is None else marker.args[0]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own, gone afterwards: pytest's keeps the last three runs."""
    with tempfile.TemporaryDirectory(prefix="qm-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    home = Path(tempfile.mkdtemp(prefix="qm-tests-"))
    started = Servers(home / "data")
    try:
        started.start()
        yield started
    finally:
        started.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def prepared() -> Iterator[Prepared]:
    with tempfile.TemporaryDirectory(prefix="qm-prepared-") as folder:
        yield Prepared(Path(folder) / "data")


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[FreshDatabase]:
    await servers.make_well()
    made = await FreshDatabase(servers, f"test_{next(_numbers)}").make()
    try:
        yield made
    finally:
        await servers.make_well()
        await made.drop()


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[FreshBus]:
    await servers.make_well()
    fresh = FreshBus(servers)
    await fresh.renew()
    try:
        yield fresh
    finally:
        await fresh.close()


@pytest.fixture
async def ask(bus: FreshBus) -> Ask:
    return Ask(await bus.connect(OPERATOR_USER), deadline_s=WITHIN_S)


@pytest.fixture
async def start_here(database: FreshDatabase, bus: FreshBus, tmp_path: Path) -> AsyncIterator[StartHere]:
    starter = StartHere(database, bus, tmp_path)
    try:
        yield starter
    finally:
        await starter.stop_all()


@pytest.fixture
async def start_process(database: FreshDatabase, bus: FreshBus, tmp_path: Path) -> AsyncIterator[StartProcess]:
    starter = StartProcess(database, bus, tmp_path)
    try:
        yield starter
    finally:
        await starter.kill_all()
