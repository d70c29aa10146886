"""Backtests as they were asked and what came of them: figures, tables as compressed columns, and the parts of a sweep."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0002"
down_revision = "0001"

TABLES = """
create table backtest (
    backtest_id    bigint generated always as identity primary key,
    user_id        uuid not null,
    asked_by       uuid unique,
    kind           text not null check (kind in ('run', 'sweep', 'walk_forward')),
    strategy       text not null,
    asked          jsonb not null,
    state          text not null check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
    done           integer not null default 0,
    total          integer not null default 0,
    code_digest    text not null,
    code_revision  text,
    data_digest    text,
    digest         text,
    trades_digest  text,
    figures        jsonb,
    error          text,
    created_at     timestamptz not null,
    beat_at        timestamptz not null,
    ended_at       timestamptz,
    check (state <> 'done' or (digest is not null and figures is not null)),
    check (state <> 'failed' or error is not null)
);
comment on column backtest.asked_by is 'The command that asked for it, so that it is queued once; null when a person ran it with qm.';
comment on column backtest.beat_at is 'When whoever works on it was last heard of.';
create index backtest_recent on backtest (user_id, backtest_id desc);
create index backtest_waiting on backtest (backtest_id) where state = 'queued';
create table backtest_table (
    backtest_id  bigint not null references backtest on delete cascade,
    name         text not null,
    rows         integer not null,
    content      bytea not null,
    primary key (backtest_id, name)
);
comment on column backtest_table.content is 'Parquet, compressed by zstd.';
create table backtest_part (
    backtest_id  bigint not null references backtest on delete cascade,
    number       integer not null,
    parameters   jsonb not null,
    figures      jsonb not null,
    digest       text not null,
    primary key (backtest_id, number)
);
comment on table backtest_part is 'One combination of a sweep, kept as soon as it is finished.';
"""


def upgrade() -> None:
    run_sql(TABLES)
