"""Signals' tables: instruments, runs with what they hold, have under way and remember, raised signals."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from quantmatrix.common.contracts.asking.signals import SignalsAsked
from quantmatrix.common.contracts.codec import decode_hook, encode_hook
from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    AssetClass,
    InstrumentId,
    OrderId,
    RunId,
    RunState,
    Side,
    SignalId,
    SignalKind,
    TradingState,
    UserId,
)
from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import FLAT, Holding
from quantmatrix.signals.domain.ledger import Capital, CycleRules
from quantmatrix.signals.domain.memory import Memory
from quantmatrix.signals.domain.run import Run

SIGNALS_ANSWERED_MAX = 500
_CAPITAL = ("base", "reserve", "realised", "cash", "invested")
_memory_out = msgspec.json.Encoder(enc_hook=encode_hook)
_memory_in = msgspec.json.Decoder(Memory, dec_hook=decode_hook)


@dataclass(frozen=True, slots=True)
class KnownInstrument:
    """What signals needs to know of an instrument. underlying: of an option, what it is on; deliverable: how many shares it delivers."""

    instrument: Instrument
    tick_size: Price
    lot_size: Quantity
    calendar: str
    underlying: InstrumentId | None = None
    deliverable: Quantity = CONTRACT_SIZE


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that a run asked for and whose end is not known yet."""

    order_id: OrderId
    run_id: RunId
    instrument_id: InstrumentId
    kind: SignalKind
    side: Side
    quantity: Quantity
    filled: Quantity
    stop_level: float | None


RunAtWork = tuple[Run, dict[InstrumentId, Holding], frozenset[InstrumentId]]
"""A run, what it holds, and the instruments for which it has an order under way."""


class SignalsStore:
    """Reads and writes on one connection; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep_instrument(self, listed: InstrumentListed) -> None:
        one = listed.instrument
        await self._connection.execute(
            """insert into instrument (instrument_id, symbol, asset_class, currency, multiplier, tick_size, lot_size, calendar,
                 underlying)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (instrument_id) do update
               set symbol = excluded.symbol, tick_size = excluded.tick_size, lot_size = excluded.lot_size""",
            one.instrument_id, one.symbol, one.asset_class, one.currency, one.multiplier.value, listed.tick_size.value,
            listed.lot_size.value, listed.calendar, listed.underlying,
        )  # fmt: skip

    async def instruments(self, calendar: str) -> list[KnownInstrument]:
        """All of a calendar but options, which come with what they are on."""
        rows = await self._connection.fetch(
            "select * from instrument where calendar = $1 and underlying is null order by instrument_id", calendar
        )
        return [_known(row) for row in rows]

    async def options(self, among: Collection[InstrumentId], calendar: str) -> list[KnownInstrument]:
        """Those of these instruments that are options of a calendar."""
        rows = await self._connection.fetch(
            "select * from instrument where instrument_id = any($1) and calendar = $2 and underlying is not null order by instrument_id",
            sorted(among),
            calendar,
        )
        return [_known(row) for row in rows]

    async def instruments_by_id(self) -> dict[InstrumentId, KnownInstrument]:
        """All that are listed, of every calendar."""
        return {InstrumentId(row["instrument_id"]): _known(row) for row in await self._connection.fetch("select * from instrument")}

    async def rename(self, instrument: InstrumentId, symbol: str, deliverable: Quantity | None) -> None:
        """An instrument goes on under another symbol; deliverable: what a contract delivers from then on, None where that stays."""
        await self._connection.execute(
            "update instrument set symbol = $2, deliverable = coalesce($3, deliverable) where instrument_id = $1",
            instrument,
            symbol,
            deliverable and deliverable.value,
        )

    async def pursuers_of(self, option: InstrumentId, symbol: str) -> list[tuple[RunId, InstrumentId, Memory]]:
        """The runs that are about to buy or sell a contract, with what they remember of the instrument that it is on."""
        rows = await self._connection.fetch(
            """select m.run_id, m.instrument_id, m.body::text as body from memory m
               join instrument i on i.instrument_id = $1 and i.underlying = m.instrument_id
               where m.body -> 'pursuit' ->> 'contract' = $2 order by m.run_id""",
            option,
            symbol,
        )
        return [(RunId(row["run_id"]), InstrumentId(row["instrument_id"]), _memory_in.decode(row["body"])) for row in rows]

    async def start_run(self, run: Run, started_at: datetime) -> bool:
        """Store a run before its first booking. False when it is there already."""
        rules = run.rules
        new = await self._connection.fetchval(
            """insert into run (run_id, user_id, account_id, strategy, parameters, triggered_by, state, currency, base, cash, started_at,
                 profit_target, reinvest, sentence, reason)
               values ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10, $11, $12, $13) on conflict do nothing returning true""",
            run.run_id, run.user_id, run.account_id, run.strategy, json.dumps(run.parameters), run.triggered_by, run.state,
            run.capital.base.currency, started_at, rules.profit_target if rules else None, rules.reinvest if rules else None, run.sentence,
            run.reason,
        )  # fmt: skip
        return bool(new)

    async def runs(self) -> list[Run]:
        rows = await self._connection.fetch("select * from run order by run_id")
        return [run_of(row) for row in rows]

    async def holdings(self, run_id: RunId) -> dict[InstrumentId, Holding]:
        rows = await self._connection.fetch("select h.*, r.currency from holding h join run r using (run_id) where run_id = $1", run_id)
        return {InstrumentId(row["instrument_id"]): holding_of(row) for row in rows}

    async def holding(self, run_id: RunId, instrument: InstrumentId) -> Holding:
        row = await self._connection.fetchrow(
            "select h.*, r.currency from holding h join run r using (run_id) where run_id = $1 and instrument_id = $2", run_id, instrument
        )
        return holding_of(row) if row else FLAT

    async def holders_of(self, instrument: InstrumentId) -> list[tuple[RunId, Holding]]:
        rows = await self._connection.fetch(
            "select h.*, r.currency from holding h join run r using (run_id) where instrument_id = $1 order by run_id", instrument
        )
        return [(RunId(row["run_id"]), holding_of(row)) for row in rows]

    async def keep_holding(self, run_id: RunId, instrument: InstrumentId, holding: Holding) -> None:
        """Store what a run holds; flat is no row."""
        if holding == FLAT:
            await self._connection.execute("delete from holding where run_id = $1 and instrument_id = $2", run_id, instrument)
            return
        await self._connection.execute(
            """insert into holding (run_id, instrument_id, quantity, initial, stop_level, levels_done, cost) values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (run_id, instrument_id) do update set quantity = excluded.quantity, initial = excluded.initial,
               stop_level = excluded.stop_level, levels_done = excluded.levels_done, cost = excluded.cost""",
            run_id, instrument, holding.quantity.value, holding.initial.value, holding.stop_level, sorted(holding.levels_done),
            holding.cost.amount if holding.cost is not None else None,
        )  # fmt: skip

    async def stops_of(self, user_id: UserId) -> list[tuple[InstrumentId, Quantity, float]]:
        """What the runs of a user hold long with a stop: units, and the stop's level on the series."""
        rows = await self._connection.fetch(
            """select h.instrument_id, h.quantity, h.stop_level from holding h join run r using (run_id)
               where r.user_id = $1 and r.state <> 'stopped' and h.quantity > 0 and h.stop_level is not null order by h.run_id, h.instrument_id""",
            user_id,
        )
        return [(InstrumentId(row["instrument_id"]), Quantity(row["quantity"]), row["stop_level"]) for row in rows]

    async def working_order(self, order_id: OrderId) -> WorkingOrder | None:
        row = await self._connection.fetchrow("select * from working where order_id = $1", order_id)
        return working_of(row) if row else None

    async def calendars(self, run_id: RunId) -> list[str]:
        """The calendars of what a run holds."""
        rows = await self._connection.fetch(
            "select distinct i.calendar from holding h join instrument i using (instrument_id) where h.run_id = $1 order by 1", run_id
        )
        return [row["calendar"] for row in rows]

    async def working_of(self, run_id: RunId) -> list[WorkingOrder]:
        rows = await self._connection.fetch("select * from working where run_id = $1 order by order_id", run_id)
        return [working_of(row) for row in rows]

    async def opening_of(self, run_id: RunId) -> list[SignalId]:
        """The decisions behind a run's orders under way that do not leave what it holds."""
        rows = await self._connection.fetch(
            """select w.signal_id from working w left join holding h using (run_id, instrument_id)
               where w.run_id = $1 and coalesce(h.quantity, 0) * case w.side when $2 then 1 else -1 end >= 0 order by w.order_id""",
            run_id,
            Side.BUY,
        )
        return [SignalId(row["signal_id"]) for row in rows]

    async def fill_working(self, order_id: OrderId, filled: Quantity) -> None:
        await self._connection.execute("update working set filled = $2 where order_id = $1", order_id, filled.value)

    async def resize_working(self, order_id: OrderId, quantity: Quantity, filled: Quantity) -> None:
        await self._connection.execute(
            "update working set quantity = $2, filled = $3 where order_id = $1", order_id, quantity.value, filled.value
        )

    async def end_working(self, order_id: OrderId) -> None:
        await self._connection.execute("delete from working where order_id = $1", order_id)

    async def running(self) -> tuple[int, list[RunAtWork]]:
        """Every run at work, what it holds, and the instruments for which it has an order under way; in a fixed order.

        Before them, the number that moves with every change of these tables.
        """
        rows = await self._connection.fetch(
            """
            select r.*, a.trading_state, h.instrument_id, h.quantity, h.initial, h.stop_level, h.levels_done, h.cost,
                   (select array_agg(distinct w.instrument_id) from working w where w.run_id = r.run_id) as working, v.version as tables_version
            from runs_version v left join run r on r.state <> 'stopped' left join account a using (account_id) left join holding h using (run_id)
            order by r.run_id, h.instrument_id
            """
        )
        found: dict[RunId, RunAtWork] = {}
        for row in rows:
            if row["run_id"] is None:
                continue
            run_id = RunId(row["run_id"])
            if run_id not in found:
                found[run_id] = (run_of(row), {}, frozenset(InstrumentId(one) for one in row["working"] or ()))
            if row["instrument_id"] is not None:
                found[run_id][1][InstrumentId(row["instrument_id"])] = holding_of(row)
        return rows[0]["tables_version"], list(found.values())

    async def memories(self, run_id: RunId) -> dict[InstrumentId, Memory]:
        rows = await self._connection.fetch("select instrument_id, body::text as body from memory where run_id = $1", run_id)
        return {InstrumentId(row["instrument_id"]): _memory_in.decode(row["body"]) for row in rows}

    async def keep_memory(self, run_id: RunId, instrument: InstrumentId, memory: Memory) -> None:
        await self._connection.execute(
            """insert into memory (run_id, instrument_id, body) values ($1, $2, $3)
               on conflict (run_id, instrument_id) do update set body = excluded.body""",
            run_id, instrument, _memory_out.encode(memory).decode(),
        )  # fmt: skip

    async def latest_signals(self, asked: SignalsAsked) -> Sequence[str]:
        """The signals of a user as JSON, the latest first."""
        rows = await self._connection.fetch(
            """select body::text as body from signal where user_id = $1 and ($2::text is null or account_id = $2)
               and ($3::text is null or instrument_id = $3)
               and ($4::timestamptz is null or decided_at < $4 or (decided_at = $4 and signal_id > $5))
               order by decided_at desc, signal_id limit $6""",
            asked.user_id,
            asked.account_id,
            asked.instrument_id,
            asked.before,
            asked.before_id,
            max(1, min(asked.limit, SIGNALS_ANSWERED_MAX)),
        )
        return [row["body"] for row in rows]


def _known(row: asyncpg.Record) -> KnownInstrument:
    instrument = Instrument(
        InstrumentId(row["instrument_id"]), row["symbol"], AssetClass(row["asset_class"]), row["currency"], Quantity(row["multiplier"])
    )
    return KnownInstrument(
        instrument,
        Price(row["tick_size"]),
        Quantity(row["lot_size"]),
        row["calendar"],
        row["underlying"],
        Quantity(row["deliverable"]) if row["deliverable"] is not None else CONTRACT_SIZE,
    )


def run_of(row: asyncpg.Record) -> Run:
    """A run as its row has it."""
    target, money = row["profit_target"], {name: Money(row[name], row["currency"]) for name in _CAPITAL}
    return Run(
        run_id=RunId(row["run_id"]),
        user_id=UserId(row["user_id"]),
        account_id=AccountId(row["account_id"]),
        strategy=row["strategy"],
        parameters=json.loads(row["parameters"]),
        triggered_by=row["triggered_by"],
        state=RunState(row["state"]),
        capital=Capital(**money, cycle=row["cycle"]),
        rules=CycleRules(target, row["reinvest"]) if target is not None else None,
        entries=row["entries"],
        sentence=row["sentence"],
        reason=row["reason"],
        trading=TradingState(row.get("trading_state") or TradingState.ACTIVE),
    )


def holding_of(row: asyncpg.Record, quantity: str = "quantity") -> Holding:
    """A holding as its row has it; the row carries its run's currency."""
    cost = Money(row["cost"], row["currency"]) if row["cost"] is not None else None
    return Holding(Quantity(row[quantity]), Quantity(row["initial"]), row["stop_level"], frozenset(row["levels_done"]), cost)


def working_of(row: asyncpg.Record, stop: str = "stop_level") -> WorkingOrder:
    """An order under way as its row has it."""
    return WorkingOrder(
        order_id=OrderId(row["order_id"]),
        run_id=RunId(row["run_id"]),
        instrument_id=InstrumentId(row["instrument_id"]),
        kind=SignalKind(row["kind"]),
        side=Side(row["side"]),
        quantity=Quantity(row["quantity"]),
        filled=Quantity(row["filled"]),
        stop_level=row[stop],
    )
