"""Execution in processes that end themselves between two steps of their event loop: `python -m services.execution.tests.mortal STEPS…`.

Each is a copy of this one. Once it gets SIGUSR1 it works until its loop has been told so many times what to do next: that is after a piece
of a coroutine between two awaits, wherever it stood. After as many lives as there are numbers comes one that goes on.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from quantmatrix.execution.app import serve
from quantmatrix.execution.settings import ExecutionSettings

PR_SET_PDEATHSIG = 1


class MortalLoop(asyncio.SelectorEventLoop):
    """Kills its process when it has been given so many steps, counted from `arm` on."""

    left = -1

    def arm(self, steps: int) -> None:
        self.left = steps

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().call_soon(callback, *args, context=context)


def live(steps: int) -> None:
    """Be execution; for so many steps once SIGUSR1 has come, where there is a number."""
    loop = MortalLoop()
    signal.signal(signal.SIGUSR1, lambda *_: loop.arm(steps))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(serve(ExecutionSettings.read()))


def main(lives: Iterable[int]) -> None:
    for steps in (*lives, 0):
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            live(steps)
            os._exit(0)
        print(f"life {child} {steps}", flush=True)  # noqa: T201 - the test reads it
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(map(int, sys.argv[1:]))
