"""Questions to notify: a user's inbox."""

from datetime import date
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.names import AccountId, NotificationId, Priority, UserId


class DeliverySummary(msgspec.Struct, frozen=True):
    channel: str
    state: str
    tries: int
    error: str | None


class NotificationSummary(msgspec.Struct, frozen=True):
    """session: the one that a letter tells of; none where it is no letter."""

    notification_id: NotificationId
    account_id: AccountId | None
    topic: str
    priority: Priority
    title: str
    body: str
    about: UUID
    occurred_at: Instant
    read_at: Instant | None
    deliveries: tuple[DeliverySummary, ...]
    session: date | None = None


class InboxAnswer(msgspec.Struct, frozen=True):
    """The latest first."""

    notifications: tuple[NotificationSummary, ...]
    unread: int


class InboxAsked(Question[InboxAnswer], frozen=True, kw_only=True):
    """Notifications of a user, the latest first; before and before_id: the last one of the page before."""

    VERB = "inbox"
    ANSWER = InboxAnswer

    user_id: UserId
    before: Instant | None = None
    before_id: UUID | None = None
    limit: int = 50


class ReadMarked(msgspec.Struct, frozen=True):
    marked: int


class MarkReadAsked(Question[ReadMarked], frozen=True, kw_only=True):
    """Mark one notification, or all of a user's, as read."""

    VERB = "inbox.read"
    ANSWER = ReadMarked

    user_id: UserId
    notification_id: NotificationId | None = None
