"""The tiny speaker and the tiny reader of one test, and what the test asks of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quantmatrix.common.contracts.asking.messaging import InboxHeads, InboxHeadsAsked
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.process import ServiceProcess, StartProcess
from quantmatrix.common.testing.tiny import READER, SPEAKER, ReaderSettings, SayAsked, SpeakerSettings, serve_reader, serve_speaker
from quantmatrix.common.testing.waiting import wait_until


class Rows(Protocol):
    """A database that can be asked under a role."""

    async def fetch(self, role: str, query: str, *arguments: object) -> Sequence[Any]: ...


@dataclass
class Pair:
    """The speaker and the reader of a test, and what it asks of them."""

    database: Rows
    ask: Ask
    here: StartHere
    process: StartProcess

    async def speaker(self, **told: Any) -> None:
        await self.here(SPEAKER, serve=serve_speaker, settings=SpeakerSettings, **told)
        await self.up(SPEAKER)

    async def reader(self, **told: Any) -> None:
        await self.here(READER, serve=serve_reader, settings=ReaderSettings, **told)
        await self.up(READER)

    async def speaker_process(self, **environment: str) -> ServiceProcess:
        return await self.process(SPEAKER, module="quantmatrix.common.testing.tiny speaker", **environment)

    async def reader_process(self, **environment: str) -> ServiceProcess:
        return await self.process(READER, module="quantmatrix.common.testing.tiny reader", **environment)

    async def up(self, service: str) -> InboxHeads:
        """Wait until a service answers."""

        async def answer() -> InboxHeads | None:
            try:
                return await self.ask(service, InboxHeadsAsked(), deadline_s=1)
            except (ServiceSilent, Refused):
                return None

        found = await wait_until(answer, f"{service} answers", within_s=30)
        assert found is not None
        return found

    async def say(self, *accounts: str, **asked: Any) -> None:
        """Say fills; asked again until it is known that they were said."""

        async def attempt() -> bool:
            try:
                await self.ask(SPEAKER, SayAsked(accounts=accounts, **asked), deadline_s=2)
            except (ServiceSilent, Refused):
                return False
            return True

        await wait_until(attempt, "the speaker says it", within_s=40)

    async def booked(self, account: str) -> list[int]:
        """The numbers booked for an account, in the order they were booked."""
        rows = await self.database.fetch(READER, "select number from tiny_booked where account_id = $1 order by place", account)
        return [row["number"] for row in rows]

    async def all_booked(self, account: str, count: int, *, within_s: float = 25) -> list[int]:
        """Wait until at least `count` are booked."""

        seen: list[int] = []

        async def enough() -> bool:
            seen[:] = await self.booked(account)
            return len(seen) >= count

        try:
            await wait_until(enough, within_s=within_s)
        except AssertionError:
            raise AssertionError(f"only {len(seen)} of {count} booked for {account} within {within_s:g} s: {seen[-5:]}") from None
        return seen

    async def count(self, role: str, table: str) -> int:
        return int((await self.database.fetch(role, f"select count(*) from {table}"))[0][0])

    async def all_published(self) -> None:
        async def none_waits() -> bool:
            return await self.count(SPEAKER, "outbox_waiting") == 0

        await wait_until(none_waits, "the relay has published everything", within_s=25)
