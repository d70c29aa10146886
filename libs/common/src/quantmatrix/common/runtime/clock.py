"""Wall time, handed in. It measures and paces; event time decides."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time to whoever may know it."""

    def now(self) -> datetime:
        """The current instant, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place where the wall clock is read

    def monotonic(self) -> float:
        return time.monotonic()
