"""The gateway's face towards NATS. What it says stands in `contracts/commands.py`; besides what every service answers it
does what the machine's operator asks for."""

from collections.abc import Callable, Coroutine
from typing import Any

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, LotMethodChangeAsked
from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked
from quantmatrix.common.contracts.asking.runs import RunChangeAsked, RunFundAsked, RunStartAsked
from quantmatrix.common.contracts.notifications import NotificationDelivered, NotificationFailed
from quantmatrix.common.contracts.portfolio import LotAdjusted, LotChoiceFailed, LotClosed, LotOpened
from quantmatrix.common.contracts.signals import SignalWithdrawn
from quantmatrix.common.runtime.hearing import Bus, Does, Hears
from quantmatrix.gateway.handlers import EVENTS, Handlers
from quantmatrix.gateway.ledger_operating import OperatingLedger
from quantmatrix.gateway.runs import Operating

PATIENCE_S = 0.2
"""People do not see a fifth of a second; a busy replay is written in larger transactions."""


def bus(
    handlers: Handlers,
    operating: Operating,
    ledger: OperatingLedger,
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...],
    doors: tuple[Callable[[], Coroutine[Any, Any, None]], ...],
) -> Bus:
    """The table of contents."""
    return Bus(
        hears=tuple(Hears(message, handlers.heard, patience_s=PATIENCE_S) for message in EVENTS),
        lets_past=(SignalWithdrawn, LotOpened, LotClosed, LotAdjusted, LotChoiceFailed, NotificationDelivered, NotificationFailed),
        does=(
            Does(RunStartAsked, operating.start),
            Does(RunChangeAsked, operating.change),
            Does(RunFundAsked, operating.fund),
            Does(ActBookingAsked, ledger.book_act),
            Does(LotMethodChangeAsked, ledger.change_method),
            Does(AssignmentBookingAsked, ledger.book_assignment),
        ),
        background=background,
        doors=doors,
    )
