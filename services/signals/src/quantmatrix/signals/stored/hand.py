"""One process of a worker: it is handed a backtest and its bars once, then computes part after part; what never returns is ended."""

import asyncio
from collections.abc import Callable
from typing import Any

from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.backtest.workers import Hired, start
from quantmatrix.signals.stored.jobs import Handed, part


class HandLostError(RuntimeError):
    """The process ended in the middle of a part; somebody may try again."""


class Hand:
    """Started with its first part. Not for two parts at a time."""

    def __init__(self, work: Callable[[Handed, int], Tried] = part) -> None:
        self._work = work
        self._hired: Hired | None = None
        self._handed: Handed | None = None

    async def compute(self, handed: Handed, number: int, *, limit_s: float) -> Tried:
        """One part. Raises BacktestError with the place of whatever is wrong, HandLostError when the process ended."""
        if self._hired is None or self._handed != handed:
            self.close()
            self._hired, self._handed = await asyncio.to_thread(start, (self._work, handed)), handed
        asking = asyncio.ensure_future(asyncio.to_thread(_asked, self._hired, number, limit_s))
        try:
            well, said = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._hired.process.kill()  # which ends the waiting thread too, before the pipe is closed
            try:
                await asyncio.wait({asking})
            finally:
                self.close()
            raise
        except (EOFError, OSError) as error:
            code = self._hired.process.poll()
            self.close()
            raise HandLostError(f"the process that worked on part {number} ended with {code}") from error
        except TimeoutError:
            self.close()
            raise BacktestError(f"part {number} took longer than {limit_s:g} s and was stopped") from None
        if not well:
            raise said
        found: Tried = said
        return found

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._hired is not None:
            self._hired.process.kill()
            self._hired.process.wait()
            self._hired.pipe.close()
        self._hired = self._handed = None


def _asked(hired: Hired, number: int, limit_s: float) -> tuple[bool, Any]:
    hired.pipe.send(number)
    if not hired.pipe.poll(limit_s):
        raise TimeoutError
    said: tuple[bool, Any] = hired.pipe.recv()
    return said
