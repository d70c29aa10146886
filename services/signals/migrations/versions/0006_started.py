"""When work on a backtest began, so that the time left can be told."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0006"
down_revision = "0005"

TABLES = """
alter table backtest add column started_at timestamptz;
comment on column backtest.started_at is 'When somebody began to work on it, the last time that it was begun; null while it waits.';
"""


def upgrade() -> None:
    run_sql(TABLES)
