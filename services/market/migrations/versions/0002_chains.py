"""Options: what they are on, and their market at the close of each session."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0002"
down_revision = "0001"

TABLES = """
alter table instrument add column underlying text references instrument;
comment on column instrument.underlying is 'Of an option, what it is on; expiration, right and strike stand in its symbol.';
create index instrument_underlying on instrument (underlying) where underlying is not null;
create table option_quote (
    instrument_id  text not null references instrument,
    session        date not null,
    bid            numeric(30, 12) not null check (bid >= 0),
    ask            numeric(30, 12) not null check (ask > 0 and ask >= bid),
    open_interest  bigint not null check (open_interest >= 0),
    volume         bigint not null check (volume >= 0),
    iv             double precision,
    delta          double precision,
    primary key (session, instrument_id)
);
comment on table option_quote is 'The market of an option at the close; its bar is the middle of bid and ask.';
"""


def upgrade() -> None:
    run_sql(TABLES)
