"""Makes the streams and consumers of the table exist, exactly as the table says. The one place that creates them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from quantmatrix.common.runtime.streams import (
    ACK_WAIT_S,
    BY_NAME,
    DUPLICATE_WINDOW_S,
    FAMILIES,
    HEARINGS,
    MIB,
    PENDING_MAX,
    TAKINGS,
    Family,
    Hearing,
    Taking,
)

NO_LIMIT = -1
"""Stated, so that a limit somebody set by hand is taken away again."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a run of provisioning had to do."""

    streams_made: int
    consumers_made: int

    @property
    def anything(self) -> bool:
        return bool(self.streams_made or self.consumers_made)


def stream_config(family: Family) -> StreamConfig:
    """The stream of a family. Facts that move money keep new messages out when full: their outbox holds them meanwhile."""
    return StreamConfig(
        name=family.stream,
        subjects=list(family.subjects),
        retention=RetentionPolicy.WORK_QUEUE if family.work_queue else RetentionPolicy.LIMITS,
        storage=StorageType.MEMORY if family.memory else StorageType.FILE,
        max_age=family.max_age_s,
        max_bytes=family.max_mib * MIB,
        max_msgs=NO_LIMIT,
        discard=DiscardPolicy.NEW if family.keep_new_out_when_full else DiscardPolicy.OLD,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_direct=True,
    )


def consumer_config(hearing: Hearing) -> ConsumerConfig:
    """A durable consumer that never gives a message up by itself: tries are counted by the reader.

    It delivers to a subject of its own, to one process of the service at a time, at most PENDING_MAX messages ahead.
    """
    return ConsumerConfig(
        durable_name=hearing.durable,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=PENDING_MAX,
        filter_subjects=list(hearing.subjects),
        deliver_subject=hearing.delivered_to,
        deliver_group=hearing.service,
    )


def consumer_config_of_taking(taking: Taking) -> ConsumerConfig:
    """A durable consumer that hands each message to whoever asks for one, and to somebody else when it is not heard of for ACK_WAIT_S."""
    return ConsumerConfig(
        durable_name=taking.durable,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=PENDING_MAX,
        filter_subjects=list(BY_NAME[taking.family].subjects),
    )


def consumers() -> list[tuple[str, ConsumerConfig]]:
    """Every consumer of the table with its stream."""
    pushed = [(hearing.stream, consumer_config(hearing)) for hearing in HEARINGS]
    return pushed + [(taking.stream, consumer_config_of_taking(taking)) for taking in TAKINGS]


async def provision(js: JetStreamContext, *, timeout_s: float = 10.0) -> Provisioned:
    """Create what is missing and bring the rest to the table's settings. Running it again changes nothing."""
    made = 0
    async with asyncio.timeout(timeout_s):
        there = {str(one.config.name): one.config for one in await js.streams_info()}
        new = {family.stream for family in FAMILIES} - set(there)
        for family in FAMILIES:
            await _make_stream(js, stream_config(family), there.get(family.stream))
        for stream, wanted in _by_stream().items():
            found = () if stream in new else await js.consumers_info(stream)
            known = {str(one.config.durable_name): one.config for one in found}
            made += await _make_consumers(js, stream, wanted, known)
    return Provisioned(len(new), made)


def _by_stream() -> dict[str, list[ConsumerConfig]]:
    found: dict[str, list[ConsumerConfig]] = {}
    for stream, config in consumers():
        found.setdefault(stream, []).append(config)
    return found


async def _make_stream(js: JetStreamContext, wanted: StreamConfig, found: StreamConfig | None) -> None:
    if found is None:
        await js.add_stream(wanted)
    elif _differs(wanted, found):
        await js.update_stream(wanted)


async def _make_consumers(js: JetStreamContext, stream: str, wanted: Sequence[ConsumerConfig], known: Mapping[str, ConsumerConfig]) -> int:
    """How many were not there."""
    made = 0
    for config in wanted:
        found = known.get(str(config.durable_name))
        if found is None or _differs(config, found):
            await js.add_consumer(stream, config)
        made += found is None
    return made


def _differs(wanted: StreamConfig | ConsumerConfig, found: StreamConfig | ConsumerConfig) -> bool:
    """Whether the server has anything else than what is wanted; what the table leaves open is the server's choice."""
    if _filters(wanted) != _filters(found):
        return True
    told = {field.name: getattr(wanted, field.name) for field in fields(wanted) if field.name != "filter_subjects"}
    return any(value is not None and value != getattr(found, name) for name, value in told.items())


def _filters(config: StreamConfig | ConsumerConfig) -> list[str]:
    """What a consumer is told of; the server writes a single subject in a field of its own."""
    if isinstance(config, StreamConfig):
        return []
    return config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])


async def missing(js: JetStreamContext, *, timeout_s: float = 5.0) -> bool:
    """Whether any stream or consumer of the table is gone."""
    async with asyncio.timeout(timeout_s):
        try:
            for family in FAMILIES:
                await js.stream_info(family.stream)
            for stream, config in consumers():
                await js.consumer_info(stream, str(config.durable_name))
        except NotFoundError:
            return True
    return False


async def purge(js: JetStreamContext) -> None:
    """Delete every stream of the table; the next provisioning makes them anew."""
    for family in FAMILIES:
        try:
            await js.delete_stream(family.stream)
        except NotFoundError:
            continue
