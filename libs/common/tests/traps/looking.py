"""Looking at what a service says of itself over HTTP."""

import httpx

from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.servers.nats import free_port


class Looked:
    """A service's own HTTP endpoints."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._base = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            return await client.get(self._base + path)

    async def ready(self, expected: dict[str, str] | None) -> bool:
        """Whether /readyz names exactly these parts as wrong (None: not reachable yet counts as no)."""
        try:
            found = await self.get("/readyz")
        except httpx.HTTPError:
            return False
        assert found.status_code == (503 if found.json()["wrong"] else 200)
        return set(found.json()["wrong"]) == set(expected or {})

    async def value(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = (await self.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    async def until(self, name: str, value: float) -> None:
        """Wait until a metric has a value: what happened is counted a moment after it can be seen."""

        async def counted() -> bool:
            return await self.value(name) == value

        await wait_until(counted, f"{name} is {value:g}")


async def looked_at_reader(pair: Pair, **told: object) -> Looked:
    """A reader that runs and is ready, and its endpoints."""
    port = free_port()
    await pair.reader(health_port=port, **told)
    looked = Looked(port)
    await wait_until(lambda: looked.ready({}), "ready")
    return looked
