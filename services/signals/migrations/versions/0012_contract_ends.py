"""What contracts that ended leave to the shares they delivered, and how many shares an adjusted one delivers."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0012"
down_revision = "0011"

TABLES = """
alter table run_entry drop constraint run_entry_kind_check;
alter table run_entry add check (kind in ('opened', 'carried', 'bought', 'sold', 'cycle', 'corrected', 'funded', 'ended'));
alter table run_fact add column carried numeric(30, 12);
comment on column run_fact.carried is 'The cost that an exercised or assigned contract leaves to its shares; null for everything that was ordered.';
alter table instrument add column deliverable numeric(30, 12);
comment on column instrument.deliverable is 'Shares that an option delivers, where a split changed it; null for a hundred.';
"""


def upgrade() -> None:
    run_sql(TABLES)
