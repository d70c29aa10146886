"""A fresh replay from start to end, as fast as it goes, with whatever disturbance is wanted; and the ledger's digest."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, OutboxHeadsAsked
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.keys import keys_heard
from quantmatrix.common.runtime.streams import SERVICES, heard_by
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.operations.chaos import Killer
from quantmatrix.operations.checking import Check, check
from quantmatrix.operations.client import NotRunningError, StalledError, asking_at
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.supervisor import Plan, Progress, Supervisor

LEDGER_SERVICES = ("signals", "execution", "portfolio", "notify")
LOOK_S = 0.25
STALLED_S = 60.0
DEADLINE_S = 20.0
Watch = Callable[[ReplayStatus], None]


def _unwatched(_: ReplayStatus) -> None:
    return


def _unsaid(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Options:
    """What to replay, and with which services. Dates as YYYY-MM-DD; empty for all there is."""

    symbols: str = ""
    first: str = ""
    last: str = ""
    services: tuple[str, ...] = SERVICES
    environment: dict[str, str] = field(default_factory=dict)

    def as_environment(self) -> dict[str, str]:
        told = {"QM_MARKET_REPLAY_PACE_S": "0", "QM_LOG_LEVEL": "WARNING"}
        for name, value in (("SYMBOLS", self.symbols), ("FROM", self.first), ("TO", self.last)):
            if value:
                told[f"QM_MARKET_REPLAY_{name}"] = value
        return told | self.environment


@dataclass(slots=True)
class Result:
    """What a replay came to. Money as decimal strings."""

    bars: int
    counts: dict[str, int]
    amounts: dict[str, str]
    restarts: int
    seconds: float
    ledger_digest: str
    parts: dict[str, str]
    kills: int = 0
    kills_by_victim: dict[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def lost_fills(self) -> int:
        """Executions of the venue that the lots do not know."""
        return self.counts.get("venue_executions", 0) - self.counts.get("fills_booked", 0)

    @property
    def sound(self) -> bool:
        """Nothing doubled, nothing lost, and the books agree."""
        doubled = self.counts.get("duplicate_orders", 0) + self.counts.get("duplicate_notifications", 0)
        return not doubled and not self.lost_fills and all(one.ok for one in self.checks)

    def as_json(self) -> dict[str, object]:
        counts = self.counts
        return {
            "bars": self.bars,
            "signals": counts.get("signals", 0),
            "orders": counts.get("orders", 0),
            "denied": counts.get("denied", 0),
            "rejected": counts.get("rejected", 0),
            "unknown": counts.get("unknown", 0),
            "fills": counts.get("fills", 0),
            "closings": counts.get("closings", 0),
            "lots_open": counts.get("lots_open", 0),
            "corporate_actions": counts.get("corporate_actions", 0),
            "cash": self.amounts.get("cash"),
            "equity": self.amounts.get("equity"),
            "realised_pnl": self.amounts.get("realised_pnl"),
            "notifications": counts.get("notifications", 0),
            "duplicate_notifications": counts.get("duplicate_notifications", 0),
            "venue_orders": counts.get("venue_orders", 0),
            "duplicate_orders": counts.get("duplicate_orders", 0),
            "lost_fills": self.lost_fills,
            "books_agree": all(one.ok for one in self.checks),
            "kills": self.kills,
            "kills_by_victim": self.kills_by_victim,
            "restarts": self.restarts,
            "seconds": round(self.seconds, 1),
            "ledger_digest": self.ledger_digest,
            "digest_parts": self.parts,
        }


@dataclass(slots=True)
class Replayed:
    """A finished replay whose services still run."""

    result: Result
    supervisor: Supervisor
    ask: Ask


@asynccontextmanager
async def replayed(
    places: Places,
    options: Options,
    *,
    on_status: Watch = _unwatched,
    say: Progress = _unsaid,
    disturb: Killer | None = None,
) -> AsyncIterator[Replayed]:
    """Replay to the end on a data folder; everything is stopped afterwards. Raises SetUpError or StalledError.

    A folder that has seen a part of the replay goes on from there.
    """
    supervisor = Supervisor(places, Plan(services=options.services, environment=options.as_environment()), say)
    await supervisor.start()
    disturbing = asyncio.ensure_future(disturb(supervisor)) if disturb is not None else None
    started = time.monotonic()
    try:
        async with asking_at(places) as ask:
            await until_finished(ask, supervisor, on_status)
            await ended([disturbing] if disturbing is not None else ())
            seconds = time.monotonic() - started
            await until_drained(ask, options.services)
            result = await result_of(ask, supervisor.restarts, seconds)
            if disturb is not None:
                result.kills, result.kills_by_victim = disturb.kills.total, dict(disturb.kills.by_victim)
            yield Replayed(result, supervisor, ask)
    finally:
        await ended([disturbing] if disturbing is not None else ())
        await supervisor.stop()


async def run_demo(
    places: Places,
    options: Options,
    *,
    on_status: Watch = _unwatched,
    say: Progress = _unsaid,
    disturb: Killer | None = None,
) -> Result:
    """Replay to the end on a data folder and stop again. Raises SetUpError or StalledError."""
    async with replayed(places, options, on_status=on_status, say=say, disturb=disturb) as finished:
        return finished.result


async def until_finished(ask: Ask, supervisor: Supervisor, on_status: Watch = _unwatched) -> None:
    """Wait until the last session is settled everywhere. Raises StalledError when nothing moves for a minute."""
    await until_replay(ask, supervisor, lambda status: status.state == "finished" and status.settled == status.session, on_status)


async def until_replay(ask: Ask, supervisor: Supervisor, reached: Callable[[ReplayStatus], bool], on_status: Watch = _unwatched) -> None:
    """Wait until the replay has come somewhere. Raises StalledError when nothing moves for a minute."""
    moved, last = time.monotonic(), None
    while True:
        if supervisor.failed.is_set():
            raise SetUpError(supervisor.failure)
        try:
            status = await ask("market", ReplayStatusAsked())
        except TRANSIENT:
            status = None
        if status is not None:
            on_status(status)
            if status.session != last:
                moved, last = time.monotonic(), status.session
            if reached(status):
                return
        if time.monotonic() - moved > STALLED_S:
            raise StalledError(f"the replay has not moved from {last} for {STALLED_S:g} s; see the logs in {supervisor.places.logs}")
        await asyncio.sleep(LOOK_S)


async def until_drained(ask: Ask, services: Sequence[str] = SERVICES) -> None:
    """Wait until every service has heard everything that was said to it. Raises StalledError after a minute."""
    began = time.monotonic()
    while True:
        behind = await _behind(ask, services)
        if not behind:
            return
        if time.monotonic() - began > STALLED_S:
            raise StalledError(f"not everything was heard: {', '.join(sorted(behind)[:5])}")
        await asyncio.sleep(LOOK_S)


async def _behind(ask: Ask, services: Sequence[str]) -> set[str]:
    behind = set()
    for service in services:
        heard = keys_heard(service, heard_by(service))
        try:
            inbox = await ask(service, InboxHeadsAsked(), deadline_s=DEADLINE_S)
            for owner, patterns in heard.by_owner.items():
                if owner not in services:
                    continue
                said = await ask(owner, OutboxHeadsAsked(patterns=patterns), deadline_s=DEADLINE_S)
                behind |= {
                    f"{service}:{key}" for key, seq in said.heads.items() if inbox.heads.get(key, 0) < seq and key not in inbox.stopped
                }
        except TRANSIENT:
            behind.add(f"{service} does not answer")
    return behind


async def result_of(ask: Ask, restarts: int, seconds: float) -> Result:
    """Ask every service that keeps a part of the ledger, and put the parts together."""
    answers: dict[str, LedgerDigest] = {}
    for service in LEDGER_SERVICES:
        answers[service] = await _patiently(ask, service)
    status = await ask("market", ReplayStatusAsked(), deadline_s=DEADLINE_S)
    parts = {service: answer.digest for service, answer in answers.items()}
    counts: dict[str, int] = {}
    amounts: dict[str, str] = {}
    for answer in answers.values():
        counts |= answer.counts
        amounts |= answer.amounts
    whole = hashlib.sha256("\n".join(f"{service} {parts[service]}" for service in LEDGER_SERVICES).encode()).hexdigest()
    return Result(status.bars_published, counts, amounts, restarts, seconds, whole, parts, checks=tuple(await check(ask)))


async def _patiently(ask: Ask, service: str) -> LedgerDigest:
    for _ in range(40):
        try:
            return await ask(service, LedgerDigestAsked(), deadline_s=DEADLINE_S)
        except TRANSIENT:
            await asyncio.sleep(LOOK_S)
    raise NotRunningError(f"{service} does not answer")
