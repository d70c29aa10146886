"""What signals tells people about strategies and runs: the catalogue with its inputs, what runs own, what became of signals."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
from pydantic import BaseModel

from quantmatrix.common.contracts.asking.runs import (
    Booking,
    FollowUp,
    FollowUps,
    FollowUpsAsked,
    Holding,
    Input,
    RunDetail,
    RunDetails,
    RunDetailsAsked,
    Strategies,
    StrategiesAsked,
    StrategyCard,
    Verdicts,
    VerdictsAsked,
)
from quantmatrix.common.names import RunId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import plain
from quantmatrix.signals.domain.envelope import Envelope
from quantmatrix.signals.domain.run import Run, acts_in
from quantmatrix.signals.engines import Engines
from quantmatrix.signals.following import FollowStore
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.strategies._exits import ExitParameters
from quantmatrix.signals.verdicts import VerdictStore

BOOKINGS_MAX = 500
_KINDS = {"number": "number", "integer": "whole", "boolean": "yes_no", "string": "words"}


class Answers:
    """Answers from a read-only view."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def strategies(self, _: StrategiesAsked, __: Connection) -> Strategies:
        cards = tuple(_card(one) for _, one in sorted(self._engines.strategies.items()))
        return Strategies(cards, inputs_of(ExitParameters))

    async def run_details(self, asked: RunDetailsAsked, connection: Connection) -> RunDetails:
        store, ledger = SignalsStore(connection), LedgerStore(connection)
        mine = [run for run in await store.runs() if run.user_id == asked.user_id and asked.run_id in (None, run.run_id)]
        known = await store.instruments_by_id()
        started = await ledger.started([run.run_id for run in mine])
        found = []
        for run in mine:
            held = sorted((await store.holdings(run.run_id)).items())
            holdings = tuple(Holding(known[instrument].instrument, one.quantity, one.cost) for instrument, one in held)
            rows = await _bookings(run.run_id, ledger) if asked.run_id is not None else ()
            found.append(_detail(run, holdings, rows, started[run.run_id]))
        order = ("running", "paused", "stopping", "stopped")
        return RunDetails(tuple(sorted(found, key=lambda one: (order.index(one.state), one.strategy, str(one.run_id)))))

    async def verdicts(self, asked: VerdictsAsked, connection: Connection) -> Verdicts:
        """What a bot made of its latest bars."""
        return Verdicts(await VerdictStore(connection).latest(asked))

    async def follow_ups(self, asked: FollowUpsAsked, connection: Connection) -> FollowUps:
        rows = await FollowStore(connection).follow_ups(asked.user_id, asked.signal_ids)
        return FollowUps(tuple(_follow_up(row) for row in rows))


@cache
def inputs_of(model: type[BaseModel]) -> tuple[Input, ...]:
    """The parameters of a model as a form draws them, from the model's own schema."""
    schema = model.model_json_schema()
    named = schema.get("$defs", {})
    return tuple(_input(name, told, named, model) for name, told in schema["properties"].items())


def _input(name: str, told: Mapping[str, Any], named: Mapping[str, Any], model: type[BaseModel]) -> Input:
    """named: the kinds that the schema describes once and refers to, as choices of an enumeration."""
    kinds = [one for one in told.get("anyOf", [told]) if one.get("type") != "null"]
    one = named[kinds[0]["$ref"].rpartition("/")[2]] if "$ref" in kinds[0] else kinds[0]
    bounds = {word: one.get(word) for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
    least = bounds["minimum"] if bounds["minimum"] is not None else bounds["exclusiveMinimum"]
    most = bounds["maximum"] if bounds["maximum"] is not None else bounds["exclusiveMaximum"]
    return Input(
        name=name,
        title=told.get("title", name),
        description=told.get("description", ""),
        kind="choice" if "enum" in one else _KINDS.get(one.get("type", ""), "json"),
        default=json.dumps(model.model_fields[name].get_default(call_default_factory=True)),
        least=None if least is None else f"{least:g}",
        most=None if most is None else f"{most:g}",
        above=bounds["exclusiveMinimum"] is not None,
        below=bounds["exclusiveMaximum"] is not None,
        choices=tuple(one.get("enum", ())),
    )


def _card(one: type[Strategy]) -> StrategyCard:
    entry = one.catalogue
    return StrategyCard(
        name=one.name,
        title=one.title,
        summary=entry.summary,
        category=str(entry.category),
        complexity=str(entry.complexity),
        capital_min=entry.capital_min,
        horizon=entry.horizon,
        needs=entry.needs,
        bars_min=entry.bars_min,
        inputs=inputs_of(one.parameters),
    )


def _detail(run: Run, holdings: tuple[Holding, ...], bookings: tuple[Booking, ...], started_at: datetime) -> RunDetail:
    capital, rules = run.capital, run.rules
    envelope = Envelope(capital.base, capital.reserve, capital.cycle)
    return RunDetail(
        run_id=run.run_id,
        account_id=run.account_id,
        strategy=run.strategy,
        triggered_by=run.triggered_by,
        state=run.state,
        reason=run.reason,
        sentence=run.sentence,
        parameters={name: json.dumps(value) for name, value in run.parameters.items()},
        started_at=started_at,
        base=capital.base,
        cash=capital.cash,
        reserve=capital.reserve,
        invested=capital.invested,
        realised=capital.realised,
        cycle=capital.cycle,
        trigger=envelope.trigger(rules.profit_target) if rules else None,
        profit_target=plain(rules.profit_target) if rules else None,
        reinvest=plain(rules.reinvest) if rules else None,
        acts=acts_in(run.state),
        holdings=holdings,
        bookings=bookings,
    )


async def _bookings(run_id: RunId, ledger: LedgerStore) -> tuple[Booking, ...]:
    return tuple(
        Booking(row.number, str(one.kind), row.at, one.cash, one.invested, one.base, one.reserve, one.realised, one.cycle)
        for row in await ledger.entries(run_id, BOOKINGS_MAX)
        for one in (row.entry,)
    )


def _follow_up(row: asyncpg.Record) -> FollowUp:
    scale, entry, close = row["scale"], row["entry"], row["close"]
    return FollowUp(
        signal_id=row["signal_id"],
        high=None if row["high"] is None else row["high"] / scale,
        low=None if row["low"] is None else row["low"] / scale,
        close=None if close is None else close / scale,
        gain=close / entry - 1.0 if close is not None and entry else None,
        targets_hit=row["targets_hit"],
        targets=len(row["targets"]),
        stop_hit=row["stop_hit"],
        followed_to=row["followed_to"],
        ended=row["ended"],
    )
