"""Execution's tables: accounts, orders and their events, marks; what books hold stands in `books.py`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.prices import InstrumentListed, PricesWatermark
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
from quantmatrix.common.options import CONTRACT_SIZE, calls_covered, is_option, shares_bound, terms_of
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.books import Books
from quantmatrix.execution.domain.commission import Tariff
from quantmatrix.execution.domain.orders import Intent, Order
from quantmatrix.execution.domain.risk import NONE, Standing, surely_held
from quantmatrix.execution.domain.states import OPEN, UNANSWERED
from quantmatrix.execution.ports import Close

_OPEN = sorted(OPEN)
_SHORTS = """select array_agg((i.symbol, t.n, i.deliverable)) from (select instrument_id, sum(n) as n from
    (select instrument_id, quantity as n from position where account_id = $1
     union all select instrument_id, gap from accepted_gap where account_id = $1 and gap < 0
     union all select instrument_id, filled - quantity from o where side = 'SELL') u
    group by instrument_id having sum(n) < 0) t join instrument i using (instrument_id)"""
"""What an account has sold without holding it at the broker, or would have with its open sales `o`."""
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


Priced = tuple[Price, datetime]
"""A price, and when it was."""


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

    async def closes_of(self, session: date) -> dict[str, Close]:
        """The closes of a session that were heard so far, by symbol."""
        rows = await self._connection.fetch(
            "select i.symbol, i.instrument_id, m.price from mark m join instrument i using (instrument_id) where m.session = $1", session
        )
        return {row["symbol"]: Close(InstrumentId(row["instrument_id"]), Price(row["price"])) for row in rows}

    async def calendar_of(self, instrument: InstrumentId) -> str | None:
        found: str | None = await self._connection.fetchval("select calendar from instrument where instrument_id = $1", instrument)
        return found

    async def latest_moment(self, instrument: InstrumentId) -> datetime | None:
        """The moment of the latest prices heard of an instrument's calendar; None before any."""
        calendar = await self.calendar_of(instrument)
        if calendar is None:
            return None
        found: datetime | None = await self._connection.fetchval(
            "select moment from inbox where key = $1", PricesWatermark.key_for(calendar)
        )
        return found

    async def first_time(self, action_id: UUID, instrument: InstrumentId, effective: date) -> bool:
        """Whether a corporate action is new here; from now on it is not."""
        new = await self._connection.fetchval(
            """insert into action_applied (action_id, instrument_id, effective) values ($1, $2, $3) on conflict do nothing
               returning true""",
            action_id,
            instrument,
            effective,
        )
        return bool(new)

    async def all_applied(self, actions: Collection[UUID]) -> bool:
        """Whether our books have followed all of these corporate actions."""
        known = await self._connection.fetchval("select count(*) from action_applied where action_id = any($1)", list(actions))
        return bool(known == len(actions))

    async def rename(self, instrument: InstrumentId, symbol: str, deliverable: Quantity | None) -> None:
        """An instrument goes on under another symbol, and so do its open orders; deliverable: of a contract, None where that stays."""
        await self._connection.execute(
            "update instrument set symbol = $2, deliverable = coalesce($3, deliverable) where instrument_id = $1",
            instrument,
            symbol,
            deliverable and deliverable.value,
        )
        await self._connection.execute(
            "update orders set symbol = $2 where instrument_id = $1 and state = any($3)", instrument, symbol, _OPEN
        )

    async def split(self, instrument: InstrumentId, numerator: int, denominator: int) -> None:
        """Positions, accepted gaps and the mark follow a split, rounded as `Quantity.scaled` does."""
        for table, units in (("position", "quantity"), ("accepted_gap", "gap")):
            rows = await self._connection.fetch(
                f"select account_id, {units} as units from {table} where instrument_id = $1 order by account_id for update", instrument
            )
            await self._connection.executemany(
                f"update {table} set {units} = $3 where account_id = $1 and instrument_id = $2",
                [(row["account_id"], instrument, Quantity(row["units"]).scaled(numerator, denominator).value) for row in rows],
            )
        mark = await self._connection.fetchval("select price from mark where instrument_id = $1 for update", instrument)
        if mark is not None:
            price = Price(mark).scaled(denominator, numerator).value
            await self._connection.execute("update mark set price = $2 where instrument_id = $1", instrument, price)

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

    async def look(self, intent: Intent, now: datetime, tariff: Tariff, latest: Priced | None = None) -> Look | None:
        """Everything that is asked about an intent before it may become an order; None when its account is not known.
        latest: the instrument's last price, and when it was, where the table does not have it yet.

        Nothing is locked. Orders and cash change on pages of the desk alone, which does one thing at a time, and in one process alone:
        what is stored on this look goes out with the lease's fence, which refuses it to a process that lost the lease meanwhile.
        """
        row = await self._connection.fetchrow(
            f"""
            with a as (select * from account where account_id = $1),
            o as (select * from orders where account_id = $1 and state = any($3))
            select a.*,
              exists (select from orders where intent_id = $4) as known_intent,
              (select quantity from position where account_id = $1 and instrument_id = $2) as position,
              (select gap from accepted_gap where account_id = $1 and about = 'position ' || $2) as gap,
              (select coalesce(sum(quantity - filled), 0) from o where instrument_id = $2 and side = 'BUY') as buys,
              (select coalesce(sum(quantity - filled), 0) from o where instrument_id = $2 and side = 'SELL') as sells,
              (select count(*) from o) as open_orders, (select array_agg(distinct n ->> 0) from o, jsonb_array_elements(o.lots) n) as named_lots,
              (select array_agg((symbol, quantity - filled,
                 (quantity - filled) * multiplier * coalesce(limit_price, greatest(stop_price, reference_price)))) from o where side = 'BUY') as buying,
              ({_SHORTS}) as shorts, (select count(*) from break where account_id = $1 and resolved_at is null) as breaks,
              (select (price, marked_at) from mark where instrument_id = $2) as marked,
              (select count(*) from instrument where instrument_id = $2) as known from a
            """,
            intent.account_id,
            intent.instrument.instrument_id,
            _OPEN,
            intent.intent_id,
        )
        if row is None:
            return None
        account = _account(row)
        price, priced_at = latest or row["marked"] or (None, None)
        standing = Standing(
            trading_state=account.trading_state,
            cash=account.cash,
            reserved=_reserved(row["buying"] or (), account.currency, tariff),
            position=surely_held(Quantity(row["position"] or 0), Quantity(row["gap"] or 0)),
            working_buys=Quantity(row["buys"]),
            working_sells=Quantity(row["sells"]),
            open_orders=row["open_orders"],
            open_breaks=row["breaks"],
            price=_price(price),
            priced_at=priced_at,
            instrument_known=bool(row["known"]),
            now=now,
            named_lots=frozenset(LotId(UUID(one)) for one in row["named_lots"] or ()),
            shorts=tuple((symbol, Quantity(quantity)) for symbol, quantity, _ in row["shorts"] or ()),
        )
        return Look(account, await self._with_shares(intent, standing, row["shorts"] or ()), known=row["known_intent"])

    async def _with_shares(self, intent: Intent, standing: Standing, shorts: Sequence[tuple[str, Decimal, Decimal | None]]) -> Standing:
        """The standing with the shares that sold calls bind, and of a call with those that are free to cover it. Asks for calls alone."""
        if intent.side is Side.BUY:
            return standing
        symbol = intent.instrument.symbol
        terms = terms_of(symbol) if is_option(symbol) else None
        of = terms.underlying if terms is not None else symbol
        bound = NONE
        for one, quantity, deliverable in shorts:
            if is_option(one) and terms_of(one).underlying == of:
                bound += shares_bound(one, Quantity(quantity), Quantity(deliverable) if deliverable is not None else CONTRACT_SIZE)
        if terms is None or terms.kind == "put":
            return replace(standing, bound=bound) if terms is None and bound else standing
        row = await self._connection.fetchrow(
            """select coalesce((select sum(case when p.quantity > 0 then greatest(p.quantity + least(coalesce(g.gap, 0), 0), 0) else p.quantity end)
                 from position p join instrument i using (instrument_id)
                 left join accepted_gap g on g.account_id = p.account_id and g.about = 'position ' || p.instrument_id
                 where p.account_id = $1 and i.symbol = $2), 0)
               - coalesce((select sum(quantity - filled) from orders where account_id = $1 and symbol = $2 and side = 'SELL'
                 and state = any($3)), 0) as shares, (select deliverable from instrument where instrument_id = $4) as deliverable""",
            intent.account_id,
            of,
            _OPEN,
            intent.instrument.instrument_id,
        )
        if row is None:
            return standing
        each = Quantity(row["deliverable"]) if row["deliverable"] is not None else CONTRACT_SIZE
        return replace(standing, cover=calls_covered(Quantity(row["shares"]) - bound, each))

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


def _reserved(buying: Sequence[tuple[str, Decimal, Decimal]], currency: str, tariff: Tariff) -> Money:
    """What purchases under way may still take: of each its symbol, and the quantity and value that are left."""
    needed = (tariff.needed(symbol, Quantity(left), Money.rounding(value, currency)) for symbol, left, value in buying)
    return sum(needed, Money.zero(currency))


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


def _price(value: Decimal | Price | None) -> Price | None:
    return Price(value) if isinstance(value, Decimal) else value
