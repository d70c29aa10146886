"""Orders keep the lots that were named with them, for the ledger that books their fills."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0005"
down_revision = "0004"

CHANGES = """
alter table orders add column lots jsonb not null default '[]';
comment on column orders.lots is 'Pairs of lot and units, as named with the order; empty where none were.';
"""


def upgrade() -> None:
    run_sql(CHANGES)
