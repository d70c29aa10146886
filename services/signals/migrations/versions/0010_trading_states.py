"""What the account of a run may do: the emergency stop of bots."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0010"
down_revision = "0009"

TABLES = """
alter table account add column trading_state text not null default 'ACTIVE' check (trading_state in ('ACTIVE', 'REDUCING', 'HALTED'));
comment on column account.trading_state is 'As execution said it last. Execution denies what it forbids; bots tell people so.';
"""


def upgrade() -> None:
    run_sql(TABLES)
