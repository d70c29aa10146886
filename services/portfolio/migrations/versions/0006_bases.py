"""Bases that people supply for units that imported statements tell without one."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0006"
down_revision = "0005"

TABLES = """
create table statement_basis (
    account_id   text not null,
    arrival      uuid not null,
    basis        numeric(30, 12) not null,
    currency     text not null,
    acquired_on  date,
    primary key (account_id, arrival)
);
comment on column statement_basis.arrival is 'The id of the lot that no trade opened: the same after every import.';
"""


def upgrade() -> None:
    run_sql(TABLES)
