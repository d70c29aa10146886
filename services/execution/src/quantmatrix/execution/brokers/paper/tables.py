"""The venue's own tables, and their rows as values."""

import json

import asyncpg

from quantmatrix.common.names import ContractEnding, InstrumentId, Side
from quantmatrix.common.option_ends import ContractEnd
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.execution.domain.orders import Ended, Execution
from quantmatrix.execution.ports import BrokerOrder

TABLES = """
create table if not exists account (
    account_id  text primary key,
    currency    text not null,
    opening     numeric(30, 12) not null,
    cash        numeric(30, 12) not null
);
create table if not exists venue_order (
    venue_order_id  text primary key,
    account_id      text not null references account,
    client_ref      text not null,
    instrument_id   text not null,
    symbol          text not null,
    currency        text not null,
    multiplier      numeric(30, 12) not null,
    side            text not null,
    quantity        numeric(30, 12) not null,
    filled          numeric(30, 12) not null default 0,
    order_type      text not null,
    time_in_force   text not null,
    limit_price     numeric(30, 12),
    stop_price      numeric(30, 12),
    status          text not null,
    reason          text not null default '',
    charged         numeric(30, 12) not null default 0,
    accepted_at     timestamptz not null,
    changed_at      timestamptz not null
);
create index if not exists venue_order_ref on venue_order (account_id, client_ref);
create index if not exists venue_order_working on venue_order (account_id) where status = 'working';
create index if not exists venue_order_changed on venue_order (changed_at);
create table if not exists execution (
    execution_id    text primary key,
    venue_order_id  text references venue_order,
    account_id      text not null,
    client_ref      text not null,
    instrument_id   text not null,
    side            text not null,
    quantity        numeric(30, 12) not null,
    price           numeric(30, 12) not null,
    fee             numeric(30, 12) not null,
    currency        text not null,
    session         date not null,
    executed_at     timestamptz not null,
    ended           jsonb
);
alter table execution add column if not exists ended jsonb;
alter table execution alter column venue_order_id drop not null;
create index if not exists execution_since on execution (account_id, executed_at);
create table if not exists holding (
    account_id     text not null,
    instrument_id  text not null,
    quantity       numeric(30, 12) not null,
    primary key (account_id, instrument_id)
);
create index if not exists holding_sold on holding (account_id) where quantity < 0;
create table if not exists action_applied (action_id uuid primary key);
create table if not exists adjusted (
    instrument_id  text primary key,
    deliverable    numeric(30, 12) not null
);
create table if not exists contract (
    instrument_id  text primary key,
    symbol         text not null,
    ended_at       timestamptz
);
insert into contract (instrument_id, symbol) select distinct on (instrument_id) instrument_id, symbol from venue_order
    where multiplier = 100 order by instrument_id, accepted_at desc on conflict do nothing;
"""


def order_of(row: asyncpg.Record) -> BrokerOrder:
    """An order as the venue has it."""
    return BrokerOrder(
        broker_order_id=row["venue_order_id"],
        client_ref=row["client_ref"],
        status=row["status"],
        quantity=Quantity(row["quantity"]),
        filled=Quantity(row["filled"]),
        limit_price=Price(row["limit_price"]) if row["limit_price"] is not None else None,
        stop_price=Price(row["stop_price"]) if row["stop_price"] is not None else None,
        reason=row["reason"],
        changed_at=row["changed_at"],
    )


def execution_of(row: asyncpg.Record) -> Execution:
    """One execution."""
    return Execution(
        execution_id=row["execution_id"],
        client_ref=row["client_ref"],
        broker_order_id=row["venue_order_id"] or "",
        side=Side(row["side"]),
        quantity=Quantity(row["quantity"]),
        price=Price(row["price"]),
        fee=Money(row["fee"], row["currency"]),
        session=row["session"],
        executed_at=row["executed_at"],
        ended=_ended(row) if row["ended"] is not None else None,
    )


def ended_told(ended: Ended, underlying: str) -> str:
    """What became of contracts, as it is stored beside their execution. underlying: the symbol of what they are on."""
    end = ended.end
    return json.dumps(
        {
            "how": end.how, "shares": str(end.shares), "share_side": end.share_side, "paid": plain(end.paid.amount),
            "underlying": ended.underlying, "underlying_symbol": underlying, "strike": str(ended.strike),
        }
    )  # fmt: skip


def _ended(row: asyncpg.Record) -> Ended:
    told = json.loads(row["ended"])
    end = ContractEnd(
        how=ContractEnding(told["how"]),
        contracts=Quantity(row["quantity"]),
        side=Side(row["side"]),
        price=Price(row["price"]),
        shares=Quantity.parse(told["shares"]),
        share_side=Side(told["share_side"]),
        paid=Money.parse(told["paid"], row["currency"]),
    )
    return Ended(InstrumentId(row["instrument_id"]), InstrumentId(told["underlying"]), Price.parse(told["strike"]), end)
