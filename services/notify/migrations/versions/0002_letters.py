"""Letters: what each person is written once per session, and when; and who is written to."""

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.migrations import run_sql

revision = "0002"
down_revision = "0001"

TABLES = """
create table reader (
    user_id  uuid primary key
);
create table letter (
    user_id      uuid not null references reader,
    kind         text not null check (kind in ('morning', 'summary')),
    session      date not null,
    due_at       timestamptz not null,
    give_up_at   timestamptz not null,
    state        text not null default 'due' check (state in ('due', 'told', 'skipped')),
    next_try_at  timestamptz not null default clock_timestamp(),
    reason       text,
    primary key (user_id, kind, session)
);
create index letter_due on letter (next_try_at) where state = 'due';
comment on column letter.due_at is 'Event time, UTC. give_up_at is by the wall clock: a letter that comes too late is none.';
"""


def upgrade() -> None:
    run_sql(TABLES)
    run_sql(f"insert into reader (user_id) select distinct user_id from notification union select '{FIRST_ADMINISTRATOR}'::uuid")
