"""Whether services stand still: everything that was said is heard, and nothing was said meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, OutboxHeadsAsked
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.keys import KeysHeard, keys_heard
from quantmatrix.common.runtime.streams import heard_by

EVERYTHING = (">",)


async def all_is_heard(ask: Ask, services: Sequence[str]) -> bool:
    """Whether each of these services has heard what the others said to it, but for keys that a parked message stops.

    What is said after a service was looked at, by one that hears the next, is a reason to look again: it is not quiet yet.
    """
    try:
        said = await _said(ask, services)
        inboxes = await asyncio.gather(*(ask(service, InboxHeadsAsked()) for service in services))
        if await _said(ask, services) != said:
            return False
    except ServiceSilent:
        return False
    return not any(
        _listens(service).includes(key) and inbox.heads.get(key, 0) < number and key not in inbox.stopped
        for service, inbox in zip(services, inboxes, strict=True)
        for heads in said
        for key, number in heads.items()
    )


async def _said(ask: Ask, services: Sequence[str]) -> list[Mapping[str, int]]:
    answers = await asyncio.gather(*(ask(service, OutboxHeadsAsked(patterns=EVERYTHING)) for service in services))
    return [answer.heads for answer in answers]


@cache
def _listens(service: str) -> KeysHeard:
    return keys_heard(service, heard_by(service))
