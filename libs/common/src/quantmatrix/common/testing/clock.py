"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

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
