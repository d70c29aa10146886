"""Puts the gateway together: people, the feed, the web server, and what is heard."""

import asyncio
import socket

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.health import make_server
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.gateway.bus import bus
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.feed import Feed
from quantmatrix.gateway.firsts import forget_firsts
from quantmatrix.gateway.handlers import Handlers
from quantmatrix.gateway.ledger_operating import OperatingLedger
from quantmatrix.gateway.people import People
from quantmatrix.gateway.runs import Operating
from quantmatrix.gateway.settings import GatewaySettings
from quantmatrix.gateway.web import make_web

BACKLOG = 128
GOODBYE_S = 1.5


async def serve(settings: GatewaySettings) -> None:
    """Run the gateway until it is asked to stop."""

    async def build(parts: Parts) -> Bus:
        people = People(parts, settings)
        await people.make_first_administrator()
        feed = Feed(parts.pool, rows_kept=settings.feed_rows_kept)
        await feed.open()
        door = open_door(settings.host, settings.port)
        web = make_web(Gateway(parts, settings, people, feed))

        async def console() -> None:
            await _serve_web(web, door, feed, settings.proxies)

        async def forget() -> None:
            await forget_firsts(parts, settings.idempotency_hours)

        return bus(Handlers(feed), Operating(parts), OperatingLedger(parts), (feed.forget, forget), (console,))

    await run_service(settings, build)


async def _serve_web(web: object, door: socket.socket, feed: Feed, proxies: str) -> None:
    """Serve until cancelled; then end the streams and let requests finish."""
    server = make_server(web, host="", port=0, proxies=proxies)
    serving = asyncio.ensure_future(server.serve(sockets=[door]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        feed.close()
        server.should_exit = True
        await asyncio.wait({serving}, timeout=GOODBYE_S)
        serving.cancel()
        raise


def open_door(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, so that answers leave at once instead of waiting for company (TCP_NODELAY).
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(BACKLOG)
    except OSError as error:
        door.close()
        raise ConfigurationError(
            f"port {port} of {host} cannot be used ({error.strerror}); choose another one with QM_GATEWAY_PORT"
        ) from error
    door.setblocking(False)
    return door
