"""Who watches a process: one that hangs is ended, one that is still starting is not."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.processes import Child
from quantmatrix.operations.watching import MISSES_MAX, Door, watch

LOOK_S, ANSWER_S = 0.01, WITHIN_S


class Port:
    """Stands for a service's health port: counts the looks, and answers those of `answered`."""

    def __init__(self, answered: range) -> None:
        self.looks = 0
        self._answered = answered

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if self.looks in self._answered:
            writer.write(b"HTTP/1.1 503 not ready\r\n\r\n")
        self.looks += 1
        writer.close()


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[Child]:
    one = Child("idler", [sys.executable, "-c", "import signal; signal.pause()"], {}, tmp_path / "idler.out")
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


@pytest.mark.parametrize(("answered", "is_ended"), [(range(1), True), (range(0), False), (range(0, 100, MISSES_MAX), False)])
async def test_only_who_answered_once_and_then_misses_every_look_is_ended(child: Child, answered: range, is_ended: bool) -> None:
    port, told = Port(answered), list[str]()
    server = await asyncio.start_server(port, "127.0.0.1", 0)
    watching = asyncio.ensure_future(watch(child, Door(server.sockets[0].getsockname()[1]), told.append, look_s=LOOK_S, answer_s=ANSWER_S))
    try:
        await wait_until(lambda: port.looks > 3 * MISSES_MAX or not child.alive, "it was looked at often enough")
    finally:
        watching.cancel()
        server.close()

    assert (child.alive, len(told)) == (not is_ended, int(is_ended))
    if is_ended:
        assert "idler has answered nothing" in told[0]


@dataclass(frozen=True)
class Unasked(Door):
    """Answers once; from then on this machine lets nobody ask."""

    looks: list[float] = field(default_factory=list)

    async def answers(self, within_s: float) -> bool | None:
        self.looks.append(within_s)
        return True if len(self.looks) == 1 else None


async def test_who_could_not_be_asked_is_not_ended(child: Child) -> None:
    door = Unasked(0)
    watching = asyncio.ensure_future(watch(child, door, [].append, look_s=LOOK_S, answer_s=ANSWER_S))
    try:
        await wait_until(lambda: len(door.looks) > 3 * MISSES_MAX, "it was looked at often enough")
    finally:
        watching.cancel()

    assert child.alive


@pytest.mark.parametrize(("name", "answer"), [("nobody.there", False), ("much.too.long." * 20, None)])
async def test_a_door_where_nobody_is_differs_from_one_that_cannot_be_opened(tmp_path: Path, name: str, answer: bool | None) -> None:
    assert await Door(tmp_path / name).answers(ANSWER_S) is answer
