"""Assignments that a person told of a broker's letter, the execution by which the broker confirms one, and since when a split holds."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0008"
down_revision = "0007"

TABLES = """
alter table contract_end add column told boolean not null default false;
alter table contract_end add column confirmed_as text;
alter table action_applied add column instrument_id text;
alter table action_applied add column effective date;
create unique index contract_end_confirmed on contract_end (account_id, confirmed_as) where confirmed_as is not null;
comment on column contract_end.told is 'A person told it, before the broker listed it.';
comment on column contract_end.confirmed_as is 'The execution by which the broker listed what was told; it is not booked again.';
"""


def upgrade() -> None:
    run_sql(TABLES)
