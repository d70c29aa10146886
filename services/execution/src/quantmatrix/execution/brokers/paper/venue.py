"""The paper venue: a small exchange with its own memory. It knows nothing of QuantMatrix but the orders it is sent.

Like a real broker it does not refuse a second order under the same reference; sending none is our side's duty. Its
book is the independent witness of every recovery test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.ids import short_token
from quantmatrix.common.names import AccountId, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.options import CONTRACT_SIZE, is_option, price_met, terms_of
from quantmatrix.common.runtime.database import Connection, Pool
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.brokers.paper.matching import fill_price
from quantmatrix.execution.brokers.paper.tables import TABLES, execution_of, order_of
from quantmatrix.execution.domain.commission import CommissionSchedule
from quantmatrix.execution.domain.orders import Execution
from quantmatrix.execution.ports import (
    Absent,
    Accepted,
    BrokerOrder,
    BrokerPosition,
    Moment,
    OrderRequest,
    Rejected,
    SubmitOutcome,
    VenueBook,
)

LOOKS_MAX = 3
NONE_YET = Decimal(0)


@dataclass(frozen=True, slots=True)
class VenueRules:
    """How this venue behaves: its commission, that of options, and whether market orders fill at once on the reference price."""

    commission: CommissionSchedule
    options: CommissionSchedule
    fill_at_once: bool = False

    def schedule(self, symbol: str) -> CommissionSchedule:
        """What holds for an instrument."""
        return self.options if is_option(symbol) else self.commission


class PaperVenue:
    """Every method is one transaction of the venue's own."""

    def __init__(self, pool: Pool, rules: VenueRules) -> None:
        self._pool = pool
        self._rules = rules

    async def open(self) -> None:
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext('paper venue'))")
            await connection.execute(TABLES)

    async def open_account(self, account_id: AccountId, cash: Money) -> None:
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(
                "insert into account (account_id, currency, opening, cash) values ($1, $2, $3, $3) on conflict do nothing",
                account_id,
                cash.currency,
                cash.amount,
            )

    async def submit(self, request: OrderRequest) -> SubmitOutcome:
        """Take an order into the book, or refuse it; where market orders fill at once, its execution is in the answer.

        Raises TryLater when the account moves each time between the look and the entry; nothing is then in the book.
        """
        async with self._pool.acquire(timeout=5) as connection:
            for _ in range(LOOKS_MAX):
                outcome = await self._submitted(connection, request)
                if outcome is not None:
                    return outcome
        raise TryLater(f"account {request.account_id} moved while its order was taken")

    async def _submitted(self, connection: Connection, request: OrderRequest) -> SubmitOutcome | None:
        look = await connection.fetchrow(
            """select currency, cash, (select count(*) from venue_order where account_id = $1 and client_ref = $2) as times,
               (select coalesce(sum(quantity), 0) from holding where account_id = $1 and instrument_id = $3) as held
               from account where account_id = $1""",
            request.account_id,
            request.client_ref,
            request.instrument.instrument_id,
        )
        if look is None:
            return Rejected("ACCOUNT_UNKNOWN", f"the venue has no account {request.account_id}")
        order_id = short_token("venue-order", request.account_id, request.client_ref, look["times"], length=16)
        refusal = _refuses(request, look)
        at_once = self._rules.fill_at_once and request.order_type is OrderType.MARKET and refusal is None
        execution = self._execute(order_id, request) if at_once else None
        if not await self._enter(connection, order_id, request, look, refusal, execution):
            return None
        return refusal or Accepted(order_id, (execution,) if execution is not None else ())

    async def cancel(self, account_id: AccountId, client_ref: str, at: datetime) -> SubmitOutcome:
        """Take a working order out of the book. Raises nothing: an order that is done already is a refusal."""
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(
                """update venue_order set status = 'cancelled', changed_at = greatest(changed_at, $3)
                   where account_id = $1 and client_ref = $2 and status = 'working' returning venue_order_id""",
                account_id,
                client_ref,
                at,
            )
        return Accepted(row["venue_order_id"]) if row else Rejected("ORDER_DONE", "no working order has this reference")

    async def find(self, account_id: AccountId, client_ref: str) -> BrokerOrder | Absent:
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(
                "select * from venue_order where account_id = $1 and client_ref = $2 order by venue_order_id limit 1",
                account_id,
                client_ref,
            )
        return order_of(row) if row else Absent()

    async def changed_since(self, account_id: AccountId, since: datetime) -> tuple[list[BrokerOrder], list[Execution]]:
        async with (
            self._pool.acquire(timeout=5) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            orders = await connection.fetch(
                "select * from venue_order where account_id = $1 and changed_at >= $2 order by changed_at, client_ref",
                account_id,
                since,
            )
            executions = await connection.fetch(
                "select * from execution where account_id = $1 and executed_at >= $2 order by executed_at, client_ref, execution_id",
                account_id,
                since,
            )
        return [order_of(row) for row in orders], [execution_of(row) for row in executions]

    async def positions(self, account_id: AccountId) -> list[BrokerPosition]:
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(
                "select instrument_id, quantity from holding where account_id = $1 and quantity <> 0 order by instrument_id",
                account_id,
            )
        return [BrokerPosition(InstrumentId(row["instrument_id"]), Quantity(row["quantity"])) for row in rows]

    async def cash(self, account_id: AccountId) -> Money:
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow("select cash, currency from account where account_id = $1", account_id)
        if row is None:
            return Money.zero("USD")
        return Money(row["cash"], row["currency"])

    async def bars_closed(self, moment: Moment, bars: Sequence[Bar]) -> bool:
        """Fill working orders on these bars; a day order that no bar of its session filled expires with the last of them.

        Orders are matched by time and then by reference, so the same book gives the same fills. An order that was
        accepted after the open is left alone, which is also why hearing the same bars again changes nothing.
        """
        by_instrument, closes = {bar.instrument_id: bar for bar in bars}, {**moment.closes, **{bar.symbol: bar.close for bar in bars}}
        async with self._pool.acquire(timeout=5) as connection:
            look = (
                "select exists (select from venue_order where status = 'working'), exists (select from venue_order where changed_at >= $1)"
            )
            working_any, changed = await connection.fetchrow(look, moment.opened_at) or (False, False)
            if not working_any:
                return bool(changed)
            async with connection.transaction():
                working = await connection.fetch(
                    """select o.*, a.deliverable from venue_order o left join adjusted a using (instrument_id)
                       where status = 'working' and accepted_at <= $1 order by accepted_at, client_ref for update of o""",
                    moment.opened_at,
                )
                for order in working:
                    price = _matched(order, by_instrument.get(order["instrument_id"]), closes, moment)
                    if price is not None:
                        await self._fill(connection, order, price, moment.session, moment.opened_at)
                    elif moment.last and order["time_in_force"] == TimeInForce.DAY:
                        await connection.execute(
                            "update venue_order set status = 'expired', changed_at = $2 where venue_order_id = $1",
                            order["venue_order_id"],
                            moment.closed_at,
                        )
        return True

    async def action_effective(self, action: CorporateActionAnnounced) -> None:
        """A split changes holdings, and the quantities and prices of working orders, once; of an option symbol and deliverable too."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            new = await connection.fetchval(
                "insert into action_applied values ($1) on conflict do nothing returning action_id", action.action_id
            )
            if new is None:
                return
            if action.becomes:
                await _adjust_contract(connection, action)
            numbers = (action.instrument.instrument_id, action.numerator, action.denominator)
            await connection.execute("update holding set quantity = quantity * $2::int / $3::int where instrument_id = $1", *numbers)
            await connection.execute(
                """update venue_order set quantity = quantity * $2::int / $3::int, filled = filled * $2::int / $3::int,
                   limit_price = limit_price * $3::int / $2::int, stop_price = stop_price * $3::int / $2::int
                   where instrument_id = $1 and status = 'working'""",
                *numbers,
            )

    async def actions_applied(self) -> frozenset[UUID]:
        async with self._pool.acquire(timeout=5) as connection:
            return frozenset(row["action_id"] for row in await connection.fetch("select action_id from action_applied"))

    async def book(self) -> VenueBook:
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(
                """select (select count(*) from venue_order) as orders, (select count(*) from execution) as executions,
                   (select coalesce(sum(n - 1), 0) from (select count(*) as n from venue_order group by account_id, client_ref) as r) as doubles"""
            )
        if row is None:
            raise RuntimeError("a count returned no row")
        return VenueBook(orders=row["orders"], duplicate_orders=int(row["doubles"]), executions=row["executions"])

    def _execute(self, order_id: str, request: OrderRequest) -> Execution | None:
        """All of a new market order at its reference price."""
        price = request.reference_price
        if price is None:
            return None
        one = request.instrument
        value = notional(price, request.quantity, one.multiplier, one.currency)
        fee = self._rules.schedule(one.symbol).of_fill(Money.zero(one.currency), request.quantity.value, value)
        return Execution(
            execution_id=short_token("execution", order_id, NONE_YET, length=16),
            client_ref=request.client_ref,
            broker_order_id=order_id,
            side=request.side,
            quantity=request.quantity,
            price=price,
            fee=fee,
            session=request.at.date(),
            executed_at=request.at,
        )

    async def _enter(
        self,
        connection: Connection,
        order_id: str,
        request: OrderRequest,
        look: asyncpg.Record,
        refusal: Rejected | None,
        execution: Execution | None,
    ) -> bool:
        """Write an order as it was decided on this look, with its execution; False when the account has moved since."""
        one = request.instrument
        status, reason = ("rejected", f"{refusal.code}: {refusal.detail}") if refusal else ("filled" if execution else "working", "")
        filled, charged = (execution.quantity.value, execution.fee.amount) if execution else (NONE_YET, NONE_YET)
        paid = notional(execution.price, execution.quantity, one.multiplier, one.currency).amount if execution else NONE_YET
        entered = await connection.fetchval(
            """with seen as (update account set cash = cash - $21 where account_id = $2 and cash = $22
               and $23 = (select coalesce(sum(quantity), 0) from holding where account_id = $2 and instrument_id = $4) returning 1),
               entered as (insert into venue_order (venue_order_id, account_id, client_ref, instrument_id, symbol, currency, multiplier, side,
               quantity, order_type, time_in_force, limit_price, stop_price, status, reason, filled, charged, accepted_at, changed_at)
               select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18 from seen
               on conflict do nothing returning venue_order_id),
               held as (insert into holding as h (account_id, instrument_id, quantity) select $2, $4, $20 from seen where $19::text is not null
               on conflict (account_id, instrument_id) do update set quantity = h.quantity + excluded.quantity),
               executed as (insert into execution (execution_id, venue_order_id, account_id, client_ref, instrument_id, side, quantity, price,
               fee, currency, session, executed_at) select $19, $1, $2, $3, $4, $8, $16, $24, $17, $6, $25, $18 from seen
               where $19::text is not null)
               select count(*) from entered""",
            order_id, request.account_id, request.client_ref, one.instrument_id, one.symbol, one.currency, one.multiplier.value,
            request.side, request.quantity.value, request.order_type, request.time_in_force,
            request.limit_price and request.limit_price.value, request.stop_price and request.stop_price.value, status, reason,
            filled, charged, request.at, execution and execution.execution_id, filled * request.side.sign,
            paid * request.side.sign + charged, look["cash"], look["held"], execution and execution.price.value, request.at.date(),
        )  # fmt: skip
        return bool(entered)

    async def _fill(self, connection: Connection, order: asyncpg.Record, price: Price, session: date, at: datetime) -> Execution:
        """Fill all that is left of an order: the execution, the holding, the cash and the order move together."""
        quantity = Quantity(order["quantity"]) - Quantity(order["filled"])
        value = notional(price, quantity, Quantity(order["multiplier"]), order["currency"])
        fee = self._rules.schedule(order["symbol"]).of_fill(Money(order["charged"], order["currency"]), order["quantity"], value)
        side = Side(order["side"])
        row = await connection.fetchrow(
            """with held as (insert into holding as h values ($3, $5, $13) on conflict (account_id, instrument_id)
               do update set quantity = h.quantity + excluded.quantity),
               paid as (update account set cash = cash - $14 where account_id = $3),
               done as (update venue_order set filled = quantity, status = 'filled', charged = charged + $9, changed_at = $12
               where venue_order_id = $2)
               insert into execution values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning *""",
            short_token("execution", order["venue_order_id"], order["filled"], length=16), order["venue_order_id"], order["account_id"],
            order["client_ref"], order["instrument_id"], side, quantity.value, price.value, fee.amount, order["currency"], session, at,
            quantity.value * side.sign, value.amount * side.sign + fee.amount,
        )  # fmt: skip
        if row is None:
            raise RuntimeError("an insert returned no row")
        return execution_of(row)


async def _adjust_contract(connection: Connection, action: CorporateActionAnnounced) -> None:
    """What a split of its stock makes of an option: orders for it go on under its new symbol, and it may deliver more or fewer shares."""
    own = action.instrument.instrument_id
    await connection.execute("update venue_order set symbol = $2 where instrument_id = $1 and status = 'working'", own, action.becomes)
    if action.deliverable is not None:
        await connection.execute(
            "insert into adjusted values ($1, $2) on conflict (instrument_id) do update set deliverable = excluded.deliverable",
            own,
            action.deliverable.value,
        )


def _refuses(request: OrderRequest, look: asyncpg.Record) -> Rejected | None:
    """What the venue itself does not take: selling what is not held, buying for more than there is."""
    held, cash = Quantity(look["held"]), Money(look["cash"], look["currency"])
    if request.side is Side.SELL:
        return Rejected("SHORT_REFUSED", f"the account holds {held}, short sales are not offered") if held < request.quantity else None
    price = request.limit_price or request.reference_price
    if price is None:
        return None
    value = notional(price, request.quantity, request.instrument.multiplier, cash.currency)
    return Rejected("FUNDS", f"the order needs {value}, the account has {cash}") if value > cash else None


def _matched(order: asyncpg.Record, bar: Bar | None, closes: Mapping[str, Price], moment: Moment) -> Price | None:
    """The price that an order meets; of an option by its quote, and on its last day by the close of what it is on."""
    side, prices = Side(order["side"]), (bar.open, bar.high, bar.low) if bar is not None else None
    market = (bar.bid, bar.ask) if bar is not None and bar.bid is not None and bar.ask is not None else None
    if market is not None or (bar is None and is_option(order["symbol"])):
        terms = terms_of(order["symbol"])
        deliverable = Quantity(order["deliverable"]) if order["deliverable"] is not None else CONTRACT_SIZE
        met = price_met(side, market, terms, moment.session, closes.get(terms.underlying), deliverable)
        prices = (met, met, met) if met is not None else None
    if prices is None:
        return None
    return fill_price(
        side,
        OrderType(order["order_type"]),
        Price(order["limit_price"]) if order["limit_price"] is not None else None,
        Price(order["stop_price"]) if order["stop_price"] is not None else None,
        order["accepted_at"],
        moment.opened_at,
        prices,
    )
