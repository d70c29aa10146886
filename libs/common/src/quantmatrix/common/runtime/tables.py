"""The tables that every service's schema has: outbox, inbox, parked messages, lease. Used by each service's first migration."""

OUTBOX = """
create table outbox_key (
    key      text primary key,
    seq      bigint not null,
    covered  bigint not null default 0
);
create table outbox (
    id            bigint generated always as identity primary key,
    key           text not null,
    seq           bigint not null,
    family        text not null,
    subject       text not null,
    type          text not null,
    message_id    uuid not null,
    caused_by     uuid,
    trace         uuid not null,
    occurred_at   timestamptz not null,
    said_at       timestamptz not null default clock_timestamp(),
    payload       bytea not null,
    unique (key, seq)
);
create unique index outbox_message on outbox (message_id);
create index outbox_trace on outbox (trace);
comment on table outbox is 'What this service said, in order; rows are never changed. They stay: readers ask for what they missed.';
create table outbox_waiting (
    id  bigint primary key
);
comment on table outbox_waiting is 'The rows that the bus has not acknowledged yet.';
"""

INBOX = """
create table parked (
    id          bigint generated always as identity primary key,
    key         text,
    seq         bigint,
    subject     text not null,
    payload     bytea not null,
    error       text not null,
    parked_at   timestamptz not null default clock_timestamp(),
    state       text not null default 'parked' check (state in ('parked', 'replayed', 'dropped')),
    decided_at  timestamptz
);
create table inbox (
    key         text primary key,
    seq         bigint not null,
    message_id  uuid,
    moment      timestamptz,
    session     date,
    stopped_by  bigint references parked (id)
);
comment on table inbox is
    'The last number heard under each key. What is at or below it was heard; what is beyond the next is missing something.
     moment and session are those of the last watermark.';
"""

LEASE = """
create table lease (
    name   text primary key,
    fence  bigint not null
);
comment on table lease is 'Who owns work that only one process may do: every owner raises the fence, and older owners are refused.';
"""

MESSAGING = OUTBOX + INBOX + LEASE
