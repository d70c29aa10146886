"""What execution answers when it is asked."""

from datetime import UTC, datetime

import asyncpg

from quantmatrix.common.contracts.asking.days import Behind, OrdersBehind, OrdersBehindAsked
from quantmatrix.common.contracts.asking.execution import (
    AccountBook,
    Accounts,
    AccountsAsked,
    AccountSummary,
    Books,
    BooksAsked,
    Breaks,
    BreaksAsked,
    BreakSummary,
    Fills,
    FillsAsked,
    FillSummary,
    OrderPreview,
    OrderPreviewAsked,
    Orders,
    OrdersAsked,
    OrderSummary,
)
from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    AssetClass,
    FillId,
    InstrumentId,
    OrderId,
    OrderState,
    OrderType,
    Side,
    SignalId,
    TimeInForce,
)
from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, round_half_even
from quantmatrix.execution.domain.risk import Limits
from quantmatrix.execution.ending import ends_told
from quantmatrix.execution.ports import PriceDriven
from quantmatrix.execution.previewing import preview
from quantmatrix.execution.reconcile import Brokers
from quantmatrix.execution.store import Account, ExecutionStore

LIMIT_MAX = 500
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Answers:
    """One method per question, over a read-only view."""

    def __init__(self, brokers: Brokers, limits: Limits, clock: Clock) -> None:
        self._brokers = brokers
        self._limits = limits
        self._clock = clock

    async def accounts(self, asked: AccountsAsked, connection: Connection) -> Accounts:
        found = [account for account in await ExecutionStore(connection).accounts() if account.user_id == asked.user_id]
        return Accounts(
            tuple(
                AccountSummary(
                    one.account_id,
                    one.user_id,
                    one.broker,
                    one.currency,
                    one.paper,
                    one.trading_state,
                    one.opening_cash,
                    one.cash,
                )
                for one in found
            )
        )

    async def orders(self, asked: OrdersAsked, connection: Connection) -> Orders:
        rows = await connection.fetch(
            """
            select o.*, e.average, e.last from orders o left join lateral (
                select sum(price * quantity) / nullif(sum(quantity), 0) as average, max(executed_at) as last from execution e where e.order_id = o.order_id
            ) e on true
            where user_id = $1 and ($2::text is null or account_id = $2) and ($3::text is null or instrument_id = $3)
              and ($4::uuid is null or o.order_id = $4) and ($5::timestamptz is null or (created_at, o.order_id) < ($5, coalesce($6, o.order_id)))
            order by created_at desc, o.order_id desc limit $7
            """,
            asked.user_id,
            asked.account_id,
            asked.instrument_id,
            asked.order_id,
            asked.before,
            asked.before_id,
            max(1, min(asked.limit, LIMIT_MAX)),
        )
        return Orders(tuple(_order(row) for row in rows))

    async def fills(self, asked: FillsAsked, connection: Connection) -> Fills:
        rows = await connection.fetch(
            """
            select e.*, o.symbol, o.asset_class, o.multiplier, o.triggered_by from execution e join orders o using (order_id)
            where o.user_id = $1 and ($2::text is null or e.account_id = $2) and ($3::text is null or e.instrument_id = $3)
              and ($4::timestamptz is null or e.executed_at < $4 or (e.executed_at = $4 and e.fill_id > $5))
              and ($7::date is null or e.session = $7)
            order by e.executed_at desc, e.fill_id limit $6
            """,
            *_span(asked),
        )
        fills = [_fill(row) for row in rows]
        if asked.ends:
            fills += await ends_told(connection, *_span(asked))
        fills.sort(key=lambda one: one.fill_id)
        fills.sort(key=lambda one: one.executed_at, reverse=True)
        return Fills(tuple(fills[: _limit(asked)]))

    async def orders_behind(self, asked: OrdersBehindAsked, connection: Connection) -> OrdersBehind:
        rows = await connection.fetch(
            """select e.fill_id, o.intent_id from execution e join orders o using (order_id)
               where o.user_id = $1 and e.fill_id = any($2::uuid[]) order by e.fill_id""",
            asked.user_id,
            list(asked.fills),
        )
        accepted = await connection.fetchval(
            "select count(*) from orders where user_id = $1 and intent_id = any($2::uuid[]) and state not in ('denied', 'rejected')",
            asked.user_id,
            list(asked.decisions),
        )
        return OrdersBehind(tuple(Behind(FillId(row["fill_id"]), SignalId(row["intent_id"])) for row in rows), accepted)

    async def breaks(self, asked: BreaksAsked, connection: Connection) -> Breaks:
        rows = await connection.fetch(
            """select b.* from break b join account a using (account_id) where a.user_id = $1
               order by b.resolved_at is null desc, b.found_at desc, b.break_id limit $2""",
            asked.user_id,
            max(1, min(asked.limit, LIMIT_MAX)),
        )
        return Breaks(
            tuple(
                BreakSummary(
                    row["break_id"], AccountId(row["account_id"]), row["about"], row["ours"], row["theirs"], row["found_at"],
                    row["resolved_at"], row["resolution"],
                )
                for row in rows
            )
        )  # fmt: skip

    async def preview(self, asked: OrderPreviewAsked, connection: Connection) -> OrderPreview:
        """The gate's own check, on what the tables say now. Raises Refused for an account that is not the asker's."""
        return await preview(asked, connection, self._limits, self._clock.now())

    async def books(self, _: BooksAsked, connection: Connection) -> Books:
        store = ExecutionStore(connection)
        return Books(tuple([await self._book_of(account, store, connection) for account in await store.accounts()]))

    async def _book_of(self, account: Account, store: ExecutionStore, connection: Connection) -> AccountBook:
        broker = self._brokers.of(account)
        theirs, executed = await broker.changed_since(account.account_id, BEGINNING)
        refs = {
            row["client_ref"] for row in await connection.fetch("select client_ref from orders where account_id = $1", account.account_id)
        }
        rows = await connection.fetch(
            """select execution_id, corrects from execution where account_id = $1
               union all select coalesce(confirmed_as, execution_id), null from contract_end where account_id = $1""",
            account.account_id,
        )
        booked = {row["execution_id"] for row in rows}
        superseded = {row["corrects"] for row in rows}
        standing = [one for one in executed if one.quantity and one.execution_id not in superseded]
        breaks = await connection.fetch(
            "select about, ours, theirs from break where account_id = $1 and resolved_at is null order by about",
            account.account_id,
        )
        book = await broker.book() if isinstance(broker, PriceDriven) else None
        orders = await connection.fetchval("select count(*) from orders where account_id = $1 and state <> 'denied'", account.account_id)
        return AccountBook(
            account_id=account.account_id,
            currency=account.currency,
            opening_cash=account.opening_cash,
            cash=account.cash,
            broker_cash=await broker.cash(account.account_id),
            positions=dict(sorted((await store.positions(account.account_id)).items())),
            broker_positions={one.instrument_id: one.quantity for one in await broker.positions(account.account_id)},
            orders=orders,
            executions=len(booked),
            broker_orders=len(theirs),
            broker_executions=len(standing),
            duplicate_orders=book.duplicate_orders if book else 0,
            orders_without_intent=tuple(sorted({one.client_ref for one in theirs} - refs)),
            executions_not_booked=tuple(sorted({one.execution_id for one in executed} - booked - superseded)),
            open_breaks=tuple(f"{row['about']}: ours {row['ours']}, the broker's {row['theirs']}" for row in breaks),
        )

    async def ledger_digest(self, _: LedgerDigestAsked, connection: Connection) -> LedgerDigest:
        """Orders with their states, and executions, in canonical rows."""
        orders = await connection.fetch(
            """select order_id, account_id, client_ref, broker_order_id, instrument_id, side, quantity, filled, order_type, time_in_force,
               limit_price, stop_price, state, code, triggered_by, session, created_at from orders order by order_id"""
        )
        executions = await connection.fetch(
            """select account_id, execution_id, order_id, instrument_id, side, quantity, price, fee, currency, session, executed_at, corrects
               from execution order by account_id, execution_id"""
        )
        ends = await connection.fetch(
            """select account_id, execution_id, instrument_id, underlying_id, how, side, contracts, price, shares, share_side, strike, paid, fee,
               currency, session, ended_at, triggered_by from contract_end order by account_id, execution_id"""
        )
        states = [row["state"] for row in orders]
        counts = {
            "orders": len(orders),
            "denied": states.count("denied"),
            "rejected": states.count("rejected"),
            "unknown": states.count("unknown"),
            "fills": len(executions) + len(ends),
        }
        for broker in self._brokers.price_driven():
            book = await broker.book()
            counts |= {
                "venue_orders": book.orders,
                "duplicate_orders": book.duplicate_orders,
                "venue_executions": book.executions,
            }
        told = {"orders": orders, "executions": executions} | ({"ends": ends} if ends else {})
        return LedgerDigest(digest=digest_rows(told), counts=counts)


def _limit(asked: FillsAsked) -> int:
    return max(1, min(asked.limit, LIMIT_MAX))


def _span(asked: FillsAsked) -> tuple[object, ...]:
    """What both statements take."""
    return asked.user_id, asked.account_id, asked.instrument_id, asked.before, asked.before_id, _limit(asked), asked.session


def _instrument(row: asyncpg.Record) -> Instrument:
    return Instrument(
        InstrumentId(row["instrument_id"]),
        row["symbol"],
        AssetClass(row["asset_class"]),
        row["currency"],
        Quantity(row["multiplier"]),
    )


def _price(row: asyncpg.Record, name: str) -> Price | None:
    return None if row[name] is None else Price(round_half_even(row[name]))


def _order(row: asyncpg.Record) -> OrderSummary:
    return OrderSummary(
        order_id=OrderId(row["order_id"]),
        account_id=AccountId(row["account_id"]),
        client_ref=row["client_ref"],
        broker_order_id=row["broker_order_id"],
        instrument=_instrument(row),
        side=Side(row["side"]),
        quantity=Quantity(row["quantity"]),
        filled=Quantity(row["filled"]),
        average_price=_price(row, "average"),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        limit_price=_price(row, "limit_price"),
        stop_price=_price(row, "stop_price"),
        reference_price=_price(row, "reference_price"),
        state=OrderState(row["state"]),
        code=row["code"],
        detail=row["detail"],
        triggered_by=row["triggered_by"],
        session=row["session"],
        created_at=row["created_at"],
        filled_at=row["last"],
    )


def _fill(row: asyncpg.Record) -> FillSummary:
    return FillSummary(
        fill_id=FillId(row["fill_id"]),
        execution_id=row["execution_id"],
        order_id=OrderId(row["order_id"]),
        account_id=AccountId(row["account_id"]),
        instrument=_instrument(row),
        side=Side(row["side"]),
        quantity=Quantity(row["quantity"]),
        price=Price(row["price"]),
        fee=Money(row["fee"], row["currency"]),
        session=row["session"],
        executed_at=row["executed_at"],
        triggered_by=row["triggered_by"],
    )
