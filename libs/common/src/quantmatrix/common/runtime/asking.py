"""Asking another service, with a deadline."""

from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import ConnectionClosedError, NoRespondersError, OutboundBufferLimitError
from nats.errors import TimeoutError as BusTimeoutError

from quantmatrix.common.contracts.asking.question import BUSY, Question, Reply
from quantmatrix.common.contracts.codec import decode_as, encode
from quantmatrix.common.runtime.errors import Refused, TryLater

A = TypeVar("A", bound=msgspec.Struct)
DEADLINE_S = 2.0


class ServiceSilent(TryLater):
    """A service did not answer in time, or nobody of it is there."""

    def __init__(self, service: str, verb: str, reason: str) -> None:
        super().__init__(f"{service} does not answer ({verb}: {reason})")
        self.service = service


class Ask:
    """Puts questions to services over the bus. deadline_s: how long an answer may take unless a question says otherwise."""

    def __init__(self, client: Client, *, deadline_s: float = DEADLINE_S) -> None:
        self._client = client
        self._deadline_s = deadline_s

    async def __call__(self, service: str, question: Question[A], *, deadline_s: float | None = None) -> A:
        """The answer. Raises ServiceSilent when none comes in time, Refused when the service says no."""
        deadline_s = self._deadline_s if deadline_s is None else deadline_s
        subject = f"svc.{service}.{question.VERB}"
        try:
            message = await self._client.request(subject, encode(question), timeout=deadline_s)
        except NoRespondersError as error:
            raise ServiceSilent(service, question.VERB, "nobody is listening") from error
        except BusTimeoutError as error:
            raise ServiceSilent(service, question.VERB, f"no answer within {deadline_s:g} s") from error
        except (ConnectionClosedError, OutboundBufferLimitError) as error:
            raise ServiceSilent(service, question.VERB, "the bus is away") from error
        reply = decode_as(Reply, message.data)
        if reply.problem is not None and reply.problem.code == BUSY:
            raise ServiceSilent(service, question.VERB, reply.problem.detail)
        if reply.problem is not None:
            raise Refused(reply.problem.code, reply.problem.detail)
        answer: A = decode_as(question.ANSWER, bytes(reply.answer))
        return answer
