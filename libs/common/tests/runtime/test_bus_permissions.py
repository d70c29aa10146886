"""The bus refuses what a service has no business with; tried under every user against a real server."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from quantmatrix.common.runtime.permissions import OPERATOR_USER, PROVISION_USER, WORKER_USER
from quantmatrix.common.runtime.streams import FAMILIES, HEARINGS, SERVICES, Family, asked_by
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshBus

OTHERS = (*SERVICES, PROVISION_USER, OPERATOR_USER)
every_service = pytest.mark.parametrize("service", SERVICES)
PAIRS = [(one, other) for one in SERVICES for other in OTHERS if one != other]


@dataclass
class Attempts:
    """A connection, and what the server refused to it."""

    client: Client
    refused: list[str] = field(default_factory=list)

    async def publish(self, subject: str, body: bytes = b"forged") -> bool:
        """Whether the server lets this user publish there."""
        return await self._allowed(lambda: self.client.publish(subject, body))

    async def subscribe(self, subject: str) -> bool:
        """Whether the server lets this user listen there."""
        return await self._allowed(lambda: self.client.subscribe(subject))

    async def _allowed(self, attempt: Callable[[], Awaitable[object]]) -> bool:
        self.refused.clear()
        await attempt()
        for _ in range(2):  # the client's first ping overtakes what it still has to write; a refusal comes before the second pong
            await self.client.flush()
        return not self.refused


Under = Callable[[str], Awaitable[Attempts]]


@pytest.fixture
async def attempts(bus: FreshBus) -> AsyncIterator[Under]:
    async def under(user: str) -> Attempts:
        refused: list[str] = []

        async def on_error(error: Exception) -> None:
            refused.append(str(error))

        return Attempts(await bus.connect(user, error_cb=on_error), refused)

    yield under


async def _stored(bus: FreshBus) -> dict[str, int]:
    """Messages per stream."""
    js = (await bus.connect(PROVISION_USER)).jetstream()
    return {family.stream: (await js.stream_info(family.stream)).state.messages for family in FAMILIES}


async def test_portfolio_cannot_publish_an_order(bus: FreshBus, attempts: Under) -> None:
    portfolio = await attempts("portfolio")

    assert not await portfolio.publish("orders.submitted.PAPER-1")
    assert 'permissions violation for publish to "orders.submitted.paper-1"' in portfolio.refused[0].lower()
    assert (await _stored(bus))["ORDERS"] == 0


async def test_only_execution_can_publish_fills(bus: FreshBus, attempts: Under) -> None:
    allowed = [user for user in OTHERS if await (await attempts(user)).publish("fills.filled.PAPER-1")]

    assert allowed == ["execution"]
    assert (await _stored(bus))["FILLS"] == 1


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_family_is_published_by_its_owners_alone(bus: FreshBus, attempts: Under, family: Family) -> None:
    for service in OTHERS:
        own = f"parked.{service}" if family.name == "parked" else f"{family.name}.forged.x"
        assert await (await attempts(service)).publish(own) == (service in family.publishers), service


async def test_nobody_tells_of_parked_messages_in_anothers_name(attempts: Under) -> None:
    for service, other in PAIRS:
        assert not await (await attempts(service)).publish(f"parked.{other}"), (service, other)


async def test_nobody_listens_to_anothers_inbox_questions_or_deliveries(attempts: Under) -> None:
    for service in SERVICES:
        user = await attempts(service)
        foreign = [f"{prefix}.{other}.>" for other in OTHERS if other != service for prefix in ("_INBOX", "svc", "deliver")]
        everything = [">", "*", "_INBOX.>", "_INBOX.*", "svc.>", "deliver.>", "fills.>", "commands.>", "$JS.>", "$SYS.>"]
        assert [subject for subject in foreign + everything if await user.subscribe(subject)] == [], service


async def test_what_was_meant_for_one_inbox_reaches_no_other(bus: FreshBus, attempts: Under) -> None:
    """Also through a wildcard that the server might cut down to what is allowed."""
    spy, execution, operator = await attempts("signals"), await attempts("execution"), await attempts(OPERATOR_USER)
    caught: list[bytes] = []

    async def keep(message: Msg) -> None:
        caught.append(message.data)

    async def answer(message: Msg) -> None:
        await message.respond(b"for the operator only")

    for subject in (">", "_INBOX.>", f"_INBOX.{OPERATOR_USER}.>", "svc.execution.>"):
        await spy.client.subscribe(subject, cb=keep)
    await spy.client.flush()
    await execution.client.subscribe("svc.execution.test", cb=answer)

    async def answered() -> bytes | None:
        try:  # a flush of this client's may overtake what it flushes: until then nobody listens
            return bytes((await operator.client.request("svc.execution.test", b"", timeout=60)).data)
        except nats.errors.NoRespondersError:
            return None

    assert await wait_until(answered, "execution listens") == b"for the operator only"
    await spy.client.flush()
    assert caught == []


@every_service
async def test_a_service_asks_those_it_has_to_do_with_and_nobody_else(attempts: Under, service: str) -> None:
    user = await attempts(service)

    asked = {other for other in SERVICES if other != service and await user.publish(f"svc.{other}.anything")}

    assert asked == set(asked_by(service)) - {service}


@every_service
async def test_a_service_makes_changes_and_deletes_no_stream_and_no_consumer(bus: FreshBus, attempts: Under, service: str) -> None:
    user = await attempts(service)
    calls = ["STREAM.CREATE.X", "CONSUMER.CREATE.FILLS", "CONSUMER.DURABLE.CREATE.FILLS.spy"]
    for family in FAMILIES:
        calls += [f"STREAM.{verb}.{family.stream}" for verb in ("UPDATE", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT")]
        calls.append(f"DIRECT.GET.{family.stream}")
    calls += [f"CONSUMER.{verb}.{h.stream}.{h.durable}" for h in HEARINGS for verb in ("DELETE", "PAUSE")]

    assert [call for call in calls if await user.publish(f"$JS.API.{call}", b"")] == []
    assert set(await _stored(bus)) == {family.stream for family in FAMILIES}


async def test_nobody_acknowledges_for_another(attempts: Under) -> None:
    for service in SERVICES:
        user = await attempts(service)
        foreign = [f"$JS.ACK.{h.stream}.{h.durable}.1.1.1.1.1" for h in HEARINGS if h.service != service]
        assert [subject for subject in foreign if await user.publish(subject, b"+ACK")] == [], service


async def test_a_worker_takes_jobs_tells_what_came_of_them_and_nothing_else(bus: FreshBus, attempts: Under) -> None:
    worker = await attempts(WORKER_USER)
    asks = ("job_beat", "job_data", "job_done")

    assert [verb for verb in asks if not await worker.publish(f"svc.signals.{verb}", b"{}")] == []
    others = [f"svc.{service}.{verb}" for service in SERVICES for verb in ("books", "outbox.read", "backtest_wanted", *asks)]
    foreign = [subject for subject in others if subject not in {f"svc.signals.{verb}" for verb in asks}]
    foreign += [f"{family.name}.job.1" for family in FAMILIES] + ["work.job.1", "parked.worker", "$JS.ACK.FILLS.portfolio.1.1.1.1.1"]
    foreign += [
        f"$JS.API.{call}" for call in ("STREAM.INFO.WORK", "STREAM.PURGE.WORK", "STREAM.MSG.GET.WORK", "CONSUMER.DELETE.WORK.worker")
    ]
    foreign += [f"$JS.API.CONSUMER.MSG.NEXT.{hearing.stream}.{hearing.durable}" for hearing in HEARINGS]
    assert [subject for subject in foreign if await worker.publish(subject)] == []
    heard = [">", "work.>", "svc.>", "prices.>", "deliver.>", *(f"_INBOX.{other}.>" for other in OTHERS)]
    assert [subject for subject in heard if await worker.subscribe(subject)] == []
    await (await bus.connect("signals")).jetstream().publish("work.job.1", b"a job")
    queue = await worker.client.jetstream().pull_subscribe_bind(WORKER_USER, "WORK")
    message = (await queue.fetch(1, timeout=60))[0]
    await message.ack_sync(timeout=60)
    assert (message.data, (await _stored(bus))["WORK"]) == (b"a job", 0)


async def test_the_provisioner_moves_no_money_and_the_operator_only_asks(attempts: Under) -> None:
    for user in (await attempts(PROVISION_USER), await attempts(OPERATOR_USER)):
        assert [f.name for f in FAMILIES if await user.publish(f"{f.name}.forged")] == []
    operator = await attempts(OPERATOR_USER)
    assert not await operator.publish("$JS.API.STREAM.DELETE.FILLS", b"")
    assert await operator.publish("svc.execution.books", b"{}")


@pytest.mark.parametrize(
    "login", [{}, {"user": "execution"}, {"user": "execution", "password": "guessed"}, {"user": "nobody", "password": "x"}]
)
async def test_without_the_right_password_there_is_no_connection(bus: FreshBus, login: dict[str, str]) -> None:
    refusals: list[str] = []

    async def on_error(error: Exception) -> None:
        refusals.append(str(error).lower())

    with pytest.raises((nats.errors.Error, OSError)):
        await nats.connect(bus.url, allow_reconnect=False, max_reconnect_attempts=1, connect_timeout=2, error_cb=on_error, **login)

    assert any("authorization" in refusal for refusal in refusals)


async def test_the_right_user_hears_and_acknowledges_what_the_table_gives_it(bus: FreshBus) -> None:
    """The refusals above would prove little if nothing was allowed."""
    js = (await bus.connect("execution")).jetstream()
    reader = await bus.connect("portfolio")
    subscription = await reader.subscribe("deliver.portfolio.FILLS", queue="portfolio")
    await reader.flush()

    ack = await js.publish("fills.filled.PAPER-1", json.dumps({"n": 1}).encode(), stream="FILLS", headers={"Nats-Msg-Id": "1"})
    message = await subscription.next_msg(timeout=60)
    await message.ack_sync(timeout=60)

    assert (ack.seq, message.data) == (1, b'{"n": 1}')
