"""The contract of channels, on the double, on the inbox and on Discord; and what Discord's answers mean."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from quantmatrix.common.names import Priority
from quantmatrix.common.runtime.errors import OutcomeUnknown, Refused, TryLater
from quantmatrix.notify.channels.discord import DiscordChannel
from quantmatrix.notify.channels.discord import make as make_discord
from quantmatrix.notify.channels.inbox import InboxChannel
from quantmatrix.notify.domain.telling import Room, Tone
from quantmatrix.notify.ports import Channel, RetryAfter
from quantmatrix.notify.settings import NotifySettings
from quantmatrix.notify.testing import ChannelContract, RecordingChannel, telling


class TestTheDouble(ChannelContract):
    @pytest.fixture
    def channel(self) -> Channel:
        return RecordingChannel()

    def arrived(self, channel: Channel) -> list[str]:
        assert isinstance(channel, RecordingChannel)
        return [f"{one.title} {one.body}" for one in channel.delivered]


class TestTheInbox(ChannelContract):
    immediate = True

    @pytest.fixture
    def channel(self) -> Channel:
        return InboxChannel()


class TestDiscord(ChannelContract):
    @pytest.fixture
    def channel(self, discord: Any) -> Channel:
        self._discord = discord
        return DiscordChannel(discord.url, timeout_s=2.0)

    def arrived(self, channel: Channel) -> list[str]:
        return [json.dumps(message) for message in self._discord.messages]


@pytest.fixture
def channel(discord: Any) -> DiscordChannel:
    return DiscordChannel(discord.url, timeout_s=0.3)


async def test_an_embed_stays_within_discords_limits(channel: DiscordChannel, discord: Any) -> None:
    """Title 256, description 4,096, footer 2,048, all together 6,000 characters."""
    await channel.send(telling(title="T" * 9_999, body="B" * 9_999))

    (embed,) = discord.messages[0]["embeds"]
    assert (len(embed["title"]), len(embed["description"])) == (256, 4_096)
    assert len(embed["footer"]["text"]) <= 2_048
    assert len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"]) <= 6_000


async def test_nobody_is_pinged_whatever_the_text_says(channel: DiscordChannel, discord: Any) -> None:
    await channel.send(telling(title="@everyone"))

    assert discord.messages[0]["allowed_mentions"] == {"parse": []}


async def test_the_colour_tells_the_priority_and_the_call_waits_until_discord_has_stored_it(channel: DiscordChannel, discord: Any) -> None:
    for number, priority in enumerate(Priority):
        await channel.send(telling(number, priority=priority))

    assert len({message["embeds"][0]["color"] for message in discord.messages}) == len(Priority)
    assert all("wait=true" in call for call in discord.calls)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((429, {"retry_after": 1.25}, {"Retry-After": "9"}), 1.25),
        ((429, {}, {"Retry-After": "7"}), 7.0),
        ((429, {}, {}), 5.0),
        ((429, {"retry_after": "soon"}, {"Retry-After": "later"}), 5.0),
        ((429, {"retry_after": 0}, {}), 0.1),
        ((429, {"retry_after": 10**9}, {}), 3_600.0),
    ],
)
async def test_429_says_how_long_to_wait(channel: DiscordChannel, discord: Any, answer: Any, seconds: float) -> None:
    discord.answers = [answer]

    with pytest.raises(RetryAfter) as caught:
        await channel.send(telling())

    assert caught.value.seconds == seconds


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (500, TryLater),
        (503, TryLater),
        (400, Refused),
        (413, Refused),
        (302, Refused),
        ("hang", OutcomeUnknown),
        ("hang up", OutcomeUnknown),
    ],
)
async def test_what_an_answer_means(channel: DiscordChannel, discord: Any, answer: Any, error: type[Exception]) -> None:
    discord.answers = [answer]

    with pytest.raises(error) as caught:
        await channel.send(telling())

    assert "s3cr3t-token" not in str(caught.value)
    await channel.send(telling())
    assert len(discord.messages) == 1


async def test_a_discord_that_is_not_there_was_sent_nothing() -> None:
    with pytest.raises(TryLater):
        await DiscordChannel("http://127.0.0.1:9/api/webhooks/1/x", timeout_s=0.3).send(telling())


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_webhook_that_is_gone_is_named_and_never_asked_again(channel: DiscordChannel, discord: Any, status: int) -> None:
    discord.answers = [status]

    for number in range(3):
        with pytest.raises(Refused, match=r"DISCORD_WEBHOOK_GONE.*QM_NOTIFY_DISCORD_WEBHOOK_URL"):
            await channel.send(telling(number))

    assert len(discord.calls) == 1


def test_there_is_no_discord_without_a_webhook() -> None:
    assert make_discord(NotifySettings()) is None


async def test_each_room_has_its_webhook_and_the_others_share_one(discord: Any) -> None:
    rooms = {Room.ALERTS: discord.url.replace("/17/", "/18/")}
    channel = DiscordChannel(discord.url, timeout_s=2.0, rooms=rooms)

    for number, room in enumerate(Room):
        await channel.send(replace(telling(number), room=room))

    assert [room for room, call in zip(Room, discord.calls, strict=True) if "/18/" in call] == [Room.ALERTS]


def test_a_room_without_any_webhook_is_not_carried() -> None:
    settings = NotifySettings.model_construct(
        send_timeout_s=1.0,
        **{f"discord_webhook_{name}": SecretStr("") for name in ("url", *Room)}
        | {"discord_webhook_signals": SecretStr("http://127.0.0.1:9/x")},
    )
    channel = make_discord(settings)

    assert channel is not None
    assert [room for room in Room if channel.carries(replace(telling(), room=room))] == [Room.SIGNALS]


async def test_a_room_whose_webhook_is_gone_leaves_the_others_alone(discord: Any) -> None:
    channel = DiscordChannel(discord.url, timeout_s=2.0, rooms={Room.ALERTS: discord.url.replace("/17/", "/18/")})
    discord.answers = [404]

    with pytest.raises(Refused, match="QM_NOTIFY_DISCORD_WEBHOOK_ALERTS"):
        await channel.send(replace(telling(), room=Room.ALERTS))
    await channel.send(replace(telling(), room=Room.SIGNALS))

    assert len(discord.messages) == 1


async def test_fields_stay_within_discords_limits(channel: DiscordChannel, discord: Any) -> None:
    """25 fields, 256 and 1,024 characters, 6,000 in all; what does not fit is left out, never the title."""
    await channel.send(
        replace(telling(title="T" * 300, body="B" * 9_999), fields=tuple((f"{n}" * 300, "v" * 2_000) for n in range(10, 45)))
    )
    await channel.send(replace(telling(2), fields=tuple((f"name {n}", f"{n}") for n in range(40)), tone=Tone.GREEN))

    for message in discord.messages:
        (embed,) = message["embeds"]
        sizes = [len(one["name"]) + len(one["value"]) for one in embed["fields"]]
        assert 1 <= len(embed["fields"]) <= 25
        assert all(len(one["name"]) <= 256 and len(one["value"]) <= 1_024 for one in embed["fields"])
        assert len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"]) + sum(sizes) <= 6_000
        assert embed["description"]
    assert discord.messages[0]["embeds"][0]["color"] != discord.messages[1]["embeds"][0]["color"]
