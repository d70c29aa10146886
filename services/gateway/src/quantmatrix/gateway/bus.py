"""The gateway's face towards NATS. What it says stands in `contracts/commands.py`; it answers only what every service does."""

from collections.abc import Callable, Coroutine
from typing import Any

from quantmatrix.common.runtime.hearing import Bus, Hears
from quantmatrix.gateway.handlers import EVENTS, Handlers

PATIENCE_S = 0.1
"""People do not see a tenth of a second; a busy replay is written in larger transactions."""


def bus(handlers: Handlers, background: tuple[Callable[[], Coroutine[Any, Any, None]], ...]) -> Bus:
    """The table of contents."""
    return Bus(
        hears=tuple(Hears(message, handlers.heard, patience_s=PATIENCE_S) for message in EVENTS),
        background=background,
    )
