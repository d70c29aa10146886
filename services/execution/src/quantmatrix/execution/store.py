"""Execution's tables: accounts, orders and their events, marks; what books hold stands in `books.py`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.prices import InstrumentListed
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
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.books import Books
from quantmatrix.execution.domain.orders import Intent, Order
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
