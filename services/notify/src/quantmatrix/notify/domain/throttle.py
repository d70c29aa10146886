"""How fast one kind of notification may follow another on a channel: a time for each, and none is lost. Pure."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

WINDOW_S = 60.0


@dataclass(slots=True)
class Throttle:
    """Times in seconds of one clock. At most one of a kind in `cooldown_s`, at most `per_minute_max` of a kind in any minute."""

    cooldown_s: float
    per_minute_max: int
    _given: dict[Hashable, deque[float]] = field(default_factory=dict)
    _promised: dict[Hashable, float] = field(default_factory=dict)

    def wait_s(self, kind: Hashable, own: Hashable, now: float) -> float:
        """Seconds that `own` still has to wait, zero when it may go; who was given a time keeps it, whatever comes meanwhile."""
        at = self._promised.get(own)
        if at is None:
            at = self._promised[own] = self._next(kind, now)
        if at > now:
            return at - now
        del self._promised[own]
        return 0.0

    def put_off(self, own: Hashable, at: float) -> None:
        """Whose turn could not be used has it at another time, and does not line up again."""
        self._promised[own] = at

    def _next(self, kind: Hashable, now: float) -> float:
        given = self._given.setdefault(kind, deque(maxlen=self.per_minute_max))
        at = max(now, given[-1] + self.cooldown_s) if given else now
        if len(given) == self.per_minute_max:
            at = max(at, given[0] + WINDOW_S)
        given.append(at)
        return at
