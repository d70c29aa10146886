"""What people say about their accounts and instruments: how an account is taxed, to which sector a symbol belongs."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0004"
down_revision = "0003"

TABLES = """
create table tax_choice (
    user_id     uuid not null,
    account_id  text not null,
    treatment   text not null check (treatment in ('taxable', 'tax-deferred')),
    primary key (user_id, account_id)
);
comment on table tax_choice is 'Accounts without a row are taxed as their statements were said to be, or taxable.';
create table sector_choice (
    user_id  uuid not null,
    symbol   text not null,
    sector   text not null,
    primary key (user_id, symbol)
);
"""


def upgrade() -> None:
    run_sql(TABLES)
