"""Child processes: started so that they never outlive us, stopped gently, watched, and started again."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 3.0
GIVE_WAY = 5
SENTENCE_LINES_MAX = 50


def die_with_parent() -> None:
    """In the child, before its program starts: ask the kernel for SIGTERM when the parent is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def give_way() -> None:
    """In the child: as `die_with_parent`, and let others compute first."""
    die_with_parent()
    os.nice(GIVE_WAY)


class Begun(Protocol):
    """A process that was begun; returncode is negative for a signal, None while it runs."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...


@dataclass(slots=True)
class Child:
    """One program: how it is started, and the process that runs it now. has_answered: whether that was seen to answer a look."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    output: Path
    stop_signal: signal.Signals = signal.SIGTERM
    directory: str = "/"
    bound_by_itself: bool = False
    gives_way: bool = False
    process: Begun | None = field(default=None)
    starts: int = 0
    has_answered: bool = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    async def start(self) -> None:
        """Start the program in a session of its own; its output goes to a file."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self.process = await self._begun()
        self.starts += 1
        self.has_answered = False

    async def _begun(self) -> Begun:
        descriptor = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *self.command,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=None if self.bound_by_itself else give_way if self.gives_way else die_with_parent,
            )
        finally:
            os.close(descriptor)

    def send(self, number: signal.Signals) -> bool:
        """Signal the process if it is there."""
        if self.process is None or self.process.returncode is not None:
            return False
        try:
            # Not the process's own send_signal: that looks for its end first, and would take that from whoever waits for it.
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True

    async def wait(self) -> int:
        if self.process is None:
            return 0
        return await self.process.wait()

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to stop; after the time is up, kill it."""
        if not self.send(self.stop_signal):
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()

    def last_words(self, lines: int = 8) -> str:
        """The end of what it wrote."""
        try:
            text = self.output.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def last_sentence(self) -> str:
        """What it said under its own name at last, with the lines that follow; empty when it said nothing."""
        lines = self.last_words(SENTENCE_LINES_MAX).splitlines()
        begins = [place for place, line in enumerate(lines) if line.startswith(f"{self.name}: ")]
        return "\n".join(lines[begins[-1] :]) if begins else ""
