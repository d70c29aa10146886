"""The qm program as a person uses it: its output and its exit code, from a process of its own or called inside the test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from libs.operations.tests.called import Called, called

from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.testing.waiting import GIVES_WAY_S, WITHIN_S
from quantmatrix.operations.client import asking_at
from quantmatrix.operations.places import Places

COMMAND = (sys.executable, "-m", "quantmatrix.operations")
LOOK_S = 0.1


def environment(home: Path, **more: str) -> dict[str, str]:
    """Only what is named here: nothing of the tests' own surroundings."""
    return {"QM_HOME": str(home), "PATH": os.environ["PATH"], "HOME": str(home.parent), "QM_LOG_LEVEL": "INFO"} | more


def qm(home: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [*COMMAND, *words], env=environment(home, **more), cwd=home.parent, capture_output=True, text=True, timeout=GIVES_WAY_S, check=False
    )


def qm_here(home: Path, *words: str) -> Called:
    """One command, to its end, without a process that imports everything once more."""
    with ThreadPoolExecutor(1) as beside:  # qm runs a loop of its own, and a test may have one
        return beside.submit(called, home.parent, *words, **environment(home)).result()


def answer(home: Path, *words: str) -> Any:
    """The JSON of a command that must succeed."""
    done = qm_here(home, *words, "--json")
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def status_of(home: Path) -> dict[str, Any]:
    """What `qm status` says; empty as long as it cannot say anything."""
    done = qm_here(home, "status", "--json")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode in (0, 1) else {}
    return found


def until_ready(home: Path) -> dict[str, Any]:
    """Wait until every service is ready, and return what `qm status` says then."""

    def ready() -> dict[str, Any] | None:
        found = status_of(home)
        parts = found.get("services", {}).values()
        return found if parts and all(part["ready"] for part in parts) else None

    found: dict[str, Any] = wait_until(ready)
    return found


def wait_until(condition: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
    """What the condition gives as soon as it is true. Raises AssertionError when the time is up."""
    deadline = time.monotonic() + within_s
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(LOOK_S)


def until_replay(home: Path, reached: Callable[[ReplayStatus], bool], *, within_s: float = GIVES_WAY_S) -> None:
    """Wait until the replay has come somewhere. It is asked over the bus: a process of qm for every look takes the replay's time."""

    async def there() -> None:
        async with asyncio.timeout(within_s), asking_at(Places(home)) as ask:
            while True:
                try:
                    if reached(await ask("market", ReplayStatusAsked())):
                        return
                except TRANSIENT:
                    pass
                await asyncio.sleep(LOOK_S)

    with ThreadPoolExecutor(1) as beside:  # a test that has a loop of its own waits, too
        beside.submit(asyncio.run, there()).result()


def until_finished(home: Path) -> None:
    """Wait until the replay is over and booked everywhere, and let qm say so, too."""
    until_replay(home, lambda status: status.state == "finished" and status.settled == status.session)
    replay = answer(home, "status")["replay"]
    assert (replay["state"], replay["settled"]) == ("finished", replay["session"])


@dataclass
class Up:
    """A running `qm up`."""

    home: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    welcome: dict[str, Any] = field(default_factory=dict)

    def start(self) -> "Up":
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--json", "--port", str(self.port)],
            env=environment(self.home, **self.settings),
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = ""
        while (line := self.process.stdout.readline()) and line != "}\n":  # type: ignore[union-attr]  # it was asked for
            lines += line
        assert line, self.process.communicate(timeout=WITHIN_S)
        self.welcome = json.loads(lines + line)
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> float:
        """Ask it to stop; returns the seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=WITHIN_S)
        assert self.process.returncode == 0, errors
        self.process = None
        return time.monotonic() - began

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=WITHIN_S)
