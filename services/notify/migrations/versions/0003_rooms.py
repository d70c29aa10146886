"""In which room of a channel a notification belongs, its colour, and its figures by name."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0003"
down_revision = "0002"

TABLES = """
alter table notification add column room text not null default 'system_status', add column tone text, add column fields jsonb;
comment on column notification.fields is 'Pairs of name and figure, in order; null for none.';
"""


def upgrade() -> None:
    run_sql(TABLES)
