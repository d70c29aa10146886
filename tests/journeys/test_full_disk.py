"""F33: the disk fills up while everything runs. One sentence, a wait, and the replay goes on to books that agree."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.program import Up, answer, qm, until_finished, until_replay, wait_until

from quantmatrix.operations.places import Places
from quantmatrix.operations.servers.nats import free_port

pytestmark = [pytest.mark.servers, pytest.mark.long(30)]
SLOWLY = {"QM_MARKET_REPLAY_TO": "2000-06-30", "QM_MARKET_REPLAY_PACE_S": "0.02"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 330 MiB in memory; only root may make one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=330m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_fills_up_is_told_in_one_sentence_and_waited_out_also_by_servers_that_die_meanwhile(disk: Path) -> None:
    up = Up(disk / "home", free_port(), SLOWLY).start()
    try:
        heard = Heard(up)
        until_replay(up.home, lambda status: status.sessions_done > 20)
        pids = _pids(up.home)
        filler = disk / "filler"
        _fill(filler)
        for server in ("nats", "postgres"):
            os.kill(pids[server], signal.SIGKILL)
        wait_until(lambda: "is full" in heard.so_far())
        looked_at = " ".join(qm(up.home, "status").stdout.split())

        filler.unlink()
        until_finished(up.home)
        agreed = answer(up.home, "check")["ok"]
        said = heard.so_far()
        up.stop()
    finally:
        up.end()

    assert "is full" in looked_at and agreed
    assert said.count("is full") == said.count("there is room on the disk again") == 1
    assert "Traceback" not in said and "Logging error" not in said
    assert '"service": "supervisor"' in (up.home / "logs" / "supervisor.log").read_text(encoding="utf-8")
    assert qm(up.home, "status").returncode == 3


class Heard:
    """What a running `qm up` says beside its answer, on one line."""

    def __init__(self, up: Up) -> None:
        assert up.process is not None and up.process.stdout is not None and up.process.stderr is not None
        self._streams = (up.process.stdout, up.process.stderr)
        self._text = ""
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)

    def so_far(self) -> str:
        for stream in self._streams:
            with contextlib.suppress(BlockingIOError, ValueError):
                while piece := os.read(stream.fileno(), 1 << 16):
                    self._text += piece.decode()
        return " ".join(self._text.split())


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))


def _pids(home: Path) -> dict[str, int]:
    state = Places(home).read_state()
    pids = state["pids"]
    assert isinstance(pids, dict)
    return pids
