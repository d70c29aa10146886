"""A Discord on the loopback interface that answers as a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from quantmatrix.common.testing.saying import Saying

pytest.register_assert_rewrite("quantmatrix.notify.testing")


@dataclass
class FakeDiscord:
    """Takes webhook calls. `answers` are used up first: a status, (status, body, headers), "hang" or "hang up"; then 200."""

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def titles(self) -> list[str]:
        return [message["embeds"][0]["title"] for message in self.messages]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                await self._answer(request.decode().strip(), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = 0
        while (header := (await reader.readline()).decode().strip()) != "":
            name, _, value = header.partition(":")
            length = int(value) if name.lower() == "content-length" else length
        body = json.loads(await reader.readexactly(length))
        self.calls.append(line)
        self.times.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if self.answers else 200
        if answer in ("hang", "hang up"):
            if answer == "hang":
                await self.hanging.wait()
            raise ConnectionResetError
        status, told, headers = answer if isinstance(answer, tuple) else (answer, {}, {})
        if status < 300:
            self.messages.append(body)
        payload = json.dumps(told).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(payload)}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        await writer.drain()


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    fake = FakeDiscord()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/webhooks/17/s3cr3t-token"
    yield fake
    fake.hanging.set()
    server.close()


@pytest.fixture
def say(bus: Any) -> Saying:
    return Saying(bus.connect)
