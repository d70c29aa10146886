"""What a split of its stock makes of an option: the symbol and the shares that it delivers from then on."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0003"
down_revision = "0002"

TABLES = """
alter table corporate_action add column becomes text not null default '';
alter table corporate_action add column deliverable numeric(30, 12) check (deliverable > 0);
comment on column corporate_action.becomes is 'The symbol from then on, empty where it stays.';
"""


def upgrade() -> None:
    run_sql(TABLES)
