"""The bars of a sweep that workers compute, kept as long as it is at work."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0004"
down_revision = "0003"

TABLES = """
create table backtest_data (
    backtest_id  bigint not null references backtest on delete cascade,
    number       integer not null,
    content      bytea not null,
    primary key (backtest_id, number)
);
comment on table backtest_data is 'The bars as lines of JSON, compressed by zlib and cut into pieces that fit a message; gone when the backtest has ended.';
"""


def upgrade() -> None:
    run_sql(TABLES)
