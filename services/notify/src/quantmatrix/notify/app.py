"""Puts notify together: the channels of the slot that are configured, the handlers, the sender."""

from datetime import timedelta

from prometheus_client import Counter

from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.metrics import NAMESPACE
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.notify import channels as slot
from quantmatrix.notify.bus import bus
from quantmatrix.notify.day_summary import DaySummaries
from quantmatrix.notify.domain.throttle import Throttle
from quantmatrix.notify.handlers import Handlers
from quantmatrix.notify.letters import Letters
from quantmatrix.notify.ports import Channel
from quantmatrix.notify.send import Sender
from quantmatrix.notify.settings import NotifySettings


async def serve(settings: NotifySettings) -> None:
    """Run notify until it is asked to stop."""

    async def build(parts: Parts) -> Bus:
        made: list[Channel | None] = [load(slot, name).make(settings) for name in names_in(slot)]
        channels = [channel for channel in made if channel is not None]
        sender = Sender(
            parts,
            channels,
            Throttle(settings.throttle_cooldown_s, settings.throttle_per_minute_max),
            tries_max=settings.tries_max,
            retry_first_s=settings.retry_first_s,
            send_timeout_s=settings.send_timeout_s,
            look_s=settings.send_look_s,
        )
        dropped = Counter(
            "notifications_dropped",
            "Notifications that a channel has no room for.",
            ["room"],
            namespace=NAMESPACE,
            registry=parts.metrics.registry,
        )
        handlers = Handlers(channels, sender, lambda room: dropped.labels(room).inc())
        summaries = DaySummaries(parts.ask)
        letters = Letters(
            parts,
            summaries,
            handlers.tell,
            morning_after=timedelta(minutes=settings.morning_after_min),
            summary_after=timedelta(minutes=settings.summary_after_min),
        )
        return bus(handlers, letters, summaries, parts.clock, (sender.run, letters.run))

    await run_service(settings, build)
