"""Notifications, and one delivery per notification and channel."""

from quantmatrix.common.runtime.migrations import run_sql
from quantmatrix.common.runtime.tables import MESSAGING

revision = "0001"
down_revision = None

TABLES = """
create table notification (
    notification_id  uuid primary key,
    user_id          uuid not null,
    account_id       text,
    topic            text not null,
    priority         text not null check (priority in ('low', 'normal', 'high', 'critical')),
    title            text not null,
    body             text not null,
    about            uuid not null,
    occurred_at      timestamptz not null,
    read_at          timestamptz,
    version          integer not null default 1
);
create index notification_of_user on notification (user_id, occurred_at desc, notification_id);
create table delivery (
    notification_id  uuid not null references notification,
    channel          text not null,
    state            text not null check (state in ('pending', 'sending', 'delivered', 'failed')),
    tries            integer not null default 0,
    next_try_at      timestamptz not null default clock_timestamp(),
    settled_at       timestamptz,
    error            text,
    primary key (notification_id, channel)
);
create index delivery_due on delivery (next_try_at) where state in ('pending', 'sending');
"""


def upgrade() -> None:
    run_sql(MESSAGING + TABLES)
