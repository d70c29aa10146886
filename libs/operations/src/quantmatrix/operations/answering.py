"""What the supervisor answers on the bus: a person who asks in the console may begin the replay anew."""

import asyncio

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from quantmatrix.common.contracts.asking.question import Problem, Reply
from quantmatrix.common.contracts.asking.supervisor import SUPERVISOR, RestartReplayAsked, RestartTaken
from quantmatrix.common.contracts.codec import MalformedMessageError, decode_as, encode
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.places import SetUpError
from quantmatrix.operations.schemas import refuse_unless_paper
from quantmatrix.operations.supervisor import Supervisor

log = structlog.get_logger(__name__)


class SupervisorAnswers:
    """Takes RestartReplayAsked, answers at once, and does it afterwards: the asker is restarted as well."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._wanted = asyncio.Event()
        self._client: Client | None = None

    async def start(self) -> None:
        supervisor = self._supervisor
        self._client = await connect(supervisor.nats.url, OPERATOR_USER, supervisor.secrets.nats[OPERATOR_USER], max_reconnect_attempts=-1)
        await self._client.subscribe(f"svc.{SUPERVISOR}.{RestartReplayAsked.VERB}", cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        try:
            asked = decode_as(RestartReplayAsked, message.data)
            await refuse_unless_paper(self._supervisor.postgres.superuser_url())
        except MalformedMessageError as error:
            reply = Reply(problem=Problem("QUESTION_MALFORMED", str(error)))
        except SetUpError as error:
            reply = Reply(problem=Problem("NOT_PAPER", str(error)))
        else:
            log.info("replay.restart", asked_by=asked.asked_by)
            reply = Reply(answer=msgspec.Raw(encode(RestartTaken(taken=True))))
            self._wanted.set()
        await message.respond(encode(reply))

    async def work(self) -> None:
        """Restart the replay whenever it was asked for, until cancelled."""
        while True:
            await self._wanted.wait()
            if self._client is not None:
                await self._client.flush()
            self._wanted.clear()
            await self._supervisor.restart_replay()

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
