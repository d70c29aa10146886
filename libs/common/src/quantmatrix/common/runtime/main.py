"""The way into every service: read settings, run, and say in one sentence what is wrong when it cannot."""

import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import uvloop

from quantmatrix.common.runtime.errors import ConfigurationError, NotLetIn
from quantmatrix.common.runtime.settings import ServiceSettings, SettingsError

S = TypeVar("S", bound=ServiceSettings)
log = structlog.get_logger(__name__)
EXIT_CONFIGURATION = 4
THREADS_END_S = 1.0
"""How long threads may go on once the service has ended; one that is stuck in somebody else's call would go on for ever."""
GARBAGE_LOOKS = (20_000, 10, 10)
"""How many new containers make the collector look for rings of them: a service makes few, and each look is a pause."""


def main(settings: type[S], serve: Callable[[S], Awaitable[None]]) -> None:
    """Exit 0 after a stop that was asked for, 4 when the configuration is wrong, 1 otherwise; also while threads are stuck."""
    gc.freeze()  # what was imported stays: the collector need not look at it again
    gc.set_threshold(*GARBAGE_LOOKS)
    code = uvloop.run(_serve(settings, serve))
    if code:
        sys.exit(code)


async def _serve(settings: type[S], serve: Callable[[S], Awaitable[None]]) -> int:
    """Says what is wrong before the loop waits for threads: one that is stuck must not take the sentence and the code with it."""
    code = 1
    try:
        await serve(settings.read())
        code = 0
    except (SettingsError, ConfigurationError) as error:
        code = EXIT_CONFIGURATION
        _say(settings, error)
    except NotLetIn as error:
        _say(settings, error)
    finally:
        ending = threading.Timer(THREADS_END_S, _end_with_threads, (code,))
        ending.daemon = True
        ending.start()
    return code


def _say(settings: type[S], error: Exception) -> None:
    print(f"{settings.SERVICE}: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet, or whoever started it does not see it


def _end_with_threads(code: int) -> None:
    """Whoever ends a process otherwise waits for its threads. What they were to say has been given up with the service."""
    stuck = [one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    if stuck:
        log.warning("stopped.with_threads", threads=stuck)
        os._exit(code)
