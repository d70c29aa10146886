"""The operator's questions, on a bus that goes away and comes back."""

from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.client import TRIES_AT_FIRST, asking
from quantmatrix.operations.testing import FreshBus, Servers


async def test_a_bus_that_stays_away_for_long_is_found_again(bus: FreshBus, servers: Servers) -> None:
    """Whoever watches a replay outlives a slow restart of the bus; without its connection it would call the replay stalled."""
    async with asking(bus.url, bus.password(OPERATOR_USER), reconnect_time_wait=0.01) as ask:
        client = ask._client
        await servers.nats_stop()

        async def tried_often() -> bool:
            return client.is_closed or client._server_pool[0].reconnects > 2 * TRIES_AT_FIRST

        await wait_until(tried_often, "many tries")
        assert not client.is_closed

        await servers.nats_start()

        async def back() -> bool:
            return client.is_connected

        await wait_until(back, "the connection is there again")
