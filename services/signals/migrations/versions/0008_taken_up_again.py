"""Who works on a backtest, and how often one was begun, so that a service that starts anew goes on with what another life left."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0008"
down_revision = "0007"

TABLES = """
alter table backtest add column by_service boolean not null default false, add column tries integer not null default 0;
update backtest set by_service = asked_by is not null;
comment on column backtest.by_service is 'Whether the service works on it; otherwise the command that was given does.';
comment on column backtest.tries is 'How often the service began to work on it.';
drop index backtest_waiting;
create index backtest_waiting on backtest (backtest_id) where by_service and state in ('queued', 'running');
"""


def upgrade() -> None:
    run_sql(TABLES)
