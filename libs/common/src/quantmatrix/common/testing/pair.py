"""The tiny speaker and the tiny reader of one test, and what the test asks of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quantmatrix.common.contracts.asking.messaging import InboxHeads, InboxHeadsAsked
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.process import ServiceProcess, StartProcess
from quantmatrix.common.testing.tiny import (
    READER,
    SPEAKER,
    ReaderSettings,
    SayAsked,
    SpeakerSettings,
    serve_hearing,
    serve_reader,
    serve_speaker,
)
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until

_BESIDE = """
with said as (update outbox_key set seq = seq + 1 where key = $1 returning key, seq, gen_random_uuid() as fresh),
stored as (
    insert into outbox (key, seq, family, subject, type, message_id, trace, occurred_at, payload)
    select s.key, s.seq, family, subject, type, fresh, trace, occurred_at, convert_to(replace(replace(
        convert_from(payload, 'UTF8'), format('"quantity":"%s"', s.seq - 1), format('"quantity":"%s"', s.seq)),
        message_id::text, fresh::text), 'UTF8')
    from said s join outbox o on o.key = s.key and o.seq = s.seq - 1 returning id
)
insert into outbox_waiting select id from stored
"""


class Rows(Protocol):
    """A database that can be asked under a role."""

    async def fetch(self, role: str, query: str, *arguments: object) -> Sequence[Any]: ...
    async def connect(self, role: str) -> Own: ...


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

    async def reader(self, *heard: Hears[Any], **told: Any) -> None:
        """heard: in the place of what it hears otherwise."""
        serve = serve_hearing(*heard) if heard else serve_reader
        await self.here(READER, serve=serve, settings=ReaderSettings, **told)
        await self.up(READER)

    async def speaker_process(self, **environment: str) -> ServiceProcess:
        return await self.process(SPEAKER, module="quantmatrix.common.testing.tiny speaker", **environment)

    async def reader_process(self, **environment: str) -> ServiceProcess:
        return await self.process(READER, module="quantmatrix.common.testing.tiny reader", **environment)

    async def up(self, service: str) -> InboxHeads:
        """Wait until a service answers."""

        async def answer() -> InboxHeads | None:
            try:
                return await self.ask(service, InboxHeadsAsked(), deadline_s=5)
            except (ServiceSilent, Refused):
                return None

        found = await wait_until(answer, f"{service} answers")
        assert found is not None
        return found

    async def say(self, *accounts: str, **asked: Any) -> None:
        """Say fills; asked again until it is known that they were said."""

        async def attempt() -> bool:
            try:
                await self.ask(SPEAKER, SayAsked(accounts=accounts, **asked), deadline_s=10)
            except (ServiceSilent, Refused):
                return False
            return True

        await wait_until(attempt, "the speaker says it")

    async def say_beside(self, account: str, *, connection: Own | None = None) -> None:
        """Say the next fill of an account without the speaker, as a transaction of another process would; the connection's, if given."""
        key = f"{SPEAKER}/fills.{account}"
        await (connection.execute(_BESIDE, key) if connection else self.database.fetch(SPEAKER, _BESIDE, key))

    async def booked(self, account: str) -> list[int]:
        """The numbers booked for an account, in the order they were booked."""
        rows = await self.database.fetch(READER, "select number from tiny_booked where account_id = $1 order by place", account)
        return [row["number"] for row in rows]

    async def all_booked(self, account: str, count: int, *, within_s: float = WITHIN_S) -> list[int]:
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

        await wait_until(none_waits, "the relay has published everything")
