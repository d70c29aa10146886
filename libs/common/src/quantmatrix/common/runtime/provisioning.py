"""Makes the streams and consumers of the table exist, exactly as the table says. The one place that creates them."""

import asyncio
from dataclasses import dataclass

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
    streams = made = 0
    async with asyncio.timeout(timeout_s):
        for family in FAMILIES:
            streams += await _make_stream(js, family)
        for stream, config in consumers():
            made += await _make_consumer(js, stream, config)
    return Provisioned(streams, made)


async def _make_stream(js: JetStreamContext, family: Family) -> bool:
    try:
        await js.stream_info(family.stream)
    except NotFoundError:
        await js.add_stream(stream_config(family))
        return True
    await js.update_stream(stream_config(family))
    return False


async def _make_consumer(js: JetStreamContext, stream: str, config: ConsumerConfig) -> bool:
    try:
        await js.consumer_info(stream, str(config.durable_name))
    except NotFoundError:
        await js.add_consumer(stream, config)
        return True
    await js.add_consumer(stream, config)
    return False


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
