"""The `notifications` family, said by notify: what people were told, and through which channel it arrived."""

from uuid import UUID

from quantmatrix.common.contracts.message import Instant, Message
from quantmatrix.common.names import NotificationId, Priority, UserId


class NotificationRaised(Message, frozen=True, kw_only=True, tag="NotificationRaised"):
    """Something worth telling one user. about: the message it tells of; topic: signal, order, fill, portfolio or system."""

    OWNER = "notify"
    FAMILY = "notifications"
    SUBJECT = "notifications.raised.{m.user_id}"
    KEY = "notifications.{m.user_id}"

    notification_id: NotificationId
    user_id: UserId
    topic: str
    priority: Priority
    title: str
    body: str
    about: UUID


class NotificationDelivered(Message, frozen=True, kw_only=True, tag="NotificationDelivered"):
    """A channel took the notification."""

    OWNER = "notify"
    FAMILY = "notifications"
    SUBJECT = "notifications.delivered.{m.user_id}"
    KEY = "notifications.{m.user_id}"

    notification_id: NotificationId
    user_id: UserId
    channel: str
    delivered_at: Instant


class NotificationFailed(Message, frozen=True, kw_only=True, tag="NotificationFailed"):
    """A channel gave up on the notification after its last try."""

    OWNER = "notify"
    FAMILY = "notifications"
    SUBJECT = "notifications.failed.{m.user_id}"
    KEY = "notifications.{m.user_id}"

    notification_id: NotificationId
    user_id: UserId
    channel: str
    error: str
