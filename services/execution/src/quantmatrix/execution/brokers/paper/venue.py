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
from quantmatrix.common.options import (
    CONTRACT_SIZE,
    calls_covered,
    cash_bound,
    is_closing,
    is_option,
    price_met,
    terms_of,
)
from quantmatrix.common.runtime.database import Connection, Pool
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.brokers.paper.contracts import Assigned, assign, bound_cash, end_contracts, is_over, keep_contract, shares_for
from quantmatrix.execution.brokers.paper.matching import fill_price
from quantmatrix.execution.brokers.paper.splits import follow
from quantmatrix.execution.brokers.paper.stillness import Stillness
from quantmatrix.execution.brokers.paper.tables import TABLES, execution_of, order_of
from quantmatrix.execution.domain.commission import Tariff, affordable
from quantmatrix.execution.domain.orders import Execution
from quantmatrix.execution.ports import (
    Absent,
    Accepted,
    BrokerOrder,
    BrokerPosition,
    Close,
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
    """How this venue behaves: what orders cost, and whether market orders fill at once on the reference price."""

    tariff: Tariff
    fill_at_once: bool = False


class PaperVenue:
    """Every method is one transaction of the venue's own."""

    def __init__(self, pool: Pool, rules: VenueRules) -> None:
        self._pool = pool
        self._rules = rules
        self._still = Stillness()

    @property
    def at_rest(self) -> bool:
        return self._still.lasting

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
        with self._still.broken():
            return await self._taken(request)

    async def _taken(self, request: OrderRequest) -> SubmitOutcome:
        async with self._pool.acquire(timeout=5) as connection:
            for _ in range(LOOKS_MAX):
                outcome = await self._submitted(connection, request)
                if outcome is not None:
                    return outcome
        raise TryLater(f"account {request.account_id} moved while its order was taken")

    async def _submitted(self, connection: Connection, request: OrderRequest) -> SubmitOutcome | None:
        look = await connection.fetchrow(
            """select currency, cash, (select count(*) from venue_order where account_id = $1 and client_ref = $2) as times,
               (select coalesce(sum(quantity), 0) from holding where account_id = $1 and instrument_id = $3) as held,
               exists (select from holding where account_id = $1 and quantity < 0) or exists (select from venue_order
               where account_id = $1 and status = 'working' and side = 'SELL' and multiplier = 100) as sold
               from account where account_id = $1""",
            request.account_id,
            request.client_ref,
            request.instrument.instrument_id,
        )
        if look is None:
            return Rejected("ACCOUNT_UNKNOWN", f"the venue has no account {request.account_id}")
        order_id = short_token("venue-order", request.account_id, request.client_ref, look["times"], length=16)
        currency = look["currency"]
        if is_option(request.instrument.symbol):
            await keep_contract(connection, request.instrument.instrument_id, request.instrument.symbol)
        sells = look["sold"] or (request.side is Side.SELL and is_option(request.instrument.symbol))
        bound = await bound_cash(connection, request.account_id, currency) if sells else Money.zero(currency)
        shares = await shares_for(connection, request, look["sold"])
        refusal = _refuses(request, look, bound, self._rules.tariff, shares)
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
        self._still.seen(working=row is not None and row["status"] == "working")
        return order_of(row) if row else Absent()

    async def changed_since(self, account_id: AccountId, since: datetime) -> tuple[list[BrokerOrder], list[Execution]]:
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(
                """select
                   (select array_agg(o order by changed_at, client_ref) from venue_order o where account_id = $1 and changed_at >= $2) as orders,
                   (select array_agg(e order by executed_at, client_ref, execution_id) from execution e
                    where account_id = $1 and executed_at >= $2) as executions""",
                account_id,
                since,
            )
        orders, executions = (row["orders"] or [], row["executions"] or []) if row is not None else ([], [])
        self._still.seen(working=any(one["status"] == "working" for one in orders))
        return [order_of(one) for one in orders], [execution_of(one) for one in executions]

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
        """Fill working orders on these bars; a day order that no bar of its session filled expires with the last of them, and every order with
        its contract.

        Orders are matched by time, then by instrument and by reference, so the same book gives the same fills, and where the cash does
        not pay for all of one close those that a backtest makes. An order that was accepted after the open is left alone, which is also
        why hearing the same bars again changes nothing. A purchase fills as far as the cash pays for it, and what is left of it is
        cancelled; what sold puts bind pays for none.
        """
        if self._still.holds(moment.opened_at):
            return False
        begun = self._still.looking()
        by_instrument = {bar.instrument_id: bar for bar in bars}
        closes = {**moment.closes, **{bar.symbol: Close(bar.instrument_id, bar.close) for bar in bars}}
        async with self._pool.acquire(timeout=5) as connection:
            look = """select exists (select from venue_order where status = 'working'),
                exists (select from venue_order where changed_at >= $1) or exists (select from contract where ended_at >= $1),
                exists (select from holding where quantity < 0), exists (select from holding join contract using (instrument_id) where quantity <> 0)"""
            working_any, changed, sold, options = await connection.fetchrow(look, moment.opened_at) or (False, False, False, False)
            if not working_any and not options:
                if not changed:
                    self._still.found(begun, moment.opened_at)
                return bool(changed)
            async with connection.transaction():
                working = await connection.fetch(
                    """select o.*, a.deliverable, c.cash, coalesce(h.quantity, 0) as held from venue_order o join account c using (account_id)
                       left join adjusted a using (instrument_id) left join holding h using (account_id, instrument_id)
                       where status = 'working' and accepted_at <= $1 order by accepted_at, o.instrument_id collate "C", client_ref for update of o, c""",
                    moment.opened_at,
                )
                cash = {order["account_id"]: Money(order["cash"], order["currency"]) for order in working}
                sold = sold or any(order["side"] == Side.SELL and is_option(order["symbol"]) for order in working)
                held = {(order["account_id"], order["instrument_id"]): Quantity(order["held"]) for order in working}
                for order in working:
                    own, of = order["account_id"], (order["account_id"], order["instrument_id"])
                    price = _matched(order, held[of], by_instrument.get(order["instrument_id"]), closes, moment)
                    if price is not None:
                        free = await _free(connection, order, held[of], cash[own]) if sold else cash[own]
                        paid, moved = await self._fill(connection, order, price, moment.session, moment.opened_at, free)
                        cash[own], held[of] = cash[own] - paid, held[of] + moved
                    elif moment.last and (order["time_in_force"] == TimeInForce.DAY or is_over(order["symbol"], closes, moment)):
                        await connection.execute(
                            "update venue_order set status = 'expired', changed_at = $2 where venue_order_id = $1",
                            order["venue_order_id"],
                            moment.closed_at,
                        )
                options = options or any(is_option(order["symbol"]) for order in working)
                ended = options and moment.last and await end_contracts(connection, moment, closes, self._rules.tariff)
        return bool(working_any or changed or ended)

    async def assign(self, wanted: Assigned) -> None:
        """Let somebody exercise contracts that an account has sold. Raises ValueError where it has sold fewer."""
        with self._still.broken():
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                await assign(connection, wanted, self._rules.tariff)

    async def action_effective(self, action: CorporateActionAnnounced) -> None:
        """A split changes holdings, and the quantities and prices of working orders, once; of an option symbol and deliverable too."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            new = await connection.fetchval(
                "insert into action_applied values ($1) on conflict do nothing returning action_id", action.action_id
            )
            if new is None:
                return
            await follow(connection, action)

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
        fee = self._rules.tariff.schedule(one.symbol).of_order(request.quantity.value, value)
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

    async def _fill(
        self, connection: Connection, order: asyncpg.Record, price: Price, session: date, at: datetime, cash: Money
    ) -> tuple[Money, Quantity]:
        """Fill what is left of an order, a purchase as far as this cash pays: the execution, the holding, the account's cash and the
        order move together. Returns what was paid and what came, both below zero for a sale.
        """
        side, multiplier, left = Side(order["side"]), Quantity(order["multiplier"]), Quantity(order["quantity"]) - Quantity(order["filled"])
        schedule = self._rules.tariff.schedule(order["symbol"])
        quantity = affordable(schedule, cash, price, left, multiplier) if side is Side.BUY else left
        reason = f"FUNDS: {left} wanted at {price}, {cash} pays for {quantity}" if quantity < left else ""
        value = notional(price, quantity, multiplier, order["currency"])
        fee = schedule.of_fill(Money(order["charged"], order["currency"]), order["filled"] + quantity.value, value)
        paid = value.times(Decimal(side.sign)) + fee
        await connection.execute(
            """with held as (insert into holding as h select $3, $5, $13 where $7::numeric > 0 on conflict (account_id, instrument_id)
               do update set quantity = h.quantity + excluded.quantity),
               paid as (update account set cash = cash - $14 where account_id = $3),
               done as (update venue_order set filled = filled + $7, status = $15, reason = $16, charged = charged + $9, changed_at = $12
               where venue_order_id = $2)
               insert into execution select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 where $7::numeric > 0""",
            short_token("execution", order["venue_order_id"], order["filled"], length=16), order["venue_order_id"], order["account_id"],
            order["client_ref"], order["instrument_id"], side, quantity.value, price.value, fee.amount, order["currency"], session, at,
            quantity.value * side.sign, paid.amount, "cancelled" if reason else "filled", reason,
        )  # fmt: skip
        return paid, quantity if side is Side.BUY else -quantity


async def _free(connection: Connection, order: asyncpg.Record, held: Quantity, cash: Money) -> Money:
    """What a fill may take of the cash: a purchase that only closes all of it, another one what sold puts do not bind."""
    if Side(order["side"]) is Side.SELL or Quantity(order["quantity"]) - Quantity(order["filled"]) <= -held:
        return cash
    return cash - await bound_cash(connection, order["account_id"], cash.currency)


def _refuses(request: OrderRequest, look: asyncpg.Record, bound: Money, tariff: Tariff, shares: Quantity | None) -> Rejected | None:
    """What the venue itself does not take: selling what is not held, but for puts that cash secures and calls that shares cover, selling those
    shares, and buying for more than there is, commission included. bound: the cash that sold puts bind; shares: as `shares_for` has them.
    """
    held, cash = Quantity(look["held"]), Money(look["cash"], look["currency"])
    if request.side is Side.SELL:
        if shares is not None and not is_option(request.instrument.symbol) and shares < request.quantity <= held:
            return Rejected("SHARES_BOUND", f"of {held} shares sold calls and sales under way leave {shares}")
        short = request.quantity - min(max(held, Quantity(0)), request.quantity)
        if shares is not None and is_option(request.instrument.symbol) and short and short <= calls_covered(shares):
            return None
        secures = cash_bound(request.instrument.symbol, request.quantity - min(max(held, Quantity(0)), request.quantity), cash.currency)
        if held >= request.quantity:
            return None
        if secures is None:
            return Rejected("SHORT_REFUSED", f"the account holds {held}, short sales are not offered")
        return Rejected("FUNDS", f"sold puts would bind {bound + secures}, the account has {cash}") if bound + secures > cash else None
    free = cash if request.quantity <= -held else cash - bound
    price = request.limit_price or request.reference_price
    if price is None:
        return None
    one = request.instrument
    needed = tariff.needed(one.symbol, request.quantity, notional(price, request.quantity, one.multiplier, cash.currency))
    return Rejected("FUNDS", f"the order needs {needed}, the account has {free}") if needed > free else None


def _matched(order: asyncpg.Record, held: Quantity, bar: Bar | None, closes: Mapping[str, Close], moment: Moment) -> Price | None:
    """The price that an order meets; of an option by its quote, and on its last day by the close of what it is on."""
    side, prices = Side(order["side"]), (bar.open, bar.high, bar.low) if bar is not None else None
    market = (bar.bid, bar.ask) if bar is not None and bar.bid is not None and bar.ask is not None else None
    if market is not None or (bar is None and is_option(order["symbol"])):
        terms = terms_of(order["symbol"])
        deliverable = Quantity(order["deliverable"]) if order["deliverable"] is not None else CONTRACT_SIZE
        closing = is_closing(side, held)
        close = closes.get(terms.underlying)
        met = price_met(side, market, terms, moment.session, close.price if close else None, deliverable, closing=closing)
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
