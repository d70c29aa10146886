"""Runs, what each run holds and has under way, the signals it raised, and how far it has decided."""

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
create table run (
    run_id        uuid primary key,
    user_id       uuid not null,
    account_id    text not null,
    strategy      text not null,
    parameters    jsonb not null default '{}',
    triggered_by  text not null unique,
    state         text not null check (state in ('running', 'paused', 'stopped')),
    currency      text not null,
    base          numeric(30, 12) not null check (base > 0),
    cash          numeric(30, 12) not null,
    started_at    timestamptz not null,
    version       integer not null default 1,
    unique (user_id, account_id, strategy)
);
comment on column run.base is 'The capital envelope: what the run may deploy. cash is what of it is not in positions.';
create table holding (
    run_id         uuid not null references run,
    instrument_id  text not null references instrument,
    quantity       numeric(30, 12) not null,
    initial        numeric(30, 12) not null,
    stop_level     double precision,
    levels_done    integer[] not null default '{}',
    primary key (run_id, instrument_id)
);
comment on column holding.stop_level is 'A statistic on the forward-adjusted series, never an order price.';
create table working (
    order_id       uuid primary key,
    signal_id      uuid not null,
    run_id         uuid not null references run,
    instrument_id  text not null references instrument,
    kind           text not null,
    side           text not null,
    quantity       numeric(30, 12) not null check (quantity > 0),
    filled         numeric(30, 12) not null default 0,
    stop_level     double precision
);
create index working_of_run on working (run_id);
create table signal (
    signal_id      uuid primary key,
    run_id         uuid not null references run,
    user_id        uuid not null,
    account_id     text not null,
    instrument_id  text not null,
    kind           text not null,
    session        date not null,
    decided_at     timestamptz not null,
    expires_at     timestamptz not null,
    strength       double precision not null check (strength between 0 and 1),
    body           jsonb not null
);
create index signal_recent on signal (user_id, decided_at desc);
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
