"""Puts notify together: the channels of the slot that are configured, the handlers, the sender."""

from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.notify import channels as slot
from quantmatrix.notify.bus import bus
from quantmatrix.notify.handlers import Handlers
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
            tries_max=settings.tries_max,
            retry_first_s=settings.retry_first_s,
            send_timeout_s=settings.send_timeout_s,
        )
        return bus(Handlers(channels, sender), parts.clock, (sender.run,))

    await run_service(settings, build)
