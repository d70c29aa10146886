"""Child processes: they do not outlive us, stop when asked, and are killed when they do not."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from quantmatrix.common.testing.process import is_alive
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import OUTGOING_FROM, PORTS, NatsServer, free_port

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
PARENT = """
import asyncio, sys
from pathlib import Path
from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
async def main():
    child = Child("child", [sys.executable, "-c", "import time; time.sleep(600)"], {}, Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def _child(tmp_path: Path, code: str, **environment: str) -> Child:
    return Child("child", [sys.executable, "-c", code], environment, tmp_path / "logs" / "child.out")


async def test_a_child_that_is_asked_stops_by_itself(tmp_path: Path) -> None:
    child = _child(tmp_path, "import time; print('ready', flush=True); time.sleep(600)")
    await child.start()
    await wait_until(child.last_words, "it has started")

    await child.stop()

    assert await child.wait() == -signal.SIGTERM
    assert (child.alive, child.pid, child.starts) == (False, None, 1)


async def test_a_child_that_does_not_stop_is_killed_in_time(tmp_path: Path) -> None:
    child = _child(tmp_path, STUBBORN)
    await child.start()
    await wait_until(child.last_words, "it has started")

    await child.stop(timeout_s=0.2)

    assert await child.wait() == -signal.SIGKILL


async def test_signals_to_a_child_that_is_gone_are_no_error(tmp_path: Path) -> None:
    child = _child(tmp_path, "")
    assert not child.send(signal.SIGTERM)
    assert await child.wait() == 0
    await child.start()
    await child.wait()

    assert not child.send(signal.SIGTERM)
    await child.stop()


async def test_what_a_child_writes_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    child = _child(tmp_path, "import sys; print('\\n'.join(str(n) for n in range(20)), flush=True); print('wrong', file=sys.stderr)")
    await child.start()
    await child.wait()
    await child.start()
    await child.wait()

    assert child.last_sentence() == ""
    assert child.last_words(2).splitlines() == ["19", "wrong"]
    assert child.output.read_text(encoding="utf-8").count("wrong") == 2
    assert stat.S_IMODE(child.output.stat().st_mode) == 0o600


async def test_the_last_sentence_of_a_child_comes_with_its_lines(tmp_path: Path) -> None:
    child = _child(
        tmp_path, "print('child: an older one\\n  line 1: old\\nchild: bars.csv was refused:\\n  line 7: no\\n  line 9: nor this')"
    )
    await child.start()
    await child.wait()

    assert child.last_sentence() == "child: bars.csv was refused:\n  line 7: no\n  line 9: nor this"


async def test_a_child_is_told_its_own_environment_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QM_TEST_SECRET", "ours")
    child = _child(tmp_path, "import os; print(sorted(name for name in os.environ if name.startswith('QM_')))", QM_GIVEN="1")
    await child.start()
    await child.wait()

    assert child.last_words() == "['QM_GIVEN']"


@pytest.fixture
def parent(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "child.out")], env=dict(os.environ), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


@pytest.mark.chaos
async def test_a_child_dies_with_its_parent_however_that_went(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    assert is_alive(pid)

    parent.kill()

    await wait_until(lambda: not is_alive(pid), "the child is gone")


def test_a_free_port_is_none_that_is_taken_or_that_an_outgoing_connection_may_get() -> None:
    first = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + 1 if first + 1 < OUTGOING_FROM else OUTGOING_FROM - PORTS))
        found = [free_port() for _ in range(20)]

        assert taken.getsockname()[1] not in found and len({first, *found}) == 21
    assert all(OUTGOING_FROM - PORTS <= one < OUTGOING_FROM for one in found)


async def test_a_bus_whose_port_was_taken_after_the_look_takes_another_one(tmp_path: Path) -> None:
    """Between the look and the start lies the time in which a database is made: others look for ports as well."""
    places = Places(tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = NatsServer(places, places.open(), ports=chain([port, free_port(), free_port(), port], iter(free_port, 0)).__next__)
        try:
            await server.start()
            first = server.port
            await server.child.stop()
            await server.start()
        finally:
            await server.child.stop()
            places.close()

    assert (server.port, port in (server.port, server.monitor_port)) == (first, False)
