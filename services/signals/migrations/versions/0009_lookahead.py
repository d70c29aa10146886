"""Look-ahead checks are stored as backtests are."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0009"
down_revision = "0008"

TABLES = """
alter table backtest drop constraint backtest_kind_check,
    add constraint backtest_kind_check check (kind in ('run', 'sweep', 'walk_forward', 'lookahead'));
create index backtest_checks on backtest (user_id, strategy, backtest_id desc) where kind = 'lookahead';
"""


def upgrade() -> None:
    run_sql(TABLES)
