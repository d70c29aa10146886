"""The in-app inbox: every user has one, and storing a notification is delivering it."""

from quantmatrix.notify.domain.telling import Telling
from quantmatrix.notify.settings import NotifySettings


class InboxChannel:
    """Delivers with the transaction that stores the notification."""

    name = "inbox"
    immediate = True

    def carries(self, telling: Telling) -> bool:
        return True

    async def send(self, telling: Telling) -> None:
        """Nothing is left to do."""


def make(settings: NotifySettings) -> InboxChannel:
    return InboxChannel()
