"""Notifications: stored once for their user, delivered once, late rather than lost; a dead channel touches nothing else."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from quantmatrix.common.contracts.asking.notify import InboxAnswer, InboxAsked, MarkReadAsked, NotificationSummary
from quantmatrix.common.contracts.fills import FillCorrected, OptionEnded, OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import BreakFound, OrderAccepted, OrderDenied, OrderRejected, OrderUnknown, TradingStateChanged
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.contracts.portfolio import LotChoiceFailed
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunFunded, RunRefused, SignalRaised
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import ContractEnding, Priority, SignalKind, TradingState, UserId
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.testing.examples import ACCOUNT, USER, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Quantity
from quantmatrix.notify.domain.telling import Telling
from quantmatrix.operations.servers.nats import free_port

pytestmark = pytest.mark.long(10)
FAST = {"send_timeout_s": 60.0, "send_look_s": 0.05, "retry_first_s": 0.05, "throttle_cooldown_s": 0.0}
HANGS_UP_S = 2.0


def fill(number: int = 1, user: UserId = FIRST_ADMINISTRATOR) -> OrderFilled:
    return like(OrderFilled, fill_id=derived_id("fill", number), quantity=Quantity(number), leaves=Quantity(0), user_id=user)


async def inbox(ask: Any, user: UserId = FIRST_ADMINISTRATOR) -> InboxAnswer:
    try:
        found: InboxAnswer = await ask("notify", InboxAsked(user_id=user))
    except ServiceSilent:
        return InboxAnswer((), 0)
    return found


async def until(
    ask: Any, count: int, *, channel: str = "inbox", state: str = "delivered", user: UserId = FIRST_ADMINISTRATOR
) -> InboxAnswer:
    """Wait until so many notifications have this state at this channel."""

    async def there() -> InboxAnswer | None:
        found = await inbox(ask, user)
        done = [one for one in found.notifications if any((d.channel, d.state) == (channel, state) for d in one.deliveries)]
        return found if len(done) == count else None

    found = await wait_until(there, f"{count} notifications {state} at {channel}")
    assert found is not None
    return found


async def outbox(database: Any, kind: str) -> int:
    count: int = (await database.fetch("notify", "select count(*) from outbox where type = $1", kind))[0]["count"]
    return count


async def test_every_user_has_an_inbox_and_sees_only_it(start_here: Any, ask: Any, say: Saying) -> None:
    await start_here("notify")
    await say(fill(1))
    await say(fill(2, USER))

    mine, theirs = await until(ask, 1), await until(ask, 1, user=USER)

    assert [one.title for one in mine.notifications] == ["Bought 1 ABC at 10.2"]
    assert [one.title for one in theirs.notifications] == ["Bought 2 ABC at 10.2"]
    assert (mine.unread, theirs.unread) == (1, 1)


@pytest.mark.parametrize(
    ("message", "title", "words", "priority"),
    [
        (like(OrderFilled, leaves=Quantity(60)), "Bought 40 ABC at 10.2", ("fee 1 USD", "60 left", ACCOUNT), Priority.NORMAL),
        (like(FillCorrected, quantity=Quantity(0)), "Execution of ABC corrected: taken back", ("booked again",), Priority.HIGH),
        (
            like(OptionEnded),
            "Assigned: 100 shares of ABC bought at 33",
            ("1 ABC   240308P00033000", "3300 USD in all"),
            Priority.HIGH,
        ),
        (
            like(OptionEnded, shares=Quantity(150)),
            "Assigned: 150 shares of ABC bought for 3300 USD",
            ("1 ABC   240308P00033000",),
            Priority.HIGH,
        ),
        (
            like(OptionEnded, how=ContractEnding.EXPIRY, shares=Quantity(0)),
            "Expired: 1 ABC   240308P00033000",
            (),
            Priority.NORMAL,
        ),
        (like(OrderDenied), "Denied", ("RISK_NOTIONAL", "60000 USD", "atr_matrix"), None),
        (like(OrderRejected), "Rejected by the broker", ("VENUE_HALTED",), None),
        (like(OrderUnknown), "No answer: buy 100 ABC", ("nothing is sent again",), Priority.CRITICAL),
        (like(BreakFound), "Books differ: position XNYS-ABC", ("Ours 100", "90"), Priority.CRITICAL),
        (
            like(TradingStateChanged, state=TradingState.HALTED, reason="enough"),
            f"Account {ACCOUNT} is HALTED",
            ("enough",),
            Priority.CRITICAL,
        ),
        (like(RunRefused), "No run of atr_matrix", ("2500 USD of PAPER-1 are free", "Nothing was started"), Priority.HIGH),
        (
            like(RunRefused, what="capital"),
            "The capital of atr_matrix stays as it is",
            ("2500 USD of PAPER-1 are free", "Nothing was moved"),
            Priority.HIGH,
        ),
        (like(RunFunded), "The capital of atr_matrix was changed", ("500 USD: more room", "10500 USD"), Priority.NORMAL),
        (like(RunChanged), "The run of atr_matrix is paused", ("holiday",), Priority.NORMAL),
        (
            like(CycleCompleted),
            "Cycle 1 of atr_matrix is complete",
            ("1600 USD join", "400 USD are put aside", "11600 USD"),
            Priority.NORMAL,
        ),
        (like(SignalRaised), "Entry ABC: buy 100 at 10.5", ("10.5 is above 10.1", "Stop 9.5", "11.5, 12.5"), Priority.NORMAL),
        (like(SignalRaised, kind=SignalKind.RISK_WARNING, side=None, quantity=None), "Risk warning ABC", (), Priority.HIGH),
    ],
)
async def test_what_is_told_in_which_words(
    start_here: Any, ask: Any, say: Saying, message: Message, title: str, words: tuple[str, ...], priority: Priority | None
) -> None:
    await start_here("notify")
    await say(message)

    (told,) = (await until(ask, 1, user=USER)).notifications

    assert told.title.startswith(title)
    assert [word for word in words if word not in told.body] == []
    assert priority is None or told.priority is priority


async def test_a_parked_message_is_told_to_the_administrator(start_here: Any, ask: Any, say: Saying) -> None:
    await start_here("notify")
    await say(like(MessageParked))

    (told,) = (await until(ask, 1)).notifications

    assert told.title == "portfolio put a message aside" and told.priority is Priority.CRITICAL
    assert "stands still" in told.body and "qm parked" in told.body


async def test_what_is_not_worth_telling_is_not_told(start_here: Any, ask: Any, say: Saying) -> None:
    await start_here("notify")
    await say(like(OrderAccepted))
    await say(fill(1, USER))

    assert len((await until(ask, 1, user=USER)).notifications) == 1


async def test_a_message_that_comes_again_is_told_once(start_here: Any, ask: Any, say: Saying, database: Any) -> None:
    await start_here("notify")
    said = await say(fill(1))
    await until(ask, 1)

    await say.again(said)
    await say(fill(2))

    found = await until(ask, 2)
    assert len(found.notifications) == 2
    assert await outbox(database, "NotificationRaised") == 2


async def test_reading_marks_ones_own_only(start_here: Any, ask: Any, say: Saying) -> None:
    await start_here("notify")
    await say(fill(1))
    await say(fill(2))
    await say(fill(3, USER))
    found = await until(ask, 2)
    await until(ask, 1, user=USER)

    one = found.notifications[0].notification_id
    assert (await ask("notify", MarkReadAsked(user_id=USER, notification_id=one))).marked == 0
    assert (await ask("notify", MarkReadAsked(user_id=FIRST_ADMINISTRATOR, notification_id=one))).marked == 1
    assert (await inbox(ask)).unread == 1
    assert (await ask("notify", MarkReadAsked(user_id=FIRST_ADMINISTRATOR))).marked == 1
    assert ((await inbox(ask)).unread, (await inbox(ask, USER)).unread) == (0, 1)


async def test_the_administrators_notifications_go_to_discord_once_and_nobody_elses_do(
    start_here: Any, ask: Any, say: Saying, discord: Any, database: Any
) -> None:
    await start_here("notify", discord_webhook_url=discord.url, **FAST)
    await say(fill(1))
    await say(fill(2, USER))
    await say(fill(3))

    found = await until(ask, 2, channel="discord")
    await until(ask, 1, user=USER)

    assert sorted(discord.titles) == ["Bought 1 ABC at 10.2", "Bought 3 ABC at 10.2"]
    assert all(delivery.tries == 1 for one in found.notifications for delivery in one.deliveries)
    assert await outbox(database, "NotificationDelivered") == 2


@pytest.mark.parametrize("answers", [[500, 503, 502], ["hang", "hang up"]], ids=["server errors", "no answers"])
async def test_a_channel_that_fails_is_tried_again_until_it_takes_the_message(
    start_here: Any, ask: Any, say: Saying, discord: Any, answers: list[Any]
) -> None:
    discord.answers = list(answers)
    await start_here("notify", discord_webhook_url=discord.url, **{**FAST, "send_timeout_s": HANGS_UP_S})
    await say(fill(1))

    (told,) = (await until(ask, 1, channel="discord")).notifications

    assert discord.titles == ["Bought 1 ABC at 10.2"]
    assert _at(told, "discord").tries == len(answers) + 1


async def test_after_429_the_channel_is_left_in_peace_for_as_long_as_it_asked(start_here: Any, ask: Any, say: Saying, discord: Any) -> None:
    """Not only this message: nothing at all is sent meanwhile, and the waiting costs no try."""
    discord.answers = [(429, {"retry_after": 1.0}, {})]
    await start_here("notify", discord_webhook_url=discord.url, tries_max=1, **FAST)
    for number in range(1, 5):
        await say(fill(number))

    found = await until(ask, 4, channel="discord")

    assert sorted(discord.titles) == [f"Bought {number} ABC at 10.2" for number in range(1, 5)]
    assert len(discord.calls) == 5
    assert discord.times[1] - discord.times[0] >= 1.0
    assert {_at(one, "discord").tries for one in found.notifications} == {1}


async def test_what_was_asked_to_wait_does_not_line_up_again(start_here: Any, ask: Any, say: Saying, discord: Any) -> None:
    """Two in a minute may go, and the second that was asked to wait is no third."""
    discord.answers = [200, (429, {"retry_after": 0.2}, {})]
    await start_here("notify", discord_webhook_url=discord.url, throttle_per_minute_max=2, **FAST)
    for number in range(1, 3):
        await say(fill(number))

    await until(ask, 2, channel="discord")

    assert len(discord.calls) == 3 and discord.times[2] - discord.times[1] < 30


async def test_a_message_is_given_up_after_its_last_try_and_that_is_said(
    start_here: Any, ask: Any, say: Saying, discord: Any, database: Any
) -> None:
    discord.answers = [500] * 50
    await start_here("notify", discord_webhook_url=discord.url, tries_max=3, **FAST)
    await say(fill(1))

    (told,) = (await until(ask, 1, channel="discord", state="failed")).notifications

    assert len(discord.calls) == 3
    assert "given up after 3 tries" in (_at(told, "discord").error or "")
    assert _at(told, "inbox").state == "delivered"
    assert await outbox(database, "NotificationFailed") == 1


async def test_a_webhook_that_is_gone_is_asked_once_and_the_inbox_goes_on(
    start_here: Any, ask: Any, say: Saying, discord: Any, tmp_path: Any
) -> None:
    discord.answers = [404] * 50
    await start_here("notify", discord_webhook_url=discord.url, **FAST)
    for number in range(1, 4):
        await say(fill(number))

    found = await until(ask, 3, channel="discord", state="failed")

    assert len(discord.calls) == 1
    assert all("QM_NOTIFY_DISCORD_WEBHOOK_URL" in (_at(one, "discord").error or "") for one in found.notifications)
    assert {_at(one, "inbox").state for one in found.notifications} == {"delivered"}
    assert "s3cr3t-token" not in (tmp_path / "notify.log").read_text(encoding="utf-8")


async def test_what_was_waiting_when_notify_died_is_delivered_once_by_the_next(
    start_here: Any, ask: Any, say: Saying, discord: Any, database: Any
) -> None:
    discord.answers = [500] * 50
    await start_here("notify", discord_webhook_url=discord.url, tries_max=100, **FAST)
    await say(fill(1))
    await wait_until(lambda: discord.calls, "Discord was asked")
    await start_here.stop("notify")
    discord.answers.clear()
    # Whoever died in the middle of a try holds its claim for a minute; here that minute is over.
    await database.fetch("notify", "update delivery set next_try_at = clock_timestamp() - $1::interval", timedelta(seconds=1))

    await start_here("notify", discord_webhook_url=discord.url, **FAST)

    await until(ask, 1, channel="discord")
    assert discord.titles == ["Bought 1 ABC at 10.2"]


async def test_a_channel_that_hangs_keeps_nothing_else_waiting(start_here: Any, ask: Any, say: Saying, discord: Any) -> None:
    """P9: a dead channel never touches what is heard and stored."""
    discord.answers = ["hang"] * 50
    await start_here("notify", discord_webhook_url=discord.url, send_timeout_s=60.0)
    for number in range(1, 8):
        await say(fill(number))

    assert len((await until(ask, 7)).notifications) == 7
    await wait_until(lambda: discord.calls, "Discord was asked")
    assert len(discord.calls) == 1


def _at(told: NotificationSummary, channel: str) -> Any:
    return next(delivery for delivery in told.deliveries if delivery.channel == channel)


def test_a_notification_is_about_one_message_for_one_user() -> None:
    one = Telling(USER, None, "fill", Priority.NORMAL, "a", "b", UUID(int=1))
    same = Telling(USER, None, "fill", Priority.HIGH, "other", "words", UUID(int=1))
    other = Telling(FIRST_ADMINISTRATOR, None, "fill", Priority.NORMAL, "a", "b", UUID(int=1))

    assert one.notification_id == same.notification_id != other.notification_id


async def test_a_person_is_told_when_other_lots_were_used_than_named(start_here: Any, ask: Any, say: Saying) -> None:
    await start_here("notify")

    await say(like(LotChoiceFailed, user_id=FIRST_ADMINISTRATOR, reason="lot 7 has 0 open, named were 5"))

    (found,) = (await until(ask, 1)).notifications
    assert found.title.startswith("Other lots of") and "named were 5" in found.body and found.priority is Priority.HIGH


async def test_a_room_without_a_webhook_is_dropped_and_counted_and_the_inbox_keeps_it(
    start_here: Any, ask: Any, say: Saying, discord: Any, database: Any
) -> None:
    port = free_port()
    await start_here("notify", discord_webhook_alerts=discord.url, health_port=port, **FAST)
    await say(fill(1))
    await say(like(OrderDenied, user_id=FIRST_ADMINISTRATOR))

    await until(ask, 1, channel="discord")
    await until(ask, 2)

    assert [title.split(":")[0] for title in discord.titles] == ["Denied"]
    assert [row["channel"] for row in await database.fetch("notify", "select channel from delivery order by 1")] == [
        "discord",
        "inbox",
        "inbox",
    ]
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    assert 'qm_notifications_dropped_total{room="portfolio_digest"} 1.0' in metrics


async def test_notifications_of_one_kind_keep_their_distance_and_critical_ones_do_not_wait(
    start_here: Any, ask: Any, say: Saying, discord: Any
) -> None:
    await start_here("notify", discord_webhook_url=discord.url, **{**FAST, "throttle_cooldown_s": 1.5})
    for number in range(1, 3):
        await say(fill(number))
    for number in range(2):
        await say(like(OrderUnknown, user_id=FIRST_ADMINISTRATOR, client_ref=f"{'A' * 19}{number}"))

    await until(ask, 3 + 1, channel="discord")

    fills = [when for title, when in zip(discord.titles, discord.times, strict=True) if title.startswith("Bought")]
    critical = [when for title, when in zip(discord.titles, discord.times, strict=True) if title.startswith("No answer")]
    assert fills[1] - fills[0] >= 1.4
    assert len(critical) == 2 and critical[1] - critical[0] < 1.4
