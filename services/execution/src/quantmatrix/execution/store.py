"""Execution's tables: accounts, orders and their events, marks; what books hold stands in `books.py`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.prices import Bar, InstrumentListed
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    AssetClass,
    InstrumentId,
    LotId,
    OrderId,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    TradingState,
    UserId,
)
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.books import Books, change_of
from quantmatrix.execution.domain.orders import Execution, Intent, NamedLots, Order, fill_of
from quantmatrix.execution.domain.risk import Standing
from quantmatrix.execution.domain.states import OPEN, UNANSWERED

_OPEN = sorted(OPEN)
_UNANSWERED = sorted(UNANSWERED)


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one broker."""

    account_id: AccountId
    user_id: UserId
    broker: str
    currency: str
    paper: bool
    trading_state: TradingState
    opening_cash: Money
    cash: Money
    version: int


@dataclass(frozen=True, slots=True)
class Look:
    """What the tables say about an intent. known: it became an order before."""

    account: Account
    standing: Standing
    known: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an order, and the state after it. at: event time, UTC."""

    event: str
    state: OrderState
    at: datetime
    detail: str | None


class ExecutionStore(Books):
    """Reads and writes on one connection; the caller owns the transaction."""

    # Reference data

    async def keep_instrument(self, listed: InstrumentListed) -> None:
        one = listed.instrument
        await self._connection.execute(
            """insert into instrument (instrument_id, symbol, asset_class, currency, multiplier, tick_size, lot_size, calendar)
               values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (instrument_id) do update
               set symbol = excluded.symbol, tick_size = excluded.tick_size, lot_size = excluded.lot_size""",
            one.instrument_id, one.symbol, one.asset_class, one.currency, one.multiplier.value, listed.tick_size.value,
            listed.lot_size.value, listed.calendar,
        )  # fmt: skip

    async def keep_marks(self, bars: Sequence[Bar], session: date, at: datetime) -> None:
        await self._connection.execute(
            """insert into mark (instrument_id, price, session, marked_at)
               select i, p, $3, $4 from unnest($1::text[], $2::numeric[]) as n (i, p) on conflict (instrument_id)
               do update set price = excluded.price, session = excluded.session, marked_at = excluded.marked_at""",
            [bar.instrument_id for bar in bars],
            [bar.close.value for bar in bars],
            session,
            at,
        )

    async def closes_of(self, session: date) -> dict[str, Price]:
        """The closes of a session that were heard so far, by symbol."""
        rows = await self._connection.fetch(
            "select i.symbol, m.price from mark m join instrument i using (instrument_id) where m.session = $1", session
        )
        return {row["symbol"]: Price(row["price"]) for row in rows}

    async def calendar_of(self, instrument: InstrumentId) -> str | None:
        found: str | None = await self._connection.fetchval("select calendar from instrument where instrument_id = $1", instrument)
        return found

    async def first_time(self, action_id: UUID) -> bool:
        """Whether a corporate action is new here; from now on it is not."""
        new = await self._connection.fetchval(
            "insert into action_applied (action_id) values ($1) on conflict do nothing returning true", action_id
        )
        return bool(new)

    async def all_applied(self, actions: Collection[UUID]) -> bool:
        """Whether our books have followed all of these corporate actions."""
        known = await self._connection.fetchval("select count(*) from action_applied where action_id = any($1)", list(actions))
        return bool(known == len(actions))

    async def rename(self, instrument: InstrumentId, symbol: str) -> None:
        """An instrument goes on under another symbol, and so do its open orders."""
        await self._connection.execute("update instrument set symbol = $2 where instrument_id = $1", instrument, symbol)
        await self._connection.execute(
            "update orders set symbol = $2 where instrument_id = $1 and state = any($3)", instrument, symbol, _OPEN
        )

    async def split(self, instrument: InstrumentId, numerator: int, denominator: int) -> None:
        """Positions and the mark follow a split."""
        await self._connection.execute(
            "update position set quantity = quantity * $2::int / $3::int where instrument_id = $1",
            instrument,
            numerator,
            denominator,
        )
        await self._connection.execute(
            "update accepted_gap set gap = gap * $2::int / $3::int where instrument_id = $1",
            instrument,
            numerator,
            denominator,
        )
        await self._connection.execute(
            "update mark set price = price * $3::int / $2::int where instrument_id = $1",
            instrument,
            numerator,
            denominator,
        )

    # Accounts

    async def open_account(self, account: Account, at: datetime) -> bool:
        """Store a new account; False when it is here already."""
        new = await self._connection.fetchval(
            """insert into account (account_id, user_id, broker, currency, paper, opening_cash, cash, opened_at)
               values ($1, $2, $3, $4, $5, $6, $6, $7) on conflict do nothing returning true""",
            account.account_id, account.user_id, account.broker, account.currency, account.paper, account.opening_cash.amount, at,
        )  # fmt: skip
        return bool(new)

    async def account(self, account_id: AccountId, *, lock: bool = False) -> Account | None:
        row = await self._connection.fetchrow(f"select * from account where account_id = $1 {'for update' if lock else ''}", account_id)
        return _account(row) if row else None

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in await self._connection.fetch("select * from account order by account_id")]

    async def set_trading_state(self, account_id: AccountId, state: TradingState) -> None:
        await self._connection.execute(
            "update account set trading_state = $2, version = version + 1 where account_id = $1", account_id, state
        )

    async def look(self, intent: Intent, now: datetime, *, lock: bool = True) -> Look | None:
        """Everything that is asked about an intent before it may become an order; None when its account is not known.

        The account's row is locked, so that of two intents each sees what the other reserved; whoever only looks locks nothing.
        """
        row = await self._connection.fetchrow(
            f"""
            with a as (select * from account where account_id = $1 {"for update" if lock else ""}),
            o as (select * from orders where account_id = $1 and state = any($3))
            select a.*,
              exists (select from orders where intent_id = $4) as known_intent,
              (select quantity from position where account_id = $1 and instrument_id = $2) as position,
              (select coalesce(sum(quantity - filled), 0) from o where instrument_id = $2 and side = 'BUY') as buys,
              (select coalesce(sum(quantity - filled), 0) from o where instrument_id = $2 and side = 'SELL') as sells,
              (select count(*) from o) as open_orders,
              (select array_agg(distinct n ->> 0) from o, jsonb_array_elements(o.lots) n) as named_lots,
              (select coalesce(sum((quantity - filled) * multiplier * coalesce(limit_price, greatest(stop_price, reference_price))), 0)
                 from o where side = 'BUY') as reserved,
              (select count(*) from break where account_id = $1 and resolved_at is null) as breaks,
              (select price from mark where instrument_id = $2) as price,
              (select count(*) from instrument where instrument_id = $2) as known
            from a
            """,
            intent.account_id,
            intent.instrument.instrument_id,
            _OPEN,
            intent.intent_id,
        )
        if row is None:
            return None
        account = _account(row)
        standing = Standing(
            trading_state=account.trading_state,
            cash=account.cash,
            reserved=Money(row["reserved"].quantize(Decimal("1e-12")), account.currency),
            position=Quantity(row["position"] or 0),
            working_buys=Quantity(row["buys"]),
            working_sells=Quantity(row["sells"]),
            open_orders=row["open_orders"],
            open_breaks=row["breaks"],
            price=Price(row["price"]) if row["price"] is not None else None,
            instrument_known=bool(row["known"]),
            now=now,
            named_lots=frozenset(LotId(UUID(one)) for one in row["named_lots"] or ()),
        )
        return Look(account, standing, known=row["known_intent"])

    # Orders

    async def add_order(self, order: Order, *, event: str) -> None:
        """Store a new order with its first event."""
        one = order.instrument
        await self._connection.execute(
            """with placed as (insert into orders (order_id, account_id, user_id, client_ref, intent_id, instrument_id, symbol, asset_class,
               currency, multiplier, side, quantity, order_type, time_in_force, limit_price, stop_price, reference_price, state, code, detail,
               triggered_by, session, created_at, trace, last_event, version, lots) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
               $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $29))
               insert into order_event (order_id, ordinal, event, state, occurred_at, detail) values ($1, 1, $27, $18, $23, $28)""",
            order.order_id, order.account_id, order.user_id, order.client_ref, order.intent_id, one.instrument_id, one.symbol, one.asset_class,
            one.currency, one.multiplier.value, order.side, order.quantity.value, order.order_type, order.time_in_force,
            order.limit_price and order.limit_price.value, order.stop_price and order.stop_price.value,
            order.reference_price and order.reference_price.value, order.state, order.code, order.detail, order.triggered_by, order.session,
            order.created_at, order.trace, order.last_event, order.version, event, f"{order.code} {order.detail}" if order.code else None,
            _told_lots(order.lots),
        )  # fmt: skip

    async def change_order(self, order: Order, steps: Sequence[Step], executions: Sequence[Execution]) -> None:
        """Store an order as it stands after these steps, the steps, and its new executions; position and cash move with them.

        Raises TryLater when the order is not the one that these steps started from, or when one of the executions was booked before:
        whoever did so knows more of it.
        """
        changes = [change_of(order, execution, 1) for execution in executions]
        row = await self._connection.fetchrow(
            """with moved as (update orders set state = $2, filled = $3, quantity = $4, limit_price = $5, stop_price = $6,
               broker_order_id = $7, code = $8, detail = $9, last_event = $10, version = $11,
               cancel_asked_at = $30, lots = $31 where order_id = $1 and version = $11 - cardinality($12::text[]) returning 1),
               told as (insert into order_event (order_id, ordinal, event, state, occurred_at, detail)
               select $1, (select count(*) from order_event where order_id = $1) + n.ordinal, n.event, n.state, n.at, n.detail
               from unnest($12::text[], $13::text[], $14::timestamptz[], $15::text[]) with ordinality as n (event, state, at, detail, ordinal)),
               booked as (insert into execution (account_id, execution_id, fill_id, order_id, instrument_id, side, quantity, price, fee,
               currency, session, executed_at, corrects) select $16, n.id, n.fill_id, $1, $17, n.side, n.quantity, n.price, n.fee, n.currency,
               n.session, n.at, n.corrects from unnest($18::text[], $19::uuid[], $20::text[], $21::numeric[], $22::numeric[], $23::numeric[],
               $24::text[], $25::date[], $26::timestamptz[], $27::text[])
               as n (id, fill_id, side, quantity, price, fee, currency, session, at, corrects) on conflict do nothing returning 1),
               held as (insert into position as p (account_id, instrument_id, quantity) select $16, $17, $28 where cardinality($18) > 0
               on conflict (account_id, instrument_id) do update set quantity = p.quantity + excluded.quantity),
               paid as (update account set cash = cash - $29 where account_id = $16 and cardinality($18) > 0)
               select (select count(*) from moved), (select count(*) from booked)""",
            order.order_id, order.state, order.filled.value, order.quantity.value, order.limit_price and order.limit_price.value,
            order.stop_price and order.stop_price.value, order.broker_order_id, order.code, order.detail, order.last_event, order.version,
            [step.event for step in steps], [step.state for step in steps], [step.at for step in steps], [step.detail for step in steps],
            order.account_id, order.instrument.instrument_id,
            [one.execution_id for one in executions], [fill_of(order.account_id, one.execution_id) for one in executions],
            [one.side for one in executions], [one.quantity.value for one in executions], [one.price.value for one in executions],
            [one.fee.amount for one in executions], [one.fee.currency for one in executions], [one.session for one in executions],
            [one.executed_at for one in executions], [one.corrects for one in executions],
            sum((quantity for quantity, _ in changes), Decimal(0)), sum((cash for _, cash in changes), Decimal(0)),
            order.cancel_asked_at, _told_lots(order.lots),
        )  # fmt: skip
        if row is None or tuple(row) != (1, len(executions)):
            raise TryLater(f"order {order.order_id} was changed, or an execution booked, meanwhile")

    async def order(self, order_id: OrderId) -> Order | None:
        row = await self._connection.fetchrow("select * from orders where order_id = $1 for update", order_id)
        return _order(row) if row else None

    async def order_by_ref(self, client_ref: str) -> Order | None:
        row = await self._connection.fetchrow("select * from orders where client_ref = $1 for update", client_ref)
        return _order(row) if row else None

    async def orders_in(self, states: Sequence[OrderState], account_id: AccountId | None = None) -> list[Order]:
        rows = await self._connection.fetch(
            "select * from orders where state = any($1) and ($2::text is null or account_id = $2) order by created_at, order_id",
            [str(state) for state in states],
            account_id,
        )
        return [_order(row) for row in rows]

    async def intent_known(self, intent_id: UUID) -> bool:
        """Whether a wish became an order before, denied ones included."""
        return bool(await self._connection.fetchval("select exists (select from orders where intent_id = $1)", intent_id))

    async def open_orders_of_account(self, account_id: AccountId) -> list[Order]:
        return await self.orders_in([OrderState(state) for state in _OPEN], account_id)

    async def open_orders_of(self, instrument: InstrumentId) -> list[Order]:
        rows = await self._connection.fetch(
            "select * from orders where instrument_id = $1 and state = any($2) order by created_at, order_id",
            instrument,
            _OPEN,
        )
        return [_order(row) for row in rows]

    async def unanswered(self, account_id: AccountId | None = None) -> bool:
        """Whether any order, or any of one account, still waits for a broker's answer."""
        look = "select exists (select from orders where state = any($1) and ($2::text is null or account_id = $2))"
        return bool(await self._connection.fetchval(look, _UNANSWERED, account_id))


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        broker=row["broker"],
        currency=row["currency"],
        paper=row["paper"],
        trading_state=TradingState(row["trading_state"]),
        opening_cash=Money(row["opening_cash"], row["currency"]),
        cash=Money(row["cash"], row["currency"]),
        version=row["version"],
    )


def _order(row: asyncpg.Record) -> Order:
    return Order(
        order_id=OrderId(row["order_id"]),
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        client_ref=row["client_ref"],
        intent_id=row["intent_id"],
        broker_order_id=row["broker_order_id"],
        instrument=Instrument(
            InstrumentId(row["instrument_id"]),
            row["symbol"],
            AssetClass(row["asset_class"]),
            row["currency"],
            Quantity(row["multiplier"]),
        ),
        side=Side(row["side"]),
        quantity=Quantity(row["quantity"]),
        filled=Quantity(row["filled"]),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        limit_price=_price(row["limit_price"]),
        stop_price=_price(row["stop_price"]),
        reference_price=_price(row["reference_price"]),
        state=OrderState(row["state"]),
        code=row["code"],
        detail=row["detail"],
        triggered_by=row["triggered_by"],
        session=row["session"],
        created_at=row["created_at"],
        last_event=row["last_event"],
        cancel_asked_at=row["cancel_asked_at"],
        trace=row["trace"],
        version=row["version"],
        lots=tuple((LotId(UUID(lot_id)), Quantity.parse(quantity)) for lot_id, quantity in json.loads(row["lots"])),
    )


def _price(value: Decimal | None) -> Price | None:
    return None if value is None else Price(value)


def _told_lots(lots: NamedLots) -> str:
    return json.dumps([[str(lot_id), str(quantity)] for lot_id, quantity in lots])
