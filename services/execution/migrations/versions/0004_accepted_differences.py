"""Differences from a broker's books that a person accepted, and by how much."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0004"
down_revision = "0003"

CHANGES = """
alter table break add column gap numeric(30, 12);
comment on column break.gap is 'The broker\'\'s figure less ours; absent where the two cannot be subtracted.';
create table accepted_gap (
    account_id     text not null references account,
    about          text not null,
    instrument_id  text,
    gap            numeric(30, 12) not null,
    primary key (account_id, about)
);
comment on table accepted_gap is 'What a person accepted: a difference of just this much is no break.';
"""


def upgrade() -> None:
    run_sql(CHANGES)
