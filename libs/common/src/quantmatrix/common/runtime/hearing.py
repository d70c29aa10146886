"""What a service's `bus.py` is written in: which message goes to which handler, and which question to which answer."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.page import Page

M = TypeVar("M", bound=Message)
A = TypeVar("A", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Hears(Generic[M]):
    """A message and its handler.

    when: whether everything the message builds on has been heard; until then it waits. patience_s: how long it may wait
    for company, so that one transaction serves several messages; whatever is handled sooner takes it along. It is a
    matter of speed only, so it may be worked out from what the process happens to remember.
    """

    message: type[M]
    handler: Callable[[M, Page], Awaitable[None]]
    when: Callable[[M, Page], Awaitable[bool]] | None = None
    patience_s: float | Callable[[], float] = 0.0

    def patience(self) -> float:
        return self.patience_s if isinstance(self.patience_s, float) else self.patience_s()


@dataclass(frozen=True, slots=True)
class Answers(Generic[A]):
    """A question and the function that answers it from a read-only view."""

    question: type[Question[A]]
    handler: Callable[[Any, Connection], Awaitable[A]]


@dataclass(frozen=True, slots=True)
class Does(Generic[A]):
    """A question that changes something: its handler works on a page of its own."""

    question: type[Question[A]]
    handler: Callable[[Any, Page], Awaitable[A]]


@dataclass(frozen=True, slots=True)
class Bus:
    """The whole face of a service towards NATS.

    lets_past: messages that come with those it hears, because they share a key or a subject, and that nothing is done about;
    their numbers and the moments of their watermarks count all the same. doors: what takes requests from elsewhere; at the end they
    close first, while everything that a request under way needs still works.
    """

    hears: tuple[Hears[Any], ...] = ()
    lets_past: tuple[type[Message], ...] = ()
    answers: tuple[Answers[Any], ...] = ()
    does: tuple[Does[Any], ...] = ()
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = field(default=())
    doors: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = field(default=())
