"""Copies of one process: each is a program of its own, and the end of each, or of them all, is told."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from quantmatrix.common.testing.process import children_of, is_alive
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.nursery import Nursery, ServiceChild
from quantmatrix.operations.places import SetUpError

PROGRAMS = {
    "idler": "import signal\nprint('ready', flush=True)\nsignal.pause()\n",
    "refuser": "import sys\nprint('refuser: no', file=sys.stderr)\nsys.exit(4)\n",
    "teller": (
        "import os, sys\nprint(__name__, sys.argv[1:], sorted(os.environ), os.getsid(0) == os.getpid(), os.getcwd(), os.nice(0))\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:-1], 'quantmatrix.common.runtime.service' in sys.modules)\n"
    ),
}
PARENT = """
import asyncio, sys
from pathlib import Path
from quantmatrix.operations.nursery import Nursery, ServiceChild
async def main():
    folder = Path(sys.argv[1])
    nursery = Nursery(folder / "nursery.out", {"PYTHONPATH": str(folder)})
    child = ServiceChild("idler", ["idler"], {}, folder / "idler.out", nursery=nursery)
    await child.start()
    print(nursery.pid, child.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, code in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    return tmp_path


@pytest.fixture
async def nursery(folder: Path) -> AsyncIterator[Nursery]:
    opened = Nursery(folder / "nursery.out", {"PYTHONPATH": str(folder), "LEFT": "behind"})
    try:
        yield opened
    finally:
        await opened.stop()


def _child(nursery: Nursery, folder: Path, name: str, **environment: str) -> ServiceChild:
    return ServiceChild(name, [name], environment, folder / f"{name}.out", nursery=nursery)


async def test_a_copy_is_a_program_of_its_own_and_inherits_imports_alone(nursery: Nursery, folder: Path) -> None:
    child = _child(nursery, folder, "teller", QM_GIVEN="1")
    child.gives_way = True
    await child.start()

    assert await child.wait() == 0
    assert child.last_words().splitlines() == [f"__main__ [] ['QM_GIVEN'] True / {min(os.nice(0) + 5, 19)}", "['0', '1', '2'] True"]
    assert stat.S_IMODE(child.output.stat().st_mode) == 0o600


async def test_how_a_copy_ended_is_told(nursery: Nursery, folder: Path) -> None:
    refuser, idler = _child(nursery, folder, "refuser"), _child(nursery, folder, "idler")
    await asyncio.gather(refuser.start(), idler.start())
    await wait_until(idler.last_words, "it works")
    shown = psutil.Process(idler.pid).cmdline()[0]

    await idler.stop()

    assert shown == f"{sys.executable} -m idler"

    assert (await refuser.wait(), refuser.last_sentence()) == (4, "refuser: no")
    assert (await idler.wait(), idler.alive, idler.starts) == (-signal.SIGTERM, False, 1)


async def test_copies_end_with_a_killed_nursery_and_begin_again_in_another(nursery: Nursery, folder: Path) -> None:
    child = _child(nursery, folder, "idler")
    await child.start()
    first, pid = nursery.pid, child.pid
    assert first is not None and pid is not None and children_of(first) == [pid]

    os.kill(first, signal.SIGKILL)

    assert await child.wait() == -signal.SIGKILL
    assert not is_alive(pid)
    await child.start()
    assert child.alive and nursery.pid not in (None, first)


async def test_a_nursery_that_cannot_live_is_told_with_the_place_to_look(folder: Path) -> None:
    (folder / "uvloop.py").write_text("raise SystemExit('broken')", encoding="utf-8")
    broken = Nursery(folder / "nursery.out", {"PYTHONPATH": str(folder)})

    with pytest.raises(SetUpError, match=r"ends at once; see .*nursery\.out"):
        await _child(broken, folder, "idler").start()

    assert "broken" in (folder / "nursery.out").read_text(encoding="utf-8")


@pytest.fixture
def parent(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


@pytest.mark.chaos
async def test_nursery_and_copies_die_with_their_parent_however_that_went(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(parent.stdout.readline)).split()]
    assert len(pids) == 2 and all(is_alive(pid) for pid in pids)

    parent.kill()

    await wait_until(lambda: not [pid for pid in pids if is_alive(pid)], "both are gone")
