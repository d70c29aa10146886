"""Cancels that outlive doubt, and denials of accounts that nobody has."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0003"
down_revision = "0002"

CHANGES = """
alter table orders add column cancel_asked_at timestamptz;
comment on column orders.cancel_asked_at is 'Event time of a wish to cancel that the broker has not refused.';
alter table orders drop constraint orders_account_id_fkey;
comment on column orders.account_id is 'A denied order may name an account that is not there.';
"""


def upgrade() -> None:
    run_sql(CHANGES)
