"""What notify does with what it hears: it stores the words for the user, and lets the channels carry them."""

from collections.abc import Callable, Sequence

from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.notifications import NotificationRaised
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.page import Page
from quantmatrix.notify.domain.telling import Room, Telling
from quantmatrix.notify.ports import Channel
from quantmatrix.notify.send import Sender
from quantmatrix.notify.store import NotifyStore
from quantmatrix.notify.wording import WORDS


class Handlers:
    """One for every message: what they differ in are their words."""

    def __init__(self, channels: Sequence[Channel], sender: Sender, dropped: Callable[[Room], None] = lambda _: None) -> None:
        """dropped: told of every notification that a channel has no place for."""
        self._channels = channels
        self._dropped = dropped
        self._sender = sender

    async def heard(self, message: Message, page: Page) -> None:
        """Tell its user, once; what no user owns is told to the administrator."""
        words = WORDS[type(message)](message)
        telling = Telling(
            user_id=getattr(message, "user_id", FIRST_ADMINISTRATOR),
            account_id=getattr(message, "account_id", None),
            topic=words.topic,
            priority=words.priority,
            title=words.title,
            body=words.body,
            about=message.head.message_id,
            room=words.room,
            tone=words.tone,
            fields=words.fields,
        )
        await self.tell(telling, page)

    async def tell(self, telling: Telling, page: Page) -> None:
        """Store it once for its user, with one delivery per channel; what waits is sent after the commit."""
        store = NotifyStore(page.connection)
        if not await store.keep(telling, page.cause.occurred_at):
            return
        wanted = [channel for channel in self._channels if channel.immediate or telling.user_id == FIRST_ADMINISTRATOR]
        channels = [channel for channel in wanted if channel.carries(telling)]
        for _ in range(len(wanted) - len(channels)):
            page.after_commit(lambda: self._dropped(telling.room))
        await store.add_deliveries(telling.notification_id, [(channel.name, channel.immediate) for channel in channels])
        page.say(
            NotificationRaised(
                notification_id=telling.notification_id,
                user_id=telling.user_id,
                topic=telling.topic,
                priority=telling.priority,
                title=telling.title,
                body=telling.body,
                about=telling.about,
            ),
            identity=telling.notification_id,
        )
        if any(not channel.immediate for channel in channels):
            page.after_commit(self._sender.wake)
