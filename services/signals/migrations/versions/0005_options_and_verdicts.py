"""What an option is on, what bots made of each bar, and capital that a run is given or gives back later."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0005"
down_revision = "0004"

TABLES = """
alter table instrument add column underlying text;
comment on column instrument.underlying is 'Of an option, what it is on.';

create table verdict (
    run_id         uuid not null references run,
    instrument_id  text not null references instrument,
    session        date not null,
    at             timestamptz not null,
    action         text not null,
    score          double precision not null,
    confidence     double precision not null,
    temperature    text not null,
    readiness      text not null,
    code           text not null,
    detail         text not null,
    reasons        jsonb not null,
    primary key (run_id, instrument_id, session)
);
comment on table verdict is 'What a bot made of a bar: its opinion, and the first gate that was shut, none when all were open.';
create index verdict_latest on verdict (run_id, session desc, instrument_id);

alter table run_entry drop constraint run_entry_kind_check;
alter table run_entry add check (kind in ('opened', 'carried', 'bought', 'sold', 'cycle', 'corrected', 'funded'));
"""


def upgrade() -> None:
    run_sql(TABLES)
