"""Accounts with their limits and state, orders with every event, executions, positions, marks, breaks."""

from quantmatrix.common.runtime.migrations import run_sql
from quantmatrix.common.runtime.tables import MESSAGING

revision = "0001"
down_revision = None

TABLES = """
create table instrument (
    instrument_id  text primary key,
    symbol         text not null,
    asset_class    text not null,
    currency       text not null,
    multiplier     numeric(30, 12) not null,
    tick_size      numeric(30, 12) not null,
    lot_size       numeric(30, 12) not null,
    calendar       text not null
);
create table account (
    account_id     text primary key,
    user_id        uuid not null,
    broker         text not null,
    currency       text not null,
    paper          boolean not null,
    trading_state  text not null default 'ACTIVE' check (trading_state in ('ACTIVE', 'REDUCING', 'HALTED')),
    opening_cash   numeric(30, 12) not null,
    cash           numeric(30, 12) not null,
    opened_at      timestamptz not null,
    version        integer not null default 1
);
create table orders (
    order_id         uuid primary key,
    account_id       text not null references account,
    user_id          uuid not null,
    client_ref       text not null unique check (client_ref ~ '^[0-9A-Z]{20}$'),
    intent_id        uuid not null unique,
    broker_order_id  text not null default '',
    instrument_id    text not null,
    symbol           text not null,
    asset_class      text not null,
    currency         text not null,
    multiplier       numeric(30, 12) not null,
    side             text not null check (side in ('BUY', 'SELL')),
    quantity         numeric(30, 12) not null check (quantity > 0 or state = 'denied'),
    filled           numeric(30, 12) not null default 0,
    order_type       text not null,
    time_in_force    text not null,
    limit_price      numeric(30, 12),
    stop_price       numeric(30, 12),
    reference_price  numeric(30, 12),
    state            text not null,
    code             text,
    detail           text,
    triggered_by     text not null,
    session          date not null,
    created_at       timestamptz not null,
    last_event       uuid,
    trace            uuid,
    version          integer not null default 1
);
create index orders_open on orders (account_id, state) where state in ('submitting', 'accepted', 'partially_filled', 'cancelling', 'unknown');
create index orders_of_user on orders (user_id, created_at desc);
comment on column orders.created_at is 'Event time, UTC.';
create table order_event (
    order_id     uuid not null references orders,
    ordinal      integer not null,
    event        text not null,
    state        text not null,
    occurred_at  timestamptz not null,
    detail       text,
    primary key (order_id, ordinal)
);
create table execution (
    account_id    text not null references account,
    execution_id  text not null,
    fill_id       uuid not null unique,
    order_id      uuid not null references orders,
    instrument_id text not null,
    side          text not null,
    quantity      numeric(30, 12) not null check (quantity >= 0),
    price         numeric(30, 12) not null,
    fee           numeric(30, 12) not null,
    currency      text not null,
    session       date not null,
    executed_at   timestamptz not null,
    corrects      text,
    primary key (account_id, execution_id)
);
create index execution_of_order on execution (order_id);
create table position (
    account_id     text not null references account,
    instrument_id  text not null,
    quantity       numeric(30, 12) not null,
    primary key (account_id, instrument_id)
);
create table action_applied (
    action_id   uuid primary key,
    applied_at  timestamptz not null default clock_timestamp()
);
create table mark (
    instrument_id  text primary key,
    price          numeric(30, 12) not null,
    session        date not null,
    marked_at      timestamptz not null
);
create table break (
    break_id     uuid primary key,
    account_id   text not null references account,
    about        text not null,
    ours         text not null,
    theirs       text not null,
    found_at     timestamptz not null,
    resolved_at  timestamptz,
    resolution   text
);
create unique index break_open on break (account_id, about) where resolved_at is null;
create table waiting_watermark (
    calendar    text primary key,
    timeframe   text not null,
    session     date not null,
    moment      timestamptz not null,
    message_id  uuid not null,
    trace       uuid not null
);
comment on table waiting_watermark is 'A moment whose decisions were all heard, while some of its orders are still on their way to the broker.';
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
