"""What is worth telling, to whom and in which words. Pure: a message in, a telling out."""

from dataclasses import dataclass
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, NotificationId, Priority, UserId


@dataclass(frozen=True, slots=True)
class Telling:
    """One notification for one user. about: the message it tells of; told once however often that is heard."""

    user_id: UserId
    account_id: AccountId | None
    topic: str
    priority: Priority
    title: str
    body: str
    about: UUID

    @property
    def notification_id(self) -> NotificationId:
        return NotificationId(derived_id("notification", self.user_id, self.about))
