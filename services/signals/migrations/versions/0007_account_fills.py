"""Fills that no run asked for: what each moved on its account, so that a correction can put it right."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0007"
down_revision = "0006"

TABLES = """
create table account_fill (
    fill_id     uuid primary key,
    account_id  text not null references account,
    paid        numeric(30, 12) not null
);
comment on table account_fill is 'What an execution of somebody''s own order changed in the cash of its account, its fee included.';
"""


def upgrade() -> None:
    run_sql(TABLES)
