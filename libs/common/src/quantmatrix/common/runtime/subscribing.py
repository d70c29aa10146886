"""FastStream subscribes: one durable consumer per stream that a service hears, one subject per question it answers."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import nats.errors
import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, NatsRouter
from faststream.security import SASLPlaintext
from nats.aio.client import Client
from nats.aio.msg import Msg

from quantmatrix.common.contracts.asking.question import BUSY, Problem, Question, Reply
from quantmatrix.common.contracts.codec import MalformedMessageError, decode_as, encode
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Pool, reading
from quantmatrix.common.runtime.delivery import Delivery, Verdict
from quantmatrix.common.runtime.desk import Desk
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn, Refused
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.hearing import Answers, Does
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.outbox import KEY_HEADER, SEQ_HEADER
from quantmatrix.common.runtime.page import origin
from quantmatrix.common.runtime.streams import Hearing

log = structlog.get_logger(__name__)

GIVE_BACK_S = 0.2
GRACEFUL_S = 3.0
RECONNECT_S = 0.2
PING_S = 10.0
PINGS_MAX = 2
"""A server that has not answered so many of them is taken for gone; by default that takes the library six minutes."""


async def _whole(message: NatsMessage) -> NatsMessage:
    """Messages stay as they came: the library's own decoder guesses, and a guess is not a contract."""
    return message


def make_broker(
    *, service: str, url: str, password: str, metrics: Metrics, on_back: Callable[[], None], on_lost_for_good: Callable[[], None]
) -> NatsBroker:
    """A broker that reconnects as long as the library does, reports the server's refusals, and keeps to its own inbox.

    on_lost_for_good: the connection is closed and nothing makes it again, or the server refuses this name and password: the library takes
    most errors that the server tells for an end, and would try this one for ever. It may be called for both.
    """

    async def on_error(error: Exception) -> None:
        metrics.bus_errors.inc()
        log.error("bus.error", error=repr(error))
        if is_refusal(error):
            on_lost_for_good()

    async def on_lost() -> None:
        metrics.bus_connected.set(0)
        log.warning("bus.lost")

    async def on_reconnected() -> None:
        metrics.bus_connected.set(1)
        log.info("bus.back")
        on_back()

    async def on_end() -> None:
        metrics.bus_connected.set(0)
        on_lost_for_good()

    return NatsBroker(
        url,
        security=SASLPlaintext(username=service, password=password),
        inbox_prefix=f"_INBOX.{service}",
        name=f"quantmatrix-{service}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # seconds as a float are taken
        error_cb=on_error,
        disconnected_cb=on_lost,
        reconnected_cb=on_reconnected,
        closed_cb=on_end,
        ping_interval=PING_S,  # type: ignore[arg-type]  # seconds as a float are taken
        max_outstanding_pings=PINGS_MAX,
        allow_reconnect=True,
        graceful_timeout=GRACEFUL_S,
        logger=None,
        apply_types=False,
    )


def is_refusal(error: Exception) -> bool:
    """Whether the bus refuses this name and password."""
    return isinstance(error, nats.errors.AuthorizationError) or "authorization violation" in str(error).lower()


async def let_in(service: str, broker: NatsBroker) -> Client:
    """The connection of a broker. Raises NotLetIn when the bus refuses its name and password."""
    try:
        return await broker.connect()
    except nats.errors.Error as error:
        if is_refusal(error):
            raise NotLetIn(f"the bus does not let {service} in: {error}") from error
        raise


class _Lag:
    """How long the latest message took from the bus to its commit here; worked out when somebody looks, not per message."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: tuple[Msg, datetime] | None = None

    def settled(self, raw: Msg) -> None:
        self._latest = raw, self._clock.now()

    def seconds(self) -> float:
        if self._latest is None:
            return 0.0
        raw, settled_at = self._latest
        return max((settled_at - raw.metadata.timestamp).total_seconds(), 0.0)


def hear_streams(service: str, hearings: tuple[Hearing, ...], desk: Desk, metrics: Metrics, clock: Clock) -> NatsRouter:
    """Every stream this service hears, handed to the desk; acknowledged only after the desk's commit."""
    router = NatsRouter()
    lag = _Lag(clock)
    metrics.lag_seconds.set_function(lag.seconds)
    for hearing in hearings:
        with warnings.catch_warnings():
            # The library warns that a durable push consumer cannot be shared; with a deliver group it can.
            warnings.simplefilter("ignore", RuntimeWarning)
            subscriber = router.subscriber(
                f"{hearing.family}.>",
                queue=service,
                stream=JStream(hearing.stream, declare=False),
                durable=hearing.durable,
                ack_policy=AckPolicy.MANUAL,
                decoder=_whole,
                title=f"{service} hears {hearing.family}",
            )
        hand_in = _hand_in(desk, lag)
        subscriber(_never_called)
        # The library would take each message through its middlewares, parsers and contexts, a fifth of a service's processor time;
        # the desk needs nothing of that. It would also drop what comes between the subscription and its own end of the start.
        subscriber.consume = hand_in  # type: ignore[assignment,method-assign]  # the callback that the library gives to its subscription
    return router


async def _never_called(_: NatsMessage) -> None:
    """A subscriber of the library subscribes only when it has a handler."""
    raise RuntimeError("a stream's messages go to the desk")


def _hand_in(desk: Desk, lag: _Lag) -> Callable[[Msg], Coroutine[Any, Any, None]]:
    """Hand a message to the desk and return at once; the acknowledgement follows the desk's commit, not this call."""

    async def hand_in(raw: Msg) -> None:
        headers = raw.header or {}
        key, seq = headers.get(KEY_HEADER), headers.get(SEQ_HEADER, "")
        numbered = key is not None and seq.isascii() and seq.isdigit()

        async def answer(verdict: Verdict) -> None:
            """An answer that does not get through means another delivery, which the register recognises."""
            try:
                await (raw.ack() if verdict is Verdict.SETTLED else raw.nak(delay=GIVE_BACK_S))
            except TRANSIENT as error:
                log.debug("answer.lost", error=repr(error))
            if verdict is Verdict.SETTLED:
                lag.settled(raw)

        desk.take(Delivery(raw.subject, bytes(raw.data), key if numbered else None, int(seq) if numbered else 0, answer))

    return hand_in


class Answering:
    """Answers questions, and says what was wrong with those it cannot answer."""

    def __init__(self, *, service: str, pool: Pool, desk: Desk, clock: Clock) -> None:
        self._service = service
        self._pool = pool
        self._desk = desk
        self._clock = clock

    def router(self, answers: tuple[Answers[Any], ...], does: tuple[Does[Any], ...]) -> NatsRouter:
        router = NatsRouter()
        for spec in answers:
            self._subscribe(router, spec.question, self._from_view(spec))
        for task in does:
            self._subscribe(router, task.question, self._on_a_page(task))
        return router

    def _subscribe(self, router: NatsRouter, question: type[Question[Any]], respond: Callable[[Any], Awaitable[msgspec.Struct]]) -> None:
        async def answer(message: NatsMessage) -> bytes:
            return encode(await self._reply(question, bytes(message.body), respond))

        subscriber = router.subscriber(
            f"svc.{self._service}.{question.VERB}",
            queue=self._service,
            decoder=_whole,
            title=f"{self._service} answers {question.__name__}",
        )
        subscriber(answer)

    async def _reply(self, question: type[Question[Any]], body: bytes, respond: Callable[[Any], Awaitable[msgspec.Struct]]) -> Reply:
        try:
            asked = decode_as(question, body)
            return Reply(answer=msgspec.Raw(encode(await respond(asked))))
        except MalformedMessageError as error:
            return Reply(problem=Problem("QUESTION_MALFORMED", str(error)))
        except Refused as error:
            return Reply(problem=Problem(error.code, error.detail))
        except asyncpg.DataError as error:  # a number out of range, a NUL in a text: what was asked, and nothing that broke
            log.warning("question.untakeable", question=question.__name__, error=str(error))
            return Reply(problem=Problem("QUESTION_MALFORMED", f"the database does not take a value of this question: {error}"))
        except TRANSIENT as error:
            return Reply(problem=Problem(BUSY, f"{self._service} cannot answer right now: {type(error).__name__}"))
        except Exception as error:
            log.exception("question.failed", question=question.__name__, exc_info=error)
            return Reply(problem=Problem("QUESTION_FAILED", f"{self._service} failed on {question.__name__}; its log has the details"))

    def _from_view(self, spec: Answers[Any]) -> Callable[[Any], Awaitable[msgspec.Struct]]:
        async def respond(asked: Any) -> msgspec.Struct:
            async with reading(self._pool) as connection:
                answer: msgspec.Struct = await spec.handler(asked, connection)
                return answer

        return respond

    def _on_a_page(self, spec: Does[Any]) -> Callable[[Any], Awaitable[msgspec.Struct]]:
        async def respond(asked: Any) -> msgspec.Struct:
            start = origin("asked", fresh_id(), occurred_at=self._clock.now())
            answer: msgspec.Struct = await self._desk.do(lambda page: spec.handler(asked, page), start)
            return answer

        return respond


async def start_patiently(broker: NatsBroker, *, give_up_s: float) -> None:
    """Start subscribers; streams that are not there yet are waited for. Raises TimeoutError after `give_up_s`."""
    async with asyncio.timeout(give_up_s):
        while True:
            try:
                await broker.start()
            except TRANSIENT as error:
                log.info("bus.not_ready", error=repr(error))
            except Exception as error:
                log.info("bus.not_provisioned", error=repr(error))
            else:
                return
            await asyncio.sleep(RECONNECT_S)
