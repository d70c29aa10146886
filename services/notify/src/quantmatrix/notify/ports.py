"""What notify needs from the outside: channels that carry a notification to a person."""

from typing import Protocol

from quantmatrix.notify.domain.telling import Telling


class Channel(Protocol):
    """One way to a person. `immediate` channels are part of the database and deliver with the transaction."""

    @property
    def name(self) -> str:
        """How deliveries name it."""

    @property
    def immediate(self) -> bool:
        """Whether storing the delivery is the delivery."""

    def carries(self, telling: Telling) -> bool:
        """Whether it has a place for this one; what it does not carry is dropped and counted, never put elsewhere."""

    async def send(self, telling: Telling) -> None:
        """Carry it over. Raises TryLater (with `retry_after_s` where the channel told), Refused or OutcomeUnknown."""


class RetryAfter(Exception):  # noqa: N818 - it says what to do
    """The channel takes nothing for a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the channel asks to wait {seconds:g} s")
        self.seconds = seconds
