"""Statements of brokers that were imported: each file once, what it brought, and the rows that nobody understood."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0002"
down_revision = "0001"

TABLES = """
create table statement_import (
    import_id       uuid primary key,
    user_id         uuid not null,
    sha256          text not null,
    kind            text not null,
    accounts        text[] not null,
    first           date not null,
    last            date not null,
    currency        text not null,
    status          text not null check (status in ('reconciled', 'reconciled with explained differences')),
    rows            integer not null,
    booked          integer not null,
    ignored         integer not null,
    not_understood  integer not null,
    duplicates      integer not null,
    report          jsonb not null,
    imported_at     timestamptz not null,
    unique (user_id, sha256),
    check (booked + ignored + not_understood = rows)
);
comment on column statement_import.report is 'Identities, closings and end figures with their differences, as they were told.';
create table statement_entry (
    user_id      uuid not null,
    account      text not null,
    broker_key   text not null,
    import_id    uuid not null references statement_import,
    line         integer not null,
    section      text not null,
    kind         text not null,
    session      date not null,
    at           timestamptz,
    symbol       text,
    asset        text not null,
    quantity     numeric(30, 12),
    price        numeric(30, 12),
    multiplier   numeric(30, 12),
    amount       numeric(30, 12),
    currency     text,
    fee          numeric(30, 12),
    fee_currency text,
    basis        numeric(30, 12),
    realised     numeric(30, 12),
    basis_currency text,
    acquired_on  date,
    cancels      text,
    text         text not null,
    printed      jsonb,
    primary key (user_id, account, broker_key)
);
comment on column statement_entry.broker_key is 'The broker''s own id of the row, or its content and its place among equal rows.';
comment on column statement_entry.basis is 'As printed by the broker; our own stands beside it in the ledger. Empty where it is not printed.';
create index statement_entry_by_day on statement_entry (user_id, account, session, line);
create table statement_unread (
    import_id  uuid not null references statement_import,
    line       integer not null,
    section    text not null,
    why        text not null,
    raw        jsonb not null,
    primary key (import_id, line)
);
"""


def upgrade() -> None:
    run_sql(TABLES)
