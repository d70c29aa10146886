"""Clocks for tests: one that stands still until a test moves it, and two that are wrong."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from quantmatrix.common.runtime.clock import SystemClock

NOON = datetime(2024, 3, 5, 17, 0, tzinfo=UTC)


class SetClock:
    """Tells the time it was set to; `monotonic` goes along with it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._start = now
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def move(self, seconds: float) -> None:
        """Let time pass, forwards only."""
        if seconds < 0:
            raise ValueError(f"a clock goes forwards, not {seconds} s")
        self._now += timedelta(seconds=seconds)


class WildClock(SystemClock):
    """The machine's clock gone wrong: it stands still, but for jumps of so many hours, one after the other at each look. `monotonic` is right."""

    def __init__(self, jumps_h: Sequence[int] = (0, 1, 0, -1)) -> None:
        self._tells = itertools.cycle(NOON + timedelta(hours=hours) for hours in jumps_h)
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return next(self._tells)


class ShiftedClock(SystemClock):
    """The machine's clock, wrong by `by` as soon as that is set. `monotonic` is right."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by

    def set_to(self, at: datetime) -> None:
        """Go on from this instant."""
        self.by = at - super().now()
