"""Option contracts that ended, and how many shares an adjusted one delivers."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0007"
down_revision = "0006"

TABLES = """
create table contract_end (
    account_id     text not null references account,
    execution_id   text not null,
    end_id         uuid not null unique,
    instrument_id  text not null,
    underlying_id  text not null,
    how            text not null,
    side           text not null,
    contracts      numeric(30, 12) not null check (contracts > 0),
    price          numeric(30, 12) not null,
    shares         numeric(30, 12) not null,
    share_side     text not null,
    strike         numeric(30, 12) not null,
    paid           numeric(30, 12) not null,
    fee            numeric(30, 12) not null,
    currency       text not null,
    session        date not null,
    ended_at       timestamptz not null,
    triggered_by   text not null,
    primary key (account_id, execution_id)
);
comment on table contract_end is 'Contracts that were exercised, assigned or settled, or that expired: what moved positions and cash without an order.';
alter table instrument add column deliverable numeric(30, 12);
comment on column instrument.deliverable is 'Shares that an option delivers, where a split changed it; null for a hundred.';
"""


def upgrade() -> None:
    run_sql(TABLES)
