"""Instruments as identities over time, raw bars, corporate actions, and the state of the replay."""

from quantmatrix.common.runtime.migrations import run_sql
from quantmatrix.common.runtime.tables import MESSAGING

revision = "0001"
down_revision = None

TABLES = """
create table instrument (
    instrument_id  text primary key,
    asset_class    text not null,
    name           text not null,
    currency       text not null,
    multiplier     numeric(30, 12) not null check (multiplier > 0),
    tick_size      numeric(30, 12) not null check (tick_size > 0),
    lot_size       numeric(30, 12) not null check (lot_size > 0),
    calendar       text not null,
    version        integer not null default 1
);
create table symbol_alias (
    instrument_id  text not null references instrument,
    symbol         text not null,
    valid_from     date not null,
    valid_to       date,
    primary key (symbol, valid_from),
    check (valid_to is null or valid_to > valid_from)
);
comment on table symbol_alias is 'Symbols are dated names of instruments; valid_to is the first date on which the name no longer holds.';
create table bar (
    timeframe      text not null,
    session        date not null,
    instrument_id  text not null references instrument,
    open           numeric(30, 12) not null check (open > 0),
    high           numeric(30, 12) not null,
    low            numeric(30, 12) not null check (low > 0),
    close          numeric(30, 12) not null check (close > 0),
    volume         numeric(30, 12) not null check (volume >= 0),
    primary key (timeframe, session, instrument_id),
    check (low <= least(open, close) and high >= greatest(open, close))
);
create index bar_of_instrument on bar (instrument_id, timeframe, session);
create table corporate_action (
    action_id      uuid primary key,
    kind           text not null check (kind in ('split', 'dividend')),
    instrument_id  text not null references instrument,
    effective      date not null,
    numerator      integer not null default 1 check (numerator > 0),
    denominator    integer not null default 1 check (denominator > 0),
    amount         numeric(30, 12),
    derived        boolean not null default false,
    source         text not null
);
create index corporate_action_effective on corporate_action (effective);
create table replay (
    one            boolean primary key default true check (one),
    feed           text not null,
    content        text not null,
    first_session  date not null,
    last_session   date not null,
    sessions       integer not null,
    state          text not null check (state in ('running', 'paused', 'finished')),
    pace_s         double precision not null check (pace_s >= 0),
    published      date,
    published_at   timestamptz,
    settled        date,
    bars_published bigint not null default 0,
    version        integer not null default 1
);
comment on column replay.content is 'SHA-256 of what the feed brought; another content needs another data folder.';
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
