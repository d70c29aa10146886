"""The ledger: accounts, the facts it is made of (fills, actions, cash), lots, closings, positions, marks, snapshots."""

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
    calendar       text not null
);
create table account (
    account_id    text primary key,
    user_id       uuid not null,
    broker        text not null,
    currency      text not null,
    paper         boolean not null,
    lot_method    text not null default 'FIFO',
    opening_cash  numeric(30, 12) not null,
    opened_at     timestamptz not null,
    version       integer not null default 1
);
create table fact (
    ordinal        bigint generated always as identity primary key,
    kind           text not null check (kind in ('fill', 'split')),
    fact_id        uuid not null,
    account_id     text,
    instrument_id  text not null,
    body           jsonb not null,
    unique (kind, fact_id)
);
comment on table fact is 'What was heard, in the order of booking: the ledger can be made anew from it at any time.';
create index fact_of_instrument on fact (instrument_id, ordinal);
create table lot (
    lot_id         uuid primary key,
    account_id     text not null references account,
    user_id        uuid not null,
    instrument_id  text not null,
    symbol         text not null,
    asset_class    text not null,
    currency       text not null,
    multiplier     numeric(30, 12) not null,
    fill_id        uuid not null,
    opened_quantity numeric(30, 12) not null,
    quantity       numeric(30, 12) not null,
    basis          numeric(30, 12) not null,
    opened_on      date not null,
    opened_at      timestamptz not null,
    triggered_by   text not null,
    version        integer not null default 1
);
create index lot_open on lot (account_id, instrument_id, opened_at, lot_id) where quantity <> 0;
comment on column lot.basis is 'Total cost of what is left, fees inside; never a rounded price per unit.';
create table closing (
    closing_id     uuid primary key,
    lot_id         uuid not null references lot,
    fill_id        uuid not null,
    account_id     text not null references account,
    user_id        uuid not null,
    instrument_id  text not null,
    symbol         text not null,
    currency       text not null,
    quantity       numeric(30, 12) not null,
    proceeds       numeric(30, 12) not null,
    basis          numeric(30, 12) not null,
    realised       numeric(30, 12) not null,
    opened_on      date not null,
    closed_on      date not null,
    closed_at      timestamptz not null,
    triggered_by   text not null
);
create index closing_of_account on closing (account_id, closed_at desc);
create table cash_entry (
    entry_id     uuid primary key,
    account_id   text not null references account,
    user_id      uuid not null,
    kind         text not null check (kind in ('opening', 'trade', 'fee')),
    about        uuid not null,
    amount       numeric(30, 12) not null,
    currency     text not null,
    session      date,
    booked_at    timestamptz not null
);
create index cash_of_account on cash_entry (account_id, booked_at desc);
create table position (
    account_id     text not null references account,
    instrument_id  text not null,
    user_id        uuid not null,
    symbol         text not null,
    asset_class    text not null,
    currency       text not null,
    multiplier     numeric(30, 12) not null,
    quantity       numeric(30, 12) not null,
    basis          numeric(30, 12) not null,
    realised       numeric(30, 12) not null default 0,
    version        integer not null default 1,
    primary key (account_id, instrument_id)
);
create table cash (
    account_id  text not null references account,
    currency    text not null,
    amount      numeric(30, 12) not null,
    primary key (account_id, currency)
);
create table mark (
    instrument_id  text primary key,
    price          numeric(30, 12) not null,
    session        date not null,
    marked_at      timestamptz not null
);
create table snapshot (
    account_id    text not null references account,
    session       date not null,
    taken_at      timestamptz not null,
    currency      text not null,
    cash          numeric(30, 12) not null,
    market_value  numeric(30, 12) not null,
    equity        numeric(30, 12) not null,
    realised      numeric(30, 12) not null,
    unrealised    numeric(30, 12) not null,
    positions     integer not null,
    primary key (account_id, session)
);
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
