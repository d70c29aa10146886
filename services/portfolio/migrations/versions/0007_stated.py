"""Cash that statements bring into accounts that fills make, and rows that two kinds of files tell of."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0007"
down_revision = "0006"

TABLES = """
alter table cash_entry add column stated boolean not null default false;
comment on column cash_entry.stated is 'Brought by a statement into an account that execution opened; taken back with the file.';
create index cash_entry_stated on cash_entry (account_id) where stated;
alter table statement_entry add column same_as text;
comment on column statement_entry.same_as is 'The row of another kind of file that tells the same and is booked; empty for a row that is booked itself.';
create index statement_entry_same on statement_entry (user_id, broker, account, same_as) where same_as is not null;
"""


def upgrade() -> None:
    run_sql(TABLES)
