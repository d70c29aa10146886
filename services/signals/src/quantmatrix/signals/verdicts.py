"""The table of what bots made of each bar that they looked at: those that led to nothing are kept as well."""

import json
from collections.abc import Mapping
from datetime import date, datetime

import asyncpg

from quantmatrix.common.contracts.asking.runs import VerdictsAsked, VerdictTold
from quantmatrix.common.contracts.signals import Reason
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, InstrumentId, RunId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.bots.gates import Readiness, Verdict
from quantmatrix.signals.domain.judging import Judgement

VERDICTS_ANSWERED_MAX = 500
PAUSED = Verdict(Readiness.BLOCKED, "BOT_NOT_RUNNING", "the run is paused: it enters nothing")


class VerdictStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, run_id: RunId, session: date, at: datetime, told: Mapping[InstrumentId, Judgement], *, paused: bool) -> None:
        """Store the verdicts of a session; of a paused run those that would have bought are not open. The same session twice is one row."""
        await self._connection.executemany(
            """insert into verdict (run_id, instrument_id, session, at, action, score, confidence, temperature, readiness, code, detail, reasons)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing""",
            [(run_id, instrument, session, at, *_columns(one, paused=paused)) for instrument, one in told.items()],
        )

    async def latest(self, asked: VerdictsAsked) -> tuple[VerdictTold, ...]:
        """The latest verdicts of a user's run first."""
        rows = await self._connection.fetch(
            """select v.*, v.reasons::text as told, i.symbol, i.asset_class, i.currency, i.multiplier
               from verdict v join instrument i using (instrument_id) join run r using (run_id)
               where v.run_id = $1 and r.user_id = $2 and ($3::date is null or v.session < $3)
               order by v.session desc, i.symbol limit $4""",
            asked.run_id,
            asked.user_id,
            asked.before,
            max(1, min(asked.limit, VERDICTS_ANSWERED_MAX)),
        )
        return tuple(_told(row) for row in rows)


def _columns(told: Judgement, *, paused: bool) -> tuple[object, ...]:
    opinion, verdict = told.opinion, PAUSED if paused and told.would_buy else told.verdict
    reasons = json.dumps([[reason.code, reason.met, reason.text, reason.weight] for reason in told.reasons])
    figures = opinion.action, opinion.score, opinion.confidence, opinion.temperature
    return (*figures, verdict.readiness, verdict.code, verdict.detail, reasons)


def _told(row: asyncpg.Record) -> VerdictTold:
    instrument = Instrument(
        InstrumentId(row["instrument_id"]), row["symbol"], AssetClass(row["asset_class"]), row["currency"], Quantity(row["multiplier"])
    )
    return VerdictTold(
        instrument=instrument,
        session=row["session"],
        at=row["at"],
        action=row["action"],
        score=row["score"],
        confidence=row["confidence"],
        temperature=row["temperature"],
        readiness=row["readiness"],
        code=row["code"],
        detail=row["detail"],
        reasons=tuple(Reason(*reason) for reason in json.loads(row["told"])),
    )
