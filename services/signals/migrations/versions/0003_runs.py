"""Runs own capital: accounts, the ledger and the facts of each run, what strategies remember, and what became of signals."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0003"
down_revision = "0002"

TABLES = """
create table account (
    account_id  text primary key,
    user_id     uuid not null,
    broker      text not null,
    currency    text not null,
    paper       boolean not null,
    cash        numeric(30, 12) not null
);
comment on column account.cash is 'What the account held when it was opened, moved by every fill since.';
alter table run drop constraint run_user_id_account_id_strategy_key;
alter table run drop constraint run_state_check;
alter table run drop constraint run_base_check;
alter table run add check (state in ('running', 'paused', 'stopping', 'stopped')), add check (base >= 0);
alter table run
    add column reserve        numeric(30, 12) not null default 0,
    add column realised       numeric(30, 12) not null default 0,
    add column invested       numeric(30, 12) not null default 0,
    add column cycle          integer not null default 0,
    add column entries        integer not null default 0,
    add column profit_target  numeric(12, 6) check (profit_target > 0),
    add column reinvest       numeric(12, 6) check (reinvest between 0 and 1),
    add column sentence       text not null default '',
    add column reason         text not null default '',
    add column changed_at     timestamptz;
comment on column run.realised is 'Profit of the running cycle; at its end it moves to base and reserve.';
create index run_of_account on run (account_id);
alter table holding add column cost numeric(30, 12);
comment on column holding.cost is 'What was paid for what is left, fees of the purchases included.';

create table run_entry (
    run_id    uuid not null references run,
    number    integer not null,
    kind      text not null check (kind in ('opened', 'carried', 'bought', 'sold', 'cycle', 'corrected')),
    cause     uuid not null,
    at        timestamptz not null,
    cash      numeric(30, 12) not null,
    invested  numeric(30, 12) not null,
    base      numeric(30, 12) not null,
    reserve   numeric(30, 12) not null,
    realised  numeric(30, 12) not null,
    cycle     integer,
    primary key (run_id, number),
    unique (run_id, cycle),
    check (cash + invested = base + realised)
);
comment on table run_entry is 'The ledger of a run: its rows together are its envelope. Rows are added, never changed.';

create table run_fact (
    run_id         uuid not null references run,
    number         bigint generated always as identity primary key,
    instrument_id  text not null references instrument,
    kind           text not null check (kind in ('fill', 'split', 'level', 'carried')),
    fill_id        uuid unique,
    order_id       uuid,
    side           text,
    quantity       numeric(30, 12),
    price          numeric(30, 12),
    fee            numeric(30, 12),
    multiplier     numeric(30, 12),
    stop_level     double precision,
    level          integer,
    numerator      integer,
    denominator    integer,
    body           jsonb
);
comment on table run_fact is 'What moved the holdings of a run, in the order it was heard; a corrected fill stands where the wrong one stood.';
create index run_fact_of_holding on run_fact (run_id, instrument_id, number);

create table memory (
    run_id         uuid not null references run,
    instrument_id  text not null references instrument,
    body           jsonb not null,
    primary key (run_id, instrument_id)
);
comment on table memory is 'What a strategy keeps of an instrument from one bar to the next, in event time.';

create table follow_up (
    signal_id      uuid primary key references signal,
    instrument_id  text not null references instrument,
    session        date not null,
    entry          double precision not null,
    stop           double precision,
    targets        double precision[] not null,
    scale          double precision not null,
    until          date not null,
    high           double precision,
    low            double precision,
    close          double precision,
    targets_hit    integer not null default 0,
    stop_hit       boolean not null default false,
    followed_to    date,
    ended          text check (ended in ('stopped', 'target', 'expired'))
);
comment on table follow_up is
    'What became of a signal to buy. Levels are statistics on the adjusted series; divided by scale they are prices of the signal''s day.';
create index follow_up_open on follow_up (instrument_id) where ended is null;

insert into account (account_id, user_id, broker, currency, paper, cash)
select distinct on (account_id) account_id, user_id, 'paper', currency, true, cash from run order by account_id, started_at;

-- Runs that are at work already: what is not cash any more was paid for what they hold, in equal parts.
with held as (select run_id, count(*) as positions from holding group by run_id)
update run r set
    entries = 2,
    invested = case when h.positions is null then 0 else greatest(r.base - r.cash, 0) end,
    realised = r.cash - r.base + case when h.positions is null then 0 else greatest(r.base - r.cash, 0) end
from run one left join held h using (run_id) where one.run_id = r.run_id;
update holding h set cost = round(r.invested / (select count(*) from holding o where o.run_id = h.run_id), 2) from run r where r.run_id = h.run_id;
update run r set invested = s.cost, realised = r.cash - r.base + s.cost
from (select run_id, sum(cost) as cost from holding group by run_id) s where s.run_id = r.run_id;
insert into run_entry select run_id, 1, 'opened', run_id, started_at, base, 0, base, 0, 0 from run;
insert into run_entry select run_id, 2, 'carried', run_id, started_at, cash - base, invested, 0, 0, realised from run;
insert into run_fact (run_id, instrument_id, kind, body)
select run_id, instrument_id, 'carried', jsonb_build_object('quantity', quantity::text, 'initial', initial::text, 'stop_level', stop_level,
       'levels_done', levels_done, 'cost', cost::text) from holding;
"""


def upgrade() -> None:
    run_sql(TABLES)
