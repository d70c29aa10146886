"""Lot methods by account and day, facts of every kind in the order of their own time, bases that nobody knows yet."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0005"
down_revision = "0004"

TABLES = """
create table lot_method (
    ordinal     bigint generated always as identity primary key,
    account_id  text not null references account,
    since       date not null,
    method      text not null,
    command_id  uuid not null unique,
    told_at     timestamptz not null
);
comment on table lot_method is 'The history of an account''s lot methods; of two for one day the later told one holds.';
create index lot_method_of_account on lot_method (account_id, ordinal);

alter table fact drop constraint fact_kind_check, drop constraint fact_kind_fact_id_key;
alter table fact
    add column also text[] not null default '{}',
    add column day date,
    add column phase smallint,
    add column at timestamptz;
update fact set
    day = coalesce((body ->> 'session')::date, (body ->> 'effective')::date),
    phase = case kind when 'fill' then 2 else 0 end,
    at = coalesce((body ->> 'executed_at')::timestamptz, (body ->> 'effective')::timestamp at time zone 'UTC');
alter table fact add constraint fact_id_once unique (fact_id);
comment on column fact.also is 'Other instruments whose lots the fact changes too.';
comment on column fact.day is 'When it is booked: day, phase (before the open, arrivals, trades, departures), instant. Empty of what corrects another fact.';
drop index fact_of_instrument;
create index fact_of_instrument on fact (instrument_id, day, phase, at);
create index fact_also on fact using gin (also) where also <> '{}';
create index fact_of_order on fact ((body ->> 'order_id')) where body ? 'order_id';

alter table lot
    add column dated boolean not null default true,
    add column arrived_on date;
comment on column lot.basis is 'Total cost of what is left, fees inside; never a rounded price per unit. Empty while nobody knows it.';
comment on column lot.dated is 'False while it is not known when the lot was acquired; opened_on is then the day it came.';
comment on column closing.realised is 'Empty while it is pending: a basis, or the premium of an option, is not known yet.';
alter table position add column unknown numeric(30, 12) not null default 0;
comment on column position.unknown is 'Units whose basis is not known; basis is the sum of the others.';
create index cash_entry_about on cash_entry (about);
"""


def upgrade() -> None:
    run_sql(TABLES)
