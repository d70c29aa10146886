"""The `parked` family: each service tells of the messages it could not take and put aside for a person to decide."""

from typing import ClassVar

from quantmatrix.common.contracts.message import Message, Token


class MessageParked(Message, frozen=True, kw_only=True, tag="MessageParked"):
    """A message was put aside: where it came from, why, and which key stands still until somebody decides (or none)."""

    OWNER: ClassVar[str] = "*"
    FAMILY: ClassVar[str] = "parked"
    SUBJECT: ClassVar[str] = "parked.{m.service}"
    KEY: ClassVar[str] = "parked.{m.service}"

    service: Token
    parked_id: int
    subject_of_message: str
    error: str
    stopped_key: str | None

    def key(self) -> str:
        return f"{self.service}/parked.{self.service}"
