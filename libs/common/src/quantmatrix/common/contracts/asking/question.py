"""Questions that one service asks another by request and reply; each names its answer and its verb."""

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

A = TypeVar("A", bound=msgspec.Struct)
BUSY = "SERVICE_BUSY"
"""The code of a problem that passes: ask again."""


class Question(msgspec.Struct, Generic[A], frozen=True, kw_only=True):
    """One question. VERB is the last part of the subject `svc.<service>.<verb>`; ANSWER is what comes back."""

    VERB: ClassVar[str]
    ANSWER: ClassVar[type[Any]]


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer: a stable code, and a sentence that says what to do."""

    code: str
    detail: str


class Reply(msgspec.Struct, frozen=True):
    """What crosses the bus: an answer or a problem."""

    answer: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None
