"""The operator's connection: commands ask services over the bus, under a user that may do nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.places import Places

TRIES_AT_FIRST, FOR_EVER = 20, -1


class NotRunningError(RuntimeError):
    """Nothing runs on this data folder."""


class StalledError(RuntimeError):
    """A replay did not move for a long time."""


@asynccontextmanager
async def asking(url: str, password: str, **options: Any) -> AsyncIterator[Ask]:
    """Ask services at a bus, under more options of nats.connect. Raises NotRunningError when it cannot be reached.

    A bus that goes away later is waited for; each question has its own deadline.
    """
    try:
        client = await connect(url, OPERATOR_USER, password, **{"connect_timeout": 2, "max_reconnect_attempts": TRIES_AT_FIRST, **options})
    except Exception as error:
        raise NotRunningError(f"the bus at {url} cannot be reached") from error
    client.options["max_reconnect_attempts"] = FOR_EVER
    try:
        yield Ask(client)
    finally:
        await client.close()


@asynccontextmanager
async def asking_at(places: Places) -> AsyncIterator[Ask]:
    """Ask the services that run on a data folder."""
    state = places.read_state()
    if not state or not places.is_running():
        raise NotRunningError(f"QuantMatrix does not run on {places.home}; start it with 'qm up' or 'make run'")
    async with asking(str(state["nats_url"]), str(state["operator_password"])) as ask:
        yield ask
