"""How long an action must hold before it counts. A state machine on event time: restarts and replays come to the same.

idle → confirming(action, since) → confirmed. HOLD clears it, another action starts over, and so does a gap between two
evaluations of more than half the required time: nobody knows what happened in it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from quantmatrix.signals.domain.bots.scores import Action


@dataclass(frozen=True, slots=True)
class Confirming:
    """The action that is being confirmed, since when, and when it was last seen."""

    action: Action
    since: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Where a confirmation stands. state is what to keep, None when idle; progress goes from 0 to 1."""

    state: Confirming | None
    is_confirmed: bool
    progress: float


IDLE = Confirmed(None, is_confirmed=False, progress=0.0)


def confirm(before: Confirming | None, action: Action, at: datetime, required: timedelta) -> Confirmed:
    """One evaluation. Zero required time confirms at once. Raises ValueError when time runs backwards."""
    if before is not None and at < before.seen_at:
        raise ValueError(f"an evaluation at {at} comes after one at {before.seen_at}")
    if action is Action.HOLD:
        return IDLE
    goes_on = before is not None and before.action is action and at - before.seen_at <= required / 2
    since = before.since if before is not None and goes_on else at
    progress = min(1.0, (at - since) / required) if required else 1.0
    return Confirmed(Confirming(action, since, at), is_confirmed=progress >= 1.0, progress=progress)
