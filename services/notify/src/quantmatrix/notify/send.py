"""Carries stored deliveries over their channels: later rather than never, and never faster than the channel allows."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from quantmatrix.common.contracts.notifications import NotificationDelivered, NotificationFailed
from quantmatrix.common.names import NotificationId, Priority
from quantmatrix.common.runtime.errors import TRANSIENT, OutcomeUnknown, Refused, TryLater
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.notify.domain.throttle import Throttle
from quantmatrix.notify.ports import Channel, RetryAfter
from quantmatrix.notify.store import TAKEN_MAX, Due, NotifyStore

log = structlog.get_logger(__name__)
RETRY_MAX_S = 600.0
CLAIM_SPARE_S = 10.0


class Sender:
    """Tries what is due. A try whose outcome is not known is made again: a repeated message is better than a lost one."""

    def __init__(
        self,
        parts: Parts,
        channels: Sequence[Channel],
        throttle: Throttle,
        *,
        tries_max: int,
        retry_first_s: float,
        send_timeout_s: float,
        look_s: float,
    ) -> None:
        self._parts = parts
        self._channels = {channel.name: channel for channel in channels if not channel.immediate}
        self._quiet_until: dict[tuple[str, str], float] = {}
        self._throttle = throttle
        # Nobody else may take what is still waiting its turn here.
        self._claim = timedelta(seconds=TAKEN_MAX * send_timeout_s + CLAIM_SPARE_S)
        self._tries_max = tries_max
        self._retry_first_s = retry_first_s
        self._look_s = look_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            try:
                while self._channels and await self._round():
                    continue
            except TRANSIENT as error:
                log.warning("send.waiting", error=repr(error))
            await woken(self._wake, self._look_s)

    async def _round(self) -> bool:
        """Send what is due now; returns whether there was anything."""
        async with self._parts.pool.acquire(timeout=5) as connection, connection.transaction():
            due = await NotifyStore(connection).take_due(self._claim)
        for delivery in due:
            await self._try(delivery)
        return bool(due)

    async def _try(self, due: Due) -> None:
        channel = self._channels.get(due.channel)
        if channel is None:
            await self._put_off(due, RETRY_MAX_S, f"the channel {due.channel} is not configured any more")
            return
        now = self._parts.clock.monotonic()
        lane = (due.channel, due.telling.room)
        if self._quiet_until.get(lane, now) > now:
            await self._put_off(due, self._quiet_until[lane] - now, "the channel asked to wait", counts=False)
            return
        if (wait_s := self._throttled(due, now)) > 0:
            await self._put_off(due, wait_s, "others of its kind went out just before", counts=False)
            return
        try:
            await channel.send(due.telling)
        except RetryAfter as error:
            self._quiet_until[lane] = now + error.seconds
            if not _goes_at_once(due):
                self._throttle.put_off(_own(due), now + error.seconds)
            await self._put_off(due, error.seconds, str(error), counts=False)
        except (TryLater, OutcomeUnknown) as error:
            await self._put_off(due, min(self._retry_first_s * 2 ** (due.tries - 1), RETRY_MAX_S), str(error))
        except Refused as error:
            log.error("delivery.refused", channel=due.channel, notification_id=str(due.telling.notification_id), error=str(error))
            await self._settle(due, "failed", str(error))
        else:
            await self._settle(due, "delivered", None)

    def _throttled(self, due: Due, now: float) -> float:
        """Seconds until it is its turn: one of a topic and priority after the other."""
        if _goes_at_once(due):
            return 0.0
        return self._throttle.wait_s((due.channel, due.telling.topic, due.telling.priority), _own(due), now)

    async def _put_off(self, due: Due, wait_s: float, error: str, *, counts: bool = True) -> None:
        if counts and due.tries >= self._tries_max:
            await self._settle(due, "failed", f"given up after {due.tries} tries: {error}")
            return
        async with self._parts.pool.acquire(timeout=5) as connection:
            store = NotifyStore(connection)
            await store.put_off(due.telling.notification_id, due.channel, timedelta(seconds=wait_s), error, counts=counts)

    async def _settle(self, due: Due, state: str, error: str | None) -> None:
        async def settle(page: Page) -> None:
            one = due.telling
            await NotifyStore(page.connection).settle(one.notification_id, due.channel, state, error)
            if error is None:
                page.say(
                    NotificationDelivered(
                        notification_id=one.notification_id,
                        user_id=one.user_id,
                        channel=due.channel,
                        delivered_at=self._parts.clock.now(),
                    ),
                    identity=(one.notification_id, due.channel),
                )
            else:
                page.say(
                    NotificationFailed(notification_id=one.notification_id, user_id=one.user_id, channel=due.channel, error=error),
                    identity=(one.notification_id, due.channel),
                )

        await self._parts.desk.do(settle, origin("delivery", due.telling.notification_id, due.channel, occurred_at=due.occurred_at))


def _goes_at_once(due: Due) -> bool:
    """What is critical, or was tried before."""
    return due.telling.priority is Priority.CRITICAL or due.tries > 1


def _own(due: Due) -> tuple[str, NotificationId]:
    return due.channel, due.telling.notification_id
