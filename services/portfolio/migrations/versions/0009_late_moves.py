"""What was told of sessions that were valued already, for the next valuation to count."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0009"
down_revision = "0008"

TABLES = """
create table late_move (
    account_id     text not null references account,
    instrument_id  text not null,
    day            date not null,
    traded         numeric(30, 12) not null,
    came           numeric(30, 12) not null,
    paid           numeric(30, 12) not null,
    spent          numeric(30, 12) not null,
    session        date
);
comment on column late_move.day is 'Of what was told or corrected: a session at or before the last one that was valued then.';
comment on column late_move.traded is 'Units in those of the day on which it was told; came: those that crossed the border without a trade.';
comment on column late_move.paid is 'Cash of trades and corporate actions; spent: the part of it that trades moved.';
comment on column late_move.session is 'The session whose day marks count it; null: the next.';
create index late_move_of_account on late_move (account_id, session);
"""


def upgrade() -> None:
    run_sql(TABLES)
