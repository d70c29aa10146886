"""Parked messages: what could not be taken is put aside with its error, and a person decides: replay or drop."""

from collections.abc import Callable
from functools import partial

from quantmatrix.common.contracts.asking.messaging import (
    ParkedAsked,
    ParkedDecided,
    ParkedDecisionAsked,
    ParkedMessage,
    ParkedMessages,
)
from quantmatrix.common.contracts.codec import decode
from quantmatrix.common.contracts.message import NO_ID
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.page import Page, origin

ERROR_LENGTH_MAX = 2_000
EXCERPT_LENGTH_MAX = 400
LISTED_MAX = 500


def storable(text: str) -> str:
    """A text as PostgreSQL can store it: what it cannot is spelled out."""
    return text.replace("\0", r"\x00").encode(errors="backslashreplace").decode()[:ERROR_LENGTH_MAX]


async def park(page: Page, service: str, subject: str, body: bytes, error: str, *, key: str | None = None, seq: int | None = None) -> int:
    """Put a message aside within the page's transaction and say so. Returns the number it is decided under."""
    row = await page.connection.fetchrow(
        "insert into parked (key, seq, subject, payload, error) values ($1, $2, $3, $4, $5) returning id, parked_at",
        key,
        seq,
        subject,
        body,
        storable(error),
    )
    if row is None:
        raise RuntimeError("an insert returned no row")
    if page.cause.message_id == NO_ID:
        page.starting_from(origin("parked", service, row["id"], occurred_at=row["parked_at"]))
    told = MessageParked(
        service=service,
        parked_id=row["id"],
        subject_of_message=subject,
        error=storable(error),
        stopped_key=key,
    )
    page.say(told, identity=(service, row["id"]), occurred_at=row["parked_at"])
    return int(row["id"])


class ParkedDesk:
    """Lists what is parked here, and carries out what a person decided."""

    def __init__(self, service: str, hears: tuple[Hears, ...], on_gap: Callable[[str], None]) -> None:  # type: ignore[type-arg]  # of any message
        self._service = service
        self._hears = {spec.message: spec for spec in hears}
        self._on_gap = on_gap

    async def listed(self, question: ParkedAsked, connection: Connection) -> ParkedMessages:
        rows = await connection.fetch("select * from parked where $1 or state = 'parked' order by id limit $2", question.all, LISTED_MAX)
        return ParkedMessages(
            tuple(
                ParkedMessage(
                    parked_id=row["id"],
                    service=self._service,
                    key=row["key"],
                    seq=row["seq"],
                    subject=row["subject"],
                    error=row["error"],
                    parked_at=row["parked_at"],
                    state=row["state"],
                    excerpt=row["payload"][:EXCERPT_LENGTH_MAX].decode(errors="replace"),
                )
                for row in rows
            )
        )

    async def decide(self, question: ParkedDecisionAsked, page: Page) -> ParkedDecided:
        """Replay runs the handler now, and fails as a whole when it fails; drop goes on without the message.

        Raises Refused for an unknown number, a message that was decided already, or a decision that is neither.
        """
        row = await page.connection.fetchrow("select * from parked where id = $1 for update", question.parked_id)
        if row is None:
            raise Refused("PARKED_UNKNOWN", f"{self._service} has no parked message {question.parked_id}")
        if row["state"] != "parked":
            raise Refused(
                "PARKED_DECIDED",
                f"message {question.parked_id} was {row['state']} at {row['decided_at']:%Y-%m-%d %H:%M:%SZ}",
            )
        if question.decision not in ("replay", "drop"):
            raise Refused("PARKED_DECISION", f"decide 'replay' or 'drop', not {question.decision[:40]!r}")
        state = "dropped"
        if question.decision == "replay":
            await self._replay(row["payload"], page)
            state = "replayed"
        await page.connection.execute(
            "update parked set state = $2, decided_at = clock_timestamp() where id = $1", question.parked_id, state
        )
        for key in page.view.release(question.parked_id):
            page.after_commit(partial(self._on_gap, key))  # what came meanwhile was let pass, and is fetched now
        detail = f"{row['key']} goes on after number {row['seq']}" if row["key"] else "no key stood still for it"
        return ParkedDecided(question.parked_id, state, detail)

    async def _replay(self, body: bytes, page: Page) -> None:
        message = decode(body)
        spec = self._hears.get(type(message))
        if spec is not None:
            page.because_of(message.head)
            await spec.handler(message, page)
