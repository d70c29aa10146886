"""What is worth telling, to whom, where and in which words. Pure: a message in, a telling out."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, NotificationId, Priority, UserId


class Room(StrEnum):
    """Where a channel with rooms of its own puts a notification, such as a Discord server with a room for each."""

    SIGNALS = "signals"
    ALERTS = "alerts"
    PORTFOLIO_DIGEST = "portfolio_digest"
    MORNING_BREW = "morning_brew"
    SYSTEM_STATUS = "system_status"
    PLAYGROUND = "playground"


class Tone(StrEnum):
    """The colour of a notification where its priority does not decide: how sure a signal is."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"


@dataclass(frozen=True, slots=True)
class Telling:
    """One notification for one user. about: the message it tells of; told once however often that is heard.

    fields: figures by name, in order, for channels that draw them apart from the body, which says them all as well as it can.
    """

    user_id: UserId
    account_id: AccountId | None
    topic: str
    priority: Priority
    title: str
    body: str
    about: UUID
    room: Room = Room.SYSTEM_STATUS
    tone: Tone | None = None
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def notification_id(self) -> NotificationId:
        return NotificationId(derived_id("notification", self.user_id, self.about))
