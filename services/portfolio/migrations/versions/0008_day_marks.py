"""What each position was worth at the end of each session, and what its mark to market came from."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0008"
down_revision = "0007"

TABLES = """
create table day_mark (
    account_id     text not null references account,
    session        date not null,
    instrument_id  text not null,
    symbol         text not null,
    quantity       numeric(30, 12) not null,
    price          numeric(30, 12),
    value          numeric(30, 12) not null,
    prior          numeric(30, 12) not null,
    transactions   numeric(30, 12) not null,
    transferred    numeric(30, 12) not null,
    baseline       boolean not null,
    primary key (account_id, session, instrument_id)
);
comment on column day_mark.prior is 'Gain since the session before on what was held then; transactions: on what was traded since, from its price to this one.';
comment on column day_mark.transferred is 'Units that came (above zero) or went without a trade since the session before, at this price: they cross the border.';
comment on column day_mark.baseline is 'What was held before is not known; nothing is attributed to this session.';
create index fact_of_account on fact (account_id, day);
"""


def upgrade() -> None:
    run_sql(TABLES)
