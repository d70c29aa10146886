"""What signals answers about stored backtests: the list, one as a page shows it, several side by side."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from quantmatrix.common.contracts.asking.backtests import (
    Backtest,
    BacktestAsked,
    BacktestLine,
    BacktestLuck,
    BacktestLuckAsked,
    BacktestPage,
    BacktestPageAsked,
    Backtests,
    BacktestsAsked,
    BacktestStep,
    BacktestTrade,
    BacktestTry,
    BacktestYear,
    Compared,
    ComparedRow,
    ComparisonAsked,
    Drawing,
    Lookahead,
    Lookaheads,
    LookaheadsAsked,
)
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money
from quantmatrix.signals.backtest.checked import KIND
from quantmatrix.signals.backtest.doubt import SHARES, Method, drawn_anew
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.markup import drawn_curves
from quantmatrix.signals.backtest.plots import Line, bands, plot
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import heat, report
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.comparing import compared
from quantmatrix.signals.stored.looking import check_of
from quantmatrix.signals.stored.store import Backtest as Stored
from quantmatrix.signals.stored.store import BacktestStore

TRADES_MAX = 100
TRIED_MAX = 300
COMPARED_MIN, COMPARED_MAX = 2, 6
PAGE_CHARS = 150_000
_COLOURS = ("one", "two", "three", "four", "five", "six")


class BacktestAnswers:
    """Answers from a read-only view; the clock tells which of those at work are lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def backtests(self, asked: BacktestsAsked, connection: Connection) -> Backtests:
        found = await BacktestStore(connection).listed(asked.user_id, self._clock.now(), before=asked.before, limit=asked.limit)
        return Backtests(tuple(line_of(one, self._clock.now()) for one in found))

    async def backtest(self, asked: BacktestAsked, connection: Connection) -> Backtest:
        store = BacktestStore(connection)
        one = await self._one(store, asked.user_id, asked.backtest_id)
        return _shown(one, await store.tables(one.backtest_id), max(0, asked.offset), self._clock.now())

    async def lookaheads(self, asked: LookaheadsAsked, connection: Connection) -> Lookaheads:
        store, now, code = BacktestStore(connection), self._clock.now(), code_at_work().digest
        found = []
        for one in await store.checks(asked.user_id, now):
            record = Record(one.figures, await store.tables(one.backtest_id)) if one.figures else None
            found.append(Lookahead(line_of(one, now), one.code.digest == code, check_of(record) if record else None))
        return Lookaheads(tuple(found))

    async def page(self, asked: BacktestPageAsked, connection: Connection) -> BacktestPage:
        store = BacktestStore(connection)
        record = await self._record(store, asked.user_id, asked.backtest_id)
        html, last = report(record), asked.offset + PAGE_CHARS
        return BacktestPage(html[asked.offset : last], last if last < len(html) else None)

    async def luck(self, asked: BacktestLuckAsked, connection: Connection) -> BacktestLuck:
        """Drawn in a thread: live decisions have their turn meanwhile."""
        store = BacktestStore(connection)
        record = await self._record(store, asked.user_id, asked.backtest_id)
        if "trades" not in record.tables:
            raise Refused("BACKTEST_INVALID", f"backtest {asked.backtest_id} has no trades of its own; draw those of a single run")
        told = (record.profits(), float(record.figures["opening_cash"]))
        try:
            spread = await asyncio.to_thread(drawn_anew, *told, method=Method(asked.method), runs=asked.runs, seed=asked.seed)
        except BacktestError as error:
            raise Refused("BACKTEST_INVALID", str(error)) from error
        line = line_of(await self._one(store, asked.user_id, asked.backtest_id), self._clock.now())
        drawing = bands("Return after so many trades", spread.after, spread.bands, [f"{share:.0%}" for share in SHARES])
        return BacktestLuck(
            line, asked.method, spread.runs, spread.seed, spread.trades, SHARES, spread.final, spread.drawdown, spread.ruined, drawing
        )

    async def comparison(self, asked: ComparisonAsked, connection: Connection) -> Compared:
        numbers = tuple(dict.fromkeys(asked.backtest_ids))
        if not COMPARED_MIN <= len(numbers) <= COMPARED_MAX:
            raise Refused("BACKTESTS_TO_COMPARE", f"name {COMPARED_MIN} to {COMPARED_MAX} different backtests, got {len(numbers)}")
        store = BacktestStore(connection)
        records = [await self._record(store, asked.user_id, number) for number in numbers]
        lines = tuple([line_of(await self._one(store, asked.user_id, number), self._clock.now()) for number in numbers])
        if any(one.figures.get("kind") == KIND for one in records):
            raise Refused("BACKTESTS_TO_COMPARE", "a look-ahead check has no result to compare; name runs, sweeps or walk forwards")
        rows = tuple(
            ComparedRow(name, tuple(_text(value) for value in values)) for name, values in compared([one.figures for one in records])
        )
        return Compared(lines, rows, _grown(numbers, records))

    async def _record(self, store: BacktestStore, user_id: UserId, number: int) -> Record:
        one = await self._one(store, user_id, number)
        if one.figures is None:
            raise Refused("BACKTEST_NOT_DONE", f"backtest {number} is {one.state}{f': {one.error}' if one.error else ''}")
        return Record(one.figures, await store.tables(number))

    async def _one(self, store: BacktestStore, user_id: UserId, number: int) -> Stored:
        one = await store.one(user_id, number, self._clock.now())
        if one is None:
            raise Refused("BACKTEST_UNKNOWN", f"there is no backtest {number}")
        return one


def line_of(one: Stored, at: datetime) -> BacktestLine:
    figures = one.figures or {}
    curve, closed = figures.get("curve", {}), figures.get("closed_trades", {})
    return BacktestLine(
        backtest_id=one.backtest_id,
        kind=one.wanted.kind,
        strategy=one.wanted.strategy,
        symbols=one.wanted.symbols,
        state=one.state,
        done=one.done,
        total=one.total,
        created_at=one.created_at,
        ended_at=one.ended_at,
        total_return=curve.get("total_return"),
        sharpe=curve.get("sharpe"),
        max_drawdown=curve.get("max_drawdown"),
        trades=closed.get("trades"),
        digest=one.digest,
        error=one.error,
        left_s=one.left_s(at),
        clean=figures.get("clean"),
    )


def _shown(one: Stored, tables: Mapping[str, pl.DataFrame], offset: int, at: datetime) -> Backtest:
    told = one.figures
    head: dict[str, Any] = {
        "line": line_of(one, at),
        "code_digest": one.code.digest,
        "code_revision": one.code.revision,
        "data_digest": one.data_digest,
        "seed": one.wanted.seed,
    }
    if told is None:
        return Backtest(**head, parameters=_json(one.wanted.parameters), first=one.wanted.first, last=one.wanted.last)
    record = Record(told, tables)
    head |= {
        "parameters": _json({**told["parameters"], **told.get("grid", {})}),
        "first": told["first"],
        "last": told["last"],
        "opening": Money.parse(told["opening_cash"], told["currency"]),
        "assumptions": tuple(told["assumptions"]),
    }
    check = check_of(record)
    return Backtest(**head, check=check) if check is not None else _with_result(head, record, offset)


def _with_result(head: Mapping[str, Any], record: Record, offset: int) -> Backtest:
    told, tables, currency = record.figures, record.tables, record.figures["currency"]
    trades = tables.get("trades", pl.DataFrame())
    return Backtest(
        **head,
        equity=Money.parse(told["equity"], currency),
        fees=Money.parse(told["fees"], currency),
        curve=told["curve"],
        closed=told["closed_trades"],
        other={name: told[name] for name in ("exposure", "in_market", "turnover", "efficiency", "deflated_sharpe") if name in told},
        benchmark=(told.get("benchmark") or {}).get("total_return"),
        years=tuple(BacktestYear(each["year"], tuple(each["months"]), each["total"]) for each in told.get("months", ())),
        trades=trades.height,
        shown=tuple(_trade(row, currency) for row in trades.slice(offset, TRADES_MAX).iter_rows(named=True)),
        tried=_tried(tables),
        steps=tuple(_step(each) for each in told.get("steps", ())),
        drawings=_drawings(record),
    )


def _trade(row: Mapping[str, Any], currency: str) -> BacktestTrade:
    cost = float(row["cost"])
    return BacktestTrade(
        symbol=row["symbol"],
        opened_on=row["opened_on"],
        closed_on=row["closed_on"],
        is_open=row["is_open"],
        bought=row["bought"],
        profit=Money.parse(row["profit"], currency),
        gain=float(row["profit"]) / cost if cost and not row["is_open"] else None,
        sessions=row["sessions"],
        closed_by=row["closed_by"],
        reasons=tuple(part for part in row["opened_because"].split(" | ") if part),
    )


def _tried(tables: Mapping[str, pl.DataFrame]) -> tuple[BacktestTry, ...]:
    if "tried" not in tables:
        return ()
    names = [name for name in tables["tried"].columns if name.startswith("parameter ")]
    return tuple(
        BacktestTry(
            {name.removeprefix("parameter "): row[name] for name in names},
            row["sharpe"],
            row["deflated_sharpe"],
            row["total_return"],
            row["max_drawdown"],
            row["trades"],
        )
        for row in tables["tried"].head(TRIED_MAX).iter_rows(named=True)
    )


def _step(told: Mapping[str, Any]) -> BacktestStep:
    days = {name: told[name] for name in ("chosen_from", "chosen_to", "run_from", "run_to")}
    figures = {name: told[name] for name in ("inside_sharpe", "outside_sharpe", "inside_return", "outside_return")}
    return BacktestStep(**days, chosen=_json(told["chosen"]), **figures)


def _drawings(record: Record) -> tuple[Drawing, ...]:
    if "curve" in record.tables:
        return tuple(drawn_curves(record.title, record.tables["curve"]).values())
    tried = record.tables.get("tried")
    return tuple(heat(tried, [name for name in tried.columns if name.startswith("parameter ")])) if tried is not None else ()


def _grown(numbers: Sequence[int], records: Sequence[Record]) -> tuple[Drawing, ...]:
    """The equity of those with a curve, over the sessions that all of them have, as multiples of their first."""
    curves = {number: one.tables["curve"] for number, one in zip(numbers, records, strict=True) if "curve" in one.tables}
    if len(curves) < COMPARED_MIN:
        return ()
    shared = set.intersection(*(set(curve["session"].to_list()) for curve in curves.values()))
    if len(shared) < 2:
        return ()
    lines = []
    for (number, curve), css in zip(curves.items(), _COLOURS, strict=False):
        equity = curve.filter(pl.col("session").is_in(sorted(shared)))["equity"].cast(pl.Float64).to_list()
        lines.append(Line(f"backtest {number}", css, [value / equity[0] for value in equity]))
    return (plot("What one unit of capital became", sorted(shared), lines),)


def _json(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.4f}" if isinstance(value, float) else str(value)
