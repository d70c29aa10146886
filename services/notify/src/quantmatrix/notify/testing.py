"""A double of notify's port, and the tests that every channel passes; also for channels outside this tree."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, Priority, UserId
from quantmatrix.notify.domain.telling import Telling
from quantmatrix.notify.ports import Channel

LONG = 10_000


def telling(
    number: int = 1, *, title: str = "Bought 10 ABC at 101", body: str = "Fee 1 USD.", priority: Priority = Priority.NORMAL
) -> Telling:
    """A notification about a fill; another number is about another one."""
    return Telling(UserId(derived_id("user")), AccountId("DU0000001"), "fill", priority, title, body, UUID(int=number))


class RecordingChannel:
    """Keeps what it was given; raises the next of `answers` instead, while there are any (None is a success)."""

    immediate = False

    def __init__(self, name: str = "recording", answers: Sequence[Exception | None] = ()) -> None:
        self.name = name
        self.tried: list[Telling] = []
        self.delivered: list[Telling] = []
        self._answers = list(answers)

    def carries(self, telling: Telling) -> bool:
        return True

    async def send(self, telling: Telling) -> None:
        self.tried.append(telling)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.delivered.append(telling)


class ChannelContract:
    """What must hold for every channel. Subclass it, give a fixture `channel` whose far side takes everything, and `arrived`.

    arrived: what the far side got, as text, one entry per message. Channels whose delivery is their storage have none.
    """

    immediate: ClassVar[bool] = False

    def arrived(self, channel: Channel) -> list[str]:
        raise NotImplementedError

    def test_it_has_a_name_and_says_whether_storing_is_delivering(self, channel: Channel) -> None:
        assert channel.name.isidentifier()
        assert channel.immediate is self.immediate

    async def test_what_is_sent_arrives_once_with_its_words(self, channel: Channel) -> None:
        await channel.send(telling())

        if not self.immediate:
            (text,) = self.arrived(channel)
            assert "Bought 10 ABC at 101" in text and "Fee 1 USD." in text

    async def test_every_priority_goes_through(self, channel: Channel) -> None:
        for number, priority in enumerate(Priority, start=1):
            await channel.send(telling(number, priority=priority))

        if not self.immediate:
            assert len(self.arrived(channel)) == len(Priority)

    async def test_a_text_that_is_too_long_is_cut_and_not_lost(self, channel: Channel) -> None:
        await channel.send(telling(title="T" * LONG, body="B" * LONG))

        if not self.immediate:
            (text,) = self.arrived(channel)
            assert "TTT" in text and "BBB" in text

    async def test_any_text_goes_through(self, channel: Channel) -> None:
        await channel.send(telling(title='"quoted" @everyone <b>', body="Umlaute äöü, 日本語, 🙂, \\ and\nlines"))

        if not self.immediate:
            assert len(self.arrived(channel)) == 1
