"""The life of an order as one table: every state meets every event, and each pair is decided."""

from enum import StrEnum
from typing import Final

from quantmatrix.common.names import OrderState as S


class OrderEventKind(StrEnum):
    """What can happen to an order after it was stored."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NO_ANSWER = "no_answer"
    ABSENT = "absent"
    PARTIAL_FILL = "partial_fill"
    FULL_FILL = "full_fill"
    CANCEL_ASKED = "cancel_asked"
    CANCEL_CONFIRMED = "cancel_confirmed"
    CANCEL_REFUSED = "cancel_refused"
    EXPIRED = "expired"


E = OrderEventKind


class ImpossibleEventError(Exception):
    """The broker told something that cannot be true of this order; the account must be looked at."""

    def __init__(self, state: S, event: OrderEventKind) -> None:
        super().__init__(f"an order that is {state} cannot be {event}")
        self.state = state
        self.event = event


TERMINAL: Final = frozenset({S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED, S.DENIED})
OPEN: Final = frozenset({S.SUBMITTING, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING, S.UNKNOWN})
UNANSWERED: Final = frozenset({S.SUBMITTING, S.CANCELLING, S.UNKNOWN})
"""States that only an answer of the broker ends."""

# A fill is the broker's truth and is admitted in every state that reached a broker, also after a cancel or an expiry:
# the state then says what is true of the rest of the order.
TRANSITIONS: Final[dict[S, dict[OrderEventKind, S | None]]] = {
    S.SUBMITTING: {
        E.ACCEPTED: S.ACCEPTED,
        E.REJECTED: S.REJECTED,
        E.NO_ANSWER: S.UNKNOWN,
        E.ABSENT: S.SUBMITTING,
        E.PARTIAL_FILL: S.PARTIALLY_FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.CANCELLING,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.SUBMITTING,
        E.EXPIRED: S.EXPIRED,
    },
    S.ACCEPTED: {
        E.ACCEPTED: S.ACCEPTED,
        E.REJECTED: S.REJECTED,
        E.NO_ANSWER: S.ACCEPTED,
        E.ABSENT: S.UNKNOWN,
        E.PARTIAL_FILL: S.PARTIALLY_FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.CANCELLING,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.ACCEPTED,
        E.EXPIRED: S.EXPIRED,
    },
    S.PARTIALLY_FILLED: {
        E.ACCEPTED: S.PARTIALLY_FILLED,
        E.REJECTED: S.CANCELLED,
        E.NO_ANSWER: S.PARTIALLY_FILLED,
        E.ABSENT: S.UNKNOWN,
        E.PARTIAL_FILL: S.PARTIALLY_FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.CANCELLING,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.PARTIALLY_FILLED,
        E.EXPIRED: S.EXPIRED,
    },
    S.CANCELLING: {
        E.ACCEPTED: S.CANCELLING,
        E.REJECTED: S.REJECTED,
        E.NO_ANSWER: S.UNKNOWN,
        E.ABSENT: S.UNKNOWN,
        E.PARTIAL_FILL: S.CANCELLING,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.CANCELLING,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.ACCEPTED,
        E.EXPIRED: S.EXPIRED,
    },
    S.UNKNOWN: {
        E.ACCEPTED: S.ACCEPTED,
        E.REJECTED: S.REJECTED,
        E.NO_ANSWER: S.UNKNOWN,
        E.ABSENT: S.SUBMITTING,
        E.PARTIAL_FILL: S.PARTIALLY_FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.UNKNOWN,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.UNKNOWN,
        E.EXPIRED: S.EXPIRED,
    },
    S.FILLED: {
        E.ACCEPTED: S.FILLED,
        E.REJECTED: None,
        E.NO_ANSWER: S.FILLED,
        E.ABSENT: S.FILLED,
        E.PARTIAL_FILL: S.FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.FILLED,
        E.CANCEL_CONFIRMED: S.FILLED,
        E.CANCEL_REFUSED: S.FILLED,
        E.EXPIRED: S.FILLED,
    },
    S.CANCELLED: {
        E.ACCEPTED: S.CANCELLED,
        E.REJECTED: S.CANCELLED,
        E.NO_ANSWER: S.CANCELLED,
        E.ABSENT: S.CANCELLED,
        E.PARTIAL_FILL: S.CANCELLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.CANCELLED,
        E.CANCEL_CONFIRMED: S.CANCELLED,
        E.CANCEL_REFUSED: S.CANCELLED,
        E.EXPIRED: S.CANCELLED,
    },
    S.EXPIRED: {
        E.ACCEPTED: S.EXPIRED,
        E.REJECTED: S.EXPIRED,
        E.NO_ANSWER: S.EXPIRED,
        E.ABSENT: S.EXPIRED,
        E.PARTIAL_FILL: S.EXPIRED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.EXPIRED,
        E.CANCEL_CONFIRMED: S.EXPIRED,
        E.CANCEL_REFUSED: S.EXPIRED,
        E.EXPIRED: S.EXPIRED,
    },
    S.REJECTED: {
        E.ACCEPTED: S.ACCEPTED,
        E.REJECTED: S.REJECTED,
        E.NO_ANSWER: S.REJECTED,
        E.ABSENT: S.REJECTED,
        E.PARTIAL_FILL: S.PARTIALLY_FILLED,
        E.FULL_FILL: S.FILLED,
        E.CANCEL_ASKED: S.REJECTED,
        E.CANCEL_CONFIRMED: S.REJECTED,
        E.CANCEL_REFUSED: S.REJECTED,
        E.EXPIRED: S.REJECTED,
    },
    S.DENIED: dict.fromkeys(E, None) | {E.CANCEL_ASKED: S.DENIED},
}


def after(state: S, event: OrderEventKind) -> S:
    """The state that follows. Raises ImpossibleEventError where the table says that it cannot be."""
    following = TRANSITIONS[state][event]
    if following is None:
        raise ImpossibleEventError(state, event)
    return following
