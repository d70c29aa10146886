"""A reader with a thread that never comes back from somebody else's call; it ends with an error at once where one is named."""

import asyncio
import sys
import threading

from quantmatrix.common.runtime.errors import ConfigurationError, NotLetIn
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


async def end_with(error: Exception) -> None:
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    raise error


if __name__ == "__main__":
    ends = {error.__name__: error("one sentence") for error in (ConfigurationError, NotLetIn)}
    main(ReaderSettings, (lambda _: end_with(ends[sys.argv[1]])) if sys.argv[1:] else serve)
