"""People, their sessions, the audit trail, the feed of events, and the answers to repeated requests."""

from quantmatrix.common.runtime.migrations import run_sql
from quantmatrix.common.runtime.tables import MESSAGING

revision = "0001"
down_revision = None

TABLES = """
create table users (
    user_id        uuid primary key,
    name           text not null check (name = lower(name) and length(name) between 1 and 80),
    password_hash  text not null,
    role           text not null check (role in ('admin', 'trader', 'viewer')),
    created_at     timestamptz not null,
    disabled_at    timestamptz,
    version        integer not null default 1,
    unique (name)
);
create table session (
    id_hash     bytea primary key,
    user_id     uuid not null references users,
    csrf        text not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    revoked_at  timestamptz,
    address     text not null,
    agent       text not null,
    check (expires_at > created_at)
);
create index session_of_user on session (user_id);
comment on column session.id_hash is 'SHA-256 of the cookie; the cookie itself is stored nowhere.';
create table audit (
    id          bigint generated always as identity primary key,
    at          timestamptz not null,
    user_id     uuid references users,
    name        text not null,
    action      text not null,
    about       text not null,
    address     text not null,
    request_id  uuid not null,
    before      jsonb,
    after       jsonb
);
create index audit_of_action on audit (action, at);
create function audit_stays() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail is only ever added to';
end $$;
create trigger audit_stays before update or delete on audit for each row execute function audit_stays();
comment on table audit is 'What people did: who, when, what, from where, and the values before and after.';
create table feed_epoch (
    epoch  uuid primary key
);
create table feed (
    id           bigint generated always as identity primary key,
    user_id      uuid not null,
    event        text not null,
    payload      text not null,
    occurred_at  timestamptz not null
);
create index feed_of_user on feed (user_id, id);
comment on table feed is 'Events for open pages, in order; a page that was away asks for those after the last it saw.';
create table idempotency (
    user_id       uuid not null,
    key           text not null check (length(key) between 1 and 200),
    request_hash  bytea not null,
    status        integer not null,
    answer        bytea not null,
    made_at       timestamptz not null,
    primary key (user_id, key)
);
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
