"""What the gateway does with what it hears: it keeps it for its user's open pages."""

from typing import Protocol

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.fills import FillCorrected, OptionEnded, OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.notifications import NotificationRaised
from quantmatrix.common.contracts.orders import (
    AccountOpened,
    BreakFound,
    BreakResolved,
    OrderAccepted,
    OrderAdjusted,
    OrderCancelled,
    OrderCancelling,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    TradingStateChanged,
)
from quantmatrix.common.contracts.portfolio import PortfolioSnapshotTaken, PositionChanged
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunFunded, RunRefused, RunStarted, SignalRaised
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.page import Page
from quantmatrix.gateway.feed import Feed
from quantmatrix.gateway.store import FeedEvent, fed

EVENTS: dict[type[Message], str] = {
    OrderSubmitted: "order",
    OrderDenied: "order",
    OrderAccepted: "order",
    OrderRejected: "order",
    OrderUnknown: "order",
    OrderCancelling: "order",
    OrderCancelled: "order",
    OrderExpired: "order",
    OrderAdjusted: "order",
    OrderFilled: "fill",
    FillCorrected: "fill",
    OptionEnded: "fill",
    SignalRaised: "signal",
    RunStarted: "run",
    RunRefused: "run",
    RunChanged: "run",
    RunFunded: "run",
    CycleCompleted: "run",
    PositionChanged: "position",
    PortfolioSnapshotTaken: "moment",
    NotificationRaised: "notification",
    AccountOpened: "account",
    TradingStateChanged: "account",
    BreakFound: "account",
    BreakResolved: "account",
}
"""What pages are told of, and the name they know it by."""


class _OfAUser(Protocol):
    @property
    def user_id(self) -> UserId: ...


class Handlers:
    """One way for every message: from the bus into the feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def heard(self, message: Message, page: Page) -> None:
        """Append to the feed of the message's user; streams are woken after the commit."""
        page.gather(fed, FeedEvent(_owner(message), EVENTS[type(message)], encode(message).decode(), message.head.occurred_at))
        page.after_commit(self._feed.wake)


def _owner(message: "Message | _OfAUser") -> UserId:
    """Every message of the table above belongs to a user."""
    owner: UserId = message.user_id  # type: ignore[union-attr]  # held by a test over EVENTS
    return owner
