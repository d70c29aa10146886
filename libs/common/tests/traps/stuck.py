"""A reader with a thread that never comes back from somebody else's call."""

import asyncio
import threading

from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.main import main
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.testing.tiny import Books, ReaderSettings, hears


async def serve(settings: ReaderSettings) -> None:
    async def build(_: Parts) -> Bus:
        return Bus(hears=hears(Books()), background=(call_the_vendor,))

    await run_service(settings, build)


async def call_the_vendor() -> None:
    await asyncio.to_thread(threading.Event().wait)


if __name__ == "__main__":
    main(ReaderSettings, serve)
