"""Runs a service as a process of its own, so that a test can kill it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from quantmatrix.common.testing.addresses import BusAddresses, DatabaseAddresses
from quantmatrix.common.testing.waiting import WITHIN_S


class ServiceProcess:
    """One process under a test's control. It gets the environment it is given and nothing of the test runner's but PATH."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        self.name = name
        self.output = output
        self._command = tuple(command)
        self._environment = {"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> "ServiceProcess":
        """Start it, or start it again after its end; what it writes is appended to `output`."""
        with self.output.open("ab") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        return self

    async def ended(self, *, within_s: float = WITHIN_S) -> int:
        """Its exit code. Raises TimeoutError when it goes on."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        async with asyncio.timeout(within_s):
            return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        if self.alive and self._process is not None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """As a crash would: SIGKILL, and wait for its end."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """Ask it to stop and return its exit code; after the time is up it is killed and TimeoutError raised."""
        self.send(signal.SIGTERM)
        try:
            return await self.ended()
        except TimeoutError:
            await self.kill()
            raise

    def written(self) -> str:
        """Everything it wrote."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""


def is_alive(pid: int) -> bool:
    """Whether a process works; one that has ended but was not yet waited for does not (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> list[int]:
    """The processes that this one started, from any of its threads, and that still work (Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text(encoding="utf-8").split()]


class StartProcess:
    """Runs services as processes, until the end of the test at most."""

    def __init__(self, database: DatabaseAddresses, bus: BusAddresses, folder: Path) -> None:
        self._database, self._bus, self._folder = database, bus, folder
        self._started: list[ServiceProcess] = []

    async def __call__(self, service: str, *, module: str | None = None, **environment: str) -> ServiceProcess:
        """Start `python -m quantmatrix.<service>` (or another module in its place) with these variables besides its addresses."""
        name = f"{service}-{len(self._started) + 1}"
        told = {
            "QM_NATS_URL": self._bus.url,
            "QM_NATS_PASSWORD": self._bus.password(service),
            "QM_DATABASE_URL": self._database.url(service),
            "QM_EXECUTION_PAPER_DATABASE_URL": self._database.url("paper"),
            "QM_LOG_FILE": str(self._folder / f"{name}.log"),
            "QM_CATCH_UP_EVERY_S": "1",
            "POLARS_MAX_THREADS": "1",
        }
        command = [sys.executable, "-m", *(module or f"quantmatrix.{service}").split()]
        process = ServiceProcess(name, command, {**told, **environment}, self._folder / f"{name}.out")
        self._started.append(process)
        return await process.start()

    async def kill_all(self) -> None:
        for process in self._started:
            await process.kill()
