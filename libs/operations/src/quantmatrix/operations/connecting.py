"""Connections of this program to the bus, each under one of the server's users and with an inbox of its own."""

from typing import Any

import nats
from nats.aio.client import Client

RECONNECT_S = 0.2


async def connect(url: str, user: str, password: str, **options: Any) -> Client:
    """Connect under one of the server's users. options: those of nats.connect; errors on the way are silent unless they say otherwise."""
    return await nats.connect(
        url,
        user=user,
        password=password,
        inbox_prefix=f"_INBOX.{user}",
        **{"reconnect_time_wait": RECONNECT_S, "error_cb": silent, **options},
    )


async def silent(_: Exception) -> None:
    """For `error_cb`: whoever connects hears from what fails itself, and a lost connection comes back by itself."""
