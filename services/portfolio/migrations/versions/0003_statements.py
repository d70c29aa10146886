"""Imported statements make the ledger: their accounts, the figures at the ends of files, breaks with live fills, uploads."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0003"
down_revision = "0002"

TABLES = """
alter table statement_import add column broker text not null default '';
update statement_import set broker = split_part(kind, '_', 1);
alter table statement_entry add column broker text not null default '';
update statement_entry e set broker = i.broker from statement_import i where i.import_id = e.import_id;
alter table statement_entry drop constraint statement_entry_pkey;
alter table statement_entry add primary key (user_id, broker, account, broker_key);
alter table statement_import add column chapters jsonb not null default '{}';
comment on column statement_import.chapters is 'By account: what was held and lay in cash at both ends, as printed.';
create table statement_account (
    account_id  text primary key references account,
    user_id     uuid not null,
    broker      text not null,
    number      text not null,
    treatment   text not null default 'taxable' check (treatment in ('taxable', 'tax-deferred')),
    booked      boolean not null,
    unique (user_id, broker, number)
);
comment on column statement_account.booked is 'Whether statements make this account; otherwise fills do, and statements are held against them.';
create table statement_break (
    break_id     uuid primary key,
    account_id   text not null references account,
    user_id      uuid not null,
    kind         text not null check (kind in ('missing', 'extra', 'different')),
    symbol       text not null,
    session      date not null,
    statement    text,
    ledger       text,
    broker_key   text,
    fill_id      uuid,
    found_at     timestamptz not null,
    resolved_at  timestamptz,
    resolution   text,
    check ((resolved_at is null) = (resolution is null))
);
comment on table statement_break is 'A difference between the broker''s statement and the fills that execution reported, with both figures.';
create index statement_break_open on statement_break (account_id) where resolved_at is null;
create table statement_upload (
    upload_id   uuid not null,
    part        integer not null,
    user_id     uuid not null,
    name        text not null,
    body        bytea not null,
    given_at    timestamptz not null,
    primary key (upload_id, part)
);
comment on table statement_upload is 'Parts of files on their way in; taken out by the import, or after a day.';
alter table lot alter column basis drop not null;
alter table position alter column basis drop not null;
alter table closing alter column proceeds drop not null;
alter table closing alter column basis drop not null;
alter table closing alter column realised drop not null;
alter table cash_entry drop constraint cash_entry_kind_check;
alter table cash_entry add constraint cash_entry_kind_check check (kind in ('opening', 'trade', 'fee', 'commission', 'conversion',
    'deposit', 'withdrawal', 'dividend', 'payment_in_lieu', 'return_of_capital', 'withholding_tax', 'interest', 'commission_adjustment',
    'adjustment', 'transfer', 'corporate_action', 'grant'));
"""


def upgrade() -> None:
    run_sql(TABLES)
