"""How the services are: who answers, how fast, how far each has heard, what stands still."""

import asyncio

import msgspec

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, OutboxHeadsAsked, ParkedAsked, ParkedMessage
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.keys import keys_heard
from quantmatrix.common.runtime.streams import SERVICES, heard_by

DEADLINE_S = 1.0
EVERYTHING = (">",)


class ServiceState(msgspec.Struct, frozen=True):
    """One service. behind: messages said to it that it has not settled; null while an owner is silent."""

    service: str
    answers: bool
    took_ms: float | None
    said: int
    heard: int
    behind: int | None
    stopped: tuple[str, ...]


class ServiceStates(msgspec.Struct, frozen=True):
    """Every service, in the order of the flow."""

    services: tuple[ServiceState, ...]


class _Told(msgspec.Struct, frozen=True):
    took_ms: float
    said: dict[str, int]
    heard: dict[str, int]
    stopped: tuple[str, ...]


async def service_states(ask: Ask, clock: Clock) -> ServiceStates:
    """Ask every service at once; a silent one is part of the answer."""
    told = dict(zip(SERVICES, await asyncio.gather(*(_told(ask, clock, service) for service in SERVICES)), strict=True))
    return ServiceStates(tuple(_state(service, told) for service in SERVICES))


async def _told(ask: Ask, clock: Clock, service: str) -> _Told | None:
    started = clock.monotonic()
    try:
        inbox, outbox = await asyncio.gather(
            ask(service, InboxHeadsAsked(), deadline_s=DEADLINE_S),
            ask(service, OutboxHeadsAsked(patterns=EVERYTHING), deadline_s=DEADLINE_S),
        )
    except (ServiceSilent, Refused):
        return None
    return _Told(round((clock.monotonic() - started) * 1e3, 1), outbox.heads, inbox.heads, inbox.stopped)


def _state(service: str, told: dict[str, _Told | None]) -> ServiceState:
    own = told[service]
    if own is None:
        return ServiceState(service, False, None, 0, 0, None, ())
    heard = keys_heard(service, heard_by(service))
    owners = [told[owner] for owner in heard.by_owner]
    behind = sum(
        max(0, seq - own.heard.get(key, 0))
        for owner in owners
        if owner is not None
        for key, seq in owner.said.items()
        if heard.includes(key) and key not in own.stopped
    )
    known = all(owner is not None for owner in owners)
    return ServiceState(service, True, own.took_ms, sum(own.said.values()), sum(own.heard.values()), behind if known else None, own.stopped)


class ParkedEverywhere(msgspec.Struct, frozen=True):
    """Messages that wait for a decision, by service; `silent` services could not be asked."""

    messages: tuple[ParkedMessage, ...]
    silent: tuple[str, ...]


async def parked_everywhere(ask: Ask) -> ParkedEverywhere:
    async def of(service: str) -> tuple[ParkedMessage, ...] | None:
        try:
            return (await ask(service, ParkedAsked(), deadline_s=DEADLINE_S)).messages
        except (ServiceSilent, Refused):
            return None

    found = dict(zip(SERVICES, await asyncio.gather(*(of(service) for service in SERVICES)), strict=True))
    return ParkedEverywhere(
        tuple(one for messages in found.values() if messages for one in messages),
        tuple(service for service, messages in found.items() if messages is None),
    )
