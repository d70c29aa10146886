"""Signals' tables of backtests: begun, heard of, and ended once, with everything that came of them in one transaction."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import polars as pl

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.stored.code import Code
from quantmatrix.signals.stored.wanted import Wanted, read_wanted

LISTED_MAX = 200
RESUMABLE_DAYS = 7
"""How long the bars of a sweep are kept that ended without being done; until then it can go on on the same ones."""
SILENT_S = 120
"""A backtest at work is heard of at least this often, in seconds; after that whoever worked on it is gone."""
_ROW = """backtest_id, kind, strategy, asked::text as asked, done, total, code_digest, code_revision, data_digest, digest, trades_digest,
figures::text as figures, error, created_at, started_at, ended_at, by_service, tries,
case when state <> 'running' or beat_at >= $1 then state when by_service then 'queued' else 'failed' end as state,
state = 'running' and not by_service and beat_at < $1 as is_lost"""
_LOCK = "select pg_try_advisory_lock(hashtext('backtest ' || $1::bigint), hashtext(current_schema()))"
_UNLOCK = "select pg_advisory_unlock(hashtext('backtest ' || $1::bigint), hashtext(current_schema()))"
LOST = "the process that worked on it ended before it was finished; run it again"


@dataclass(frozen=True, slots=True)
class Backtest:
    """A stored backtest without its tables. figures: those of its record, or of a sweep as a whole; None before it is done.

    by_service: whether the service works on it, and not the command that was given; tries: how often the service began to.
    """

    backtest_id: int
    wanted: Wanted
    state: str
    done: int
    total: int
    code: Code
    data_digest: str | None
    digest: str | None
    trades_digest: str | None
    figures: dict[str, Any] | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    by_service: bool = False
    tries: int = 0

    def left_s(self, at: datetime) -> float | None:
        """Seconds that are left if it goes on as it went so far; None while nothing can be told."""
        if self.state != "running" or self.started_at is None or not 0 < self.done <= self.total:
            return None
        return (at - self.started_at).total_seconds() / self.done * (self.total - self.done)


class BacktestStore:
    """Reads and writes on one connection. Times are handed in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(
        self, user_id: UserId, wanted: Wanted, code: Code, at: datetime, *, data_digest: str | None = None, asked_by: UUID | None = None
    ) -> int | None:
        """A backtest that is about to be worked on, or waits for it when a command asked; None when this command asked before."""
        found: int | None = await self._connection.fetchval(
            """insert into backtest (user_id, asked_by, kind, strategy, asked, state, code_digest, code_revision, data_digest, created_at,
                   beat_at, started_at, by_service)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, case when $6 = 'running' then $10::timestamptz end, $6 = 'queued')
               on conflict (asked_by) do nothing returning backtest_id""",
            user_id, asked_by, wanted.kind, wanted.strategy, wanted.stored(), "queued" if asked_by else "running", code.digest,
            code.revision, data_digest, at,
        )  # fmt: skip
        return found

    async def hand_over(self, backtest_id: int, pieces: Sequence[bytes]) -> None:
        """Let the service work on it from now on, on these bars; what is finished of it stays."""
        async with self._connection.transaction():
            await self._connection.execute("delete from backtest_data where backtest_id = $1", backtest_id)
            await self.keep_data(backtest_id, pieces)
            await self._connection.execute(
                """update backtest set state = 'queued', started_at = null, by_service = true, tries = 0
                   where backtest_id = $1 and state = 'running' and not by_service""",
                backtest_id,
            )

    async def beat(self, backtest_id: int, done: int, total: int, at: datetime) -> bool:
        """Say how far it is. False when it is not to go on: somebody cancelled it."""
        return bool(
            await self._connection.fetchval(
                "update backtest set done = $2, total = $3, beat_at = $4 where backtest_id = $1 and state = 'running' returning true",
                backtest_id, done, total, at,
            )
        )  # fmt: skip

    async def finish(self, backtest_id: int, record: Record, at: datetime) -> bool:
        """Store figures and tables, all or nothing. False when it was ended before."""
        async with self._connection.transaction():
            ended = await self._connection.fetchval(
                """update backtest set state = 'done', digest = $2, trades_digest = $3, data_digest = $4, figures = $5, beat_at = $6,
                   ended_at = $6 where backtest_id = $1 and state = 'running' returning true""",
                backtest_id, record.figures["digest"], record.figures.get("trades_digest"), record.figures["data_digest"],
                json.dumps(dict(record.figures)), at,
            )  # fmt: skip
            if ended:
                rows = [(backtest_id, name, frame.height, packed(frame)) for name, frame in record.tables.items()]
                await self._connection.executemany("insert into backtest_table values ($1, $2, $3, $4)", rows)
        return bool(ended)

    async def fail(self, backtest_id: int, error: str, at: datetime) -> None:
        """End it with the sentence that says what went wrong and where. What was ended before stays as it is."""
        await self._end(backtest_id, "failed", error, at)

    async def cancel(self, backtest_id: int, at: datetime) -> bool:
        """End it because a person wants so; finished parts stay. False when it was ended before."""
        return await self._end(backtest_id, "cancelled", None, at)

    async def _end(self, backtest_id: int, state: str, error: str | None, at: datetime) -> bool:
        return bool(
            await self._connection.fetchval(
                """update backtest set state = $2, error = $3, ended_at = $4
                   where backtest_id = $1 and state in ('queued', 'running') returning true""",
                backtest_id, state, error, at,
            )
        )  # fmt: skip

    async def take(self, at: datetime) -> Backtest | None:
        """The oldest that the service has to work on and nobody works on, from now on running; None when there is none.

        It is this connection's until `leave`, or until the connection ends: one that was left by a process that died is taken
        at once, and two that ask at once never get the same.
        """
        waiting = await self._connection.fetch(
            "select backtest_id from backtest where by_service and state in ('queued', 'running') order by backtest_id"
        )
        for one in waiting:
            if await self._connection.fetchval(_LOCK, one["backtest_id"]):
                row = await self._connection.fetchrow(
                    f"""update backtest set state = 'running', beat_at = $2, started_at = $2, tries = tries + 1
                        where backtest_id = $3 and by_service and state in ('queued', 'running') returning {_ROW}""",
                    _silent(at), at, one["backtest_id"],
                )  # fmt: skip
                if row is not None:
                    return _backtest(row)
                await self.leave(one["backtest_id"])
        return None

    async def leave(self, backtest_id: int) -> None:
        """Give up what was taken on this connection, whatever became of it."""
        await self._connection.fetchval(_UNLOCK, backtest_id)

    async def put_back(self, backtest_id: int) -> None:
        """Let somebody else go on with what the service works on."""
        await self._connection.execute(
            """update backtest set state = 'queued', started_at = null, tries = tries - 1
               where backtest_id = $1 and state = 'running' and by_service""",
            backtest_id,
        )

    async def asked_by(self, command_id: UUID) -> int | None:
        """The backtest that this command asked for."""
        found: int | None = await self._connection.fetchval("select backtest_id from backtest where asked_by = $1", command_id)
        return found

    async def waiting(self, user_id: UserId) -> int:
        """How many of a user wait."""
        return int(await self._connection.fetchval("select count(*) from backtest where user_id = $1 and state = 'queued'", user_id))

    async def resume(self, backtest_id: int, code: Code, data_digest: str, at: datetime) -> bool:
        """Let the command go on with what was ended without being done, when code and data are still the same. False when it cannot."""
        return bool(
            await self._connection.fetchval(
                """update backtest set state = 'running', error = null, ended_at = null, beat_at = $3, started_at = $3, by_service = false
                   where backtest_id = $1 and code_digest = $2 and data_digest = $5
                   and (state in ('failed', 'cancelled') or (state = 'running' and not by_service and beat_at < $4)) returning true""",
                backtest_id, code.digest, at, _silent(at), data_digest,
            )
        )  # fmt: skip

    async def requeue(self, user_id: UserId, backtest_id: int, code: Code) -> bool:
        """Let the service go on with a sweep of its own that ended without being done, on the same bars. False when it cannot."""
        return bool(
            await self._connection.fetchval(
                """update backtest b set state = 'queued', error = null, ended_at = null, started_at = null, tries = 0
                   where user_id = $1 and backtest_id = $2 and code_digest = $3 and by_service and kind <> 'run'
                   and state in ('failed', 'cancelled') and (exists (select from backtest_data d where d.backtest_id = b.backtest_id)
                   or not exists (select from backtest_part p where p.backtest_id = b.backtest_id)) returning true""",
                user_id, backtest_id, code.digest,
            )
        )  # fmt: skip

    async def listed(self, user_id: UserId, at: datetime, *, before: int | None = None, limit: int = 50) -> list[Backtest]:
        """The latest first. before: the last one of the page before."""
        rows = await self._connection.fetch(
            f"""select {_ROW} from backtest where user_id = $2 and ($3::bigint is null or backtest_id < $3)
                order by backtest_id desc limit $4""",
            _silent(at), user_id, before, max(1, min(limit, LISTED_MAX)),
        )  # fmt: skip
        return [_backtest(row) for row in rows]

    async def checks(self, user_id: UserId, at: datetime) -> list[Backtest]:
        """The latest look-ahead check of each strategy, by its name."""
        rows = await self._connection.fetch(
            f"""select distinct on (strategy) {_ROW} from backtest where user_id = $2 and kind = 'lookahead'
                order by strategy, backtest_id desc""",
            _silent(at), user_id,
        )  # fmt: skip
        return [_backtest(row) for row in rows]

    async def one(self, user_id: UserId, backtest_id: int, at: datetime) -> Backtest | None:
        """A backtest of this user; None when there is none with this number."""
        row = await self._connection.fetchrow(
            f"select {_ROW} from backtest where user_id = $2 and backtest_id = $3", _silent(at), user_id, backtest_id
        )
        return _backtest(row) if row else None

    async def tables(self, backtest_id: int) -> dict[str, pl.DataFrame]:
        """Every table by its name; none before it is done."""
        rows = await self._connection.fetch("select name, content from backtest_table where backtest_id = $1 order by name", backtest_id)
        return {row["name"]: unpacked(row["content"]) for row in rows}

    async def keep_part(self, backtest_id: int, part: Tried) -> None:
        """Keep one finished combination; one that is there stays."""
        await self._connection.execute(
            "insert into backtest_part (backtest_id, number, parameters, figures, digest) values ($1, $2, $3, $4, $5) on conflict do nothing",
            backtest_id, part.number, json.dumps(dict(part.chosen)), json.dumps(dict(part.figures)), part.digest,
        )  # fmt: skip

    async def parts(self, backtest_id: int) -> list[Tried]:
        """Every finished combination, by number."""
        rows = await self._connection.fetch(
            """select number, parameters::text as parameters, figures::text as figures, digest from backtest_part
               where backtest_id = $1 order by number""",
            backtest_id,
        )
        return [Tried(row["number"], json.loads(row["parameters"]), json.loads(row["figures"]), row["digest"]) for row in rows]

    async def numbers(self, backtest_id: int) -> set[int]:
        """The numbers of the finished combinations."""
        return {
            row["number"] for row in await self._connection.fetch("select number from backtest_part where backtest_id = $1", backtest_id)
        }

    async def still_wanted(self, backtest_id: int) -> int | None:
        """How many parts a backtest has that is at work; None when it is not at work."""
        found: int | None = await self._connection.fetchval(
            "select total from backtest where backtest_id = $1 and state = 'running'", backtest_id
        )
        return found

    async def keep_data(self, backtest_id: int, pieces: Sequence[bytes]) -> None:
        """Keep the bars, all pieces of them or none."""
        rows = [(backtest_id, number, content) for number, content in enumerate(pieces)]
        async with self._connection.transaction():
            await self._connection.executemany("insert into backtest_data values ($1, $2, $3)", rows)

    async def data(self, backtest_id: int) -> list[bytes]:
        """Every piece of the bars, in order."""
        rows = await self._connection.fetch("select content from backtest_data where backtest_id = $1 order by number", backtest_id)
        return [row["content"] for row in rows]

    async def data_piece(self, backtest_id: int, number: int) -> bytes | None:
        """One piece of the bars; None when it is not there."""
        found: bytes | None = await self._connection.fetchval(
            "select content from backtest_data where backtest_id = $1 and number = $2", backtest_id, number
        )
        return found

    async def forget_data(self, at: datetime) -> None:
        """Drop the bars of every backtest that is done, and of those that ended otherwise too long ago to go on."""
        await self._connection.execute(
            """delete from backtest_data where backtest_id in (select backtest_id from backtest
               where state = 'done' or (state not in ('queued', 'running') and ended_at < $1))""",
            at - timedelta(days=RESUMABLE_DAYS),
        )


def packed(frame: pl.DataFrame) -> bytes:
    """Columns as Parquet, compressed by zstd."""
    held = io.BytesIO()
    frame.write_parquet(held, compression="zstd")
    return held.getvalue()


def unpacked(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content))


def _silent(at: datetime) -> datetime:
    return at - timedelta(seconds=SILENT_S)


def _backtest(row: asyncpg.Record) -> Backtest:
    return Backtest(
        backtest_id=row["backtest_id"],
        wanted=read_wanted(row["asked"]),
        state=row["state"],
        done=row["done"],
        total=row["total"],
        code=Code(row["code_digest"], row["code_revision"]),
        data_digest=row["data_digest"],
        digest=row["digest"],
        trades_digest=row["trades_digest"],
        figures=json.loads(row["figures"]) if row["figures"] else None,
        error=LOST if row["is_lost"] else row["error"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        by_service=row["by_service"],
        tries=row["tries"],
    )
