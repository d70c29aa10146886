"""The phase that each calendar was last told to be in."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0004"
down_revision = "0003"

TABLES = """
create table phase_told (
    calendar  text primary key,
    session   date not null,
    phase     text not null check (phase in ('DARK', 'PREP', 'OPEN', 'COOLDOWN'))
);
comment on table phase_told is 'By the clock, not by the replay: what was told last is not told again.';
"""


def upgrade() -> None:
    run_sql(TABLES)
