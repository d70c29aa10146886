"""What accounts and their positions are worth at the end of a session: worked out with one look, and written with the page that says it."""

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

from quantmatrix.common.contracts.prices import BarsClosed
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.writing import Write
from quantmatrix.portfolio.rows import Snapshot, snapshot_of

_VALUED = """
with told_now as (
    select * from unnest($3::text[], $4::numeric[]) as n (instrument_id, price)
), counted as (
    select l.* from late_move l where l.session is null
    and l.day <= (select max(session) from snapshot s where s.account_id = l.account_id and s.session < $1)
), since as (
    select a.account_id, a.currency, s.session, coalesce(s.positions, 0) as positions from account a
    left join lateral (select session, positions from snapshot s where s.account_id = a.account_id and s.session < $1
        order by session desc limit 1) s on true
    where not exists (select from statement_account t where t.account_id = a.account_id and t.booked)
), happened as (
    select f.account_id, f.instrument_id, f.fact_id, f.kind in ('fill', 'trade') as traded,
        case when f.kind in ('fill', 'trade') then case when upper(f.body ->> 'side') = 'BUY' then 1 else -1 end
             when f.kind = 'arrival' then 1 when f.kind = 'departure' then -1 else 0 end * coalesce((f.body ->> 'quantity')::numeric, 0) as units
    from since b join fact f on f.account_id = b.account_id and f.day > coalesce(b.session, '-infinity') and f.day <= $1
    where not exists (select from fact r where r.kind = 'reversal' and r.account_id = f.account_id and r.body ->> 'reverses' = f.fact_id::text
        and not exists (select from fact b where b.kind = 'reversal' and b.account_id = f.account_id and b.body ->> 'reverses' = r.fact_id::text))
), told as (
    select h.account_id, h.instrument_id, coalesce(sum(units) filter (where traded), 0) as traded,
        coalesce(sum(units) filter (where not traded), 0) as came, coalesce(sum(c.amount), 0) as paid,
        coalesce(sum(c.amount) filter (where traded), 0) as spent
    from happened h left join lateral (select sum(amount) as amount from cash_entry e
        where e.about = h.fact_id and e.account_id = h.account_id and e.kind in ('trade', 'corporate_action')) c on true group by 1, 2
    union all select account_id, instrument_id, traded, came, paid, spent from late_move where session = $1
    union all select account_id, instrument_id, traded, came, paid, spent from counted
), moved as (
    select account_id, instrument_id, sum(traded) as traded, sum(came) as came, sum(paid) as paid, sum(spent) as spent from told group by 1, 2
), priced as (
    select p.*, coalesce(n.price, m.price) as price from position p left join told_now n using (instrument_id) left join mark m using (instrument_id)
), marked as (
    select b.account_id, p.instrument_id, p.symbol, p.quantity, p.price, coalesce(round(p.quantity * p.price * p.multiplier, 12), 0) as value,
        coalesce(d.value, 0) as was, coalesce(round(v.traded * p.price * p.multiplier, 12), 0) + coalesce(v.spent, 0) as transactions,
        coalesce(round(v.came * p.price * p.multiplier, 12), 0) as transferred, coalesce(v.paid, 0) as paid,
        b.positions > 0 and not exists (select from day_mark x where x.account_id = b.account_id and x.session = b.session) as baseline
    from since b join priced p on p.account_id = b.account_id and p.currency = b.currency
    left join day_mark d on d.account_id = b.account_id and d.session = b.session and d.instrument_id = p.instrument_id
    left join moved v on v.account_id = b.account_id and v.instrument_id = p.instrument_id
    where p.quantity <> 0 or d.quantity <> 0 or v.instrument_id is not null
), days as (
    select account_id, array_agg((account_id, instrument_id, symbol, quantity, price, value,
        case when baseline then 0 else value - was - transferred + paid - transactions end, case when baseline then 0 else transactions end,
        case when baseline then 0 else transferred end, baseline)) as marks
    from marked group by 1
), taken as (
    select a.account_id, c.amount as cash, v.value as market_value, c.amount + v.value as equity, v.realised, v.known - v.basis as unrealised, v.held
    from account a join cash c on c.account_id = a.account_id and c.currency = a.currency
    cross join lateral (
        select coalesce(sum(round(p.quantity * p.price * p.multiplier, 12)), 0) as value, coalesce(sum(p.basis), 0) as basis,
               coalesce(sum(round((p.quantity - p.unknown) * p.price * p.multiplier, 12)) filter (where p.basis is not null), 0) as known,
               coalesce(sum(p.realised), 0) as realised, count(*) filter (where p.quantity <> 0) as held
        from priced p where p.account_id = a.account_id and p.currency = a.currency
    ) v
)
select a.account_id, a.user_id, a.currency, $1::date as session, $2::timestamptz as taken_at, t.cash::numeric(30, 12),
    t.market_value::numeric(30, 12), t.equity::numeric(30, 12), t.realised::numeric(30, 12), t.unrealised::numeric(30, 12),
    t.held::int as positions, d.marks, (select max(ordinal) from fact) as latest, exists (select from late_move where session is null) as late
from account a left join taken t using (account_id) left join days d using (account_id)
"""
_MARKS = """marks_kept as (insert into mark (instrument_id, price, session, marked_at)
    select * from unnest($1::text[], $2::numeric[], $3::date[], $4::timestamptz[]) on conflict (instrument_id)
    do update set price = excluded.price, session = excluded.session, marked_at = excluded.marked_at)"""
_DAYS = """days_kept as (insert into day_mark (session, account_id, instrument_id, symbol, quantity, price, value, prior, transactions,
    transferred, baseline) select $1::date, * from unnest($2::text[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::numeric[],
    $8::numeric[], $9::numeric[], $10::numeric[], $11::bool[])
    on conflict (account_id, session, instrument_id) do update set symbol = excluded.symbol, quantity = excluded.quantity,
    price = excluded.price, value = excluded.value, prior = excluded.prior, transactions = excluded.transactions,
    transferred = excluded.transferred, baseline = excluded.baseline)"""
_DAY_PLACES = 10
"""How many columns come behind the session."""
_SNAPSHOTS = """snapshots_kept as (insert into snapshot (session, taken_at, account_id, currency, cash, market_value, equity, realised,
    unrealised, positions) select $1::date, $2::timestamptz, * from unnest($3::text[], $4::text[], $5::numeric[], $6::numeric[],
    $7::numeric[], $8::numeric[], $9::numeric[], $10::int[])
    on conflict (account_id, session) do update set taken_at = excluded.taken_at, cash = excluded.cash,
    market_value = excluded.market_value, equity = excluded.equity, realised = excluded.realised,
    unrealised = excluded.unrealised, positions = excluded.positions)"""
_NOTHING_NEW = "(select max(ordinal) from fact) is not distinct from $11::bigint"
_LATE = (
    """late_dropped as (delete from late_move l where l.session is null
    and l.day > coalesce((select max(session) from snapshot s where s.account_id = l.account_id and s.session < $1), '-infinity'::date))""",
    """late_counted as (update late_move l set session = $1 where l.session is null
    and l.day <= (select max(session) from snapshot s where s.account_id = l.account_id and s.session < $1))""",
)
"""What was told of sessions that were valued already counts in this one; of later ones, their own session counts it."""


def marks(heard: Sequence[BarsClosed]) -> Write:
    """The latest raw price of each instrument, of these bars in the order they were heard."""
    last = {bar.instrument_id: (bar, closed) for closed in heard for bar in closed.bars}
    whole = [closed for _, closed in last.values()]
    prices = [bar.close.value for bar, _ in last.values()]
    return Write((_MARKS,), (list(last), prices, [one.session for one in whole], [one.closed_at for one in whole]))


async def close_session(page: Page, session: date, at: datetime) -> list[Snapshot]:
    """Value every account's positions as of a session, tell apart what moved them, and take a snapshot of each account at the latest
    raw prices, those included that the page has yet to write; done again it stays the same.

    For each position the new value less the old one is: gain on what was held before, gain on what was traded, units that crossed the border,
    less the cash that trades and corporate actions moved. Accounts that statements make have no such lines: their files print these figures.
    What was told meanwhile of earlier sessions counts in this one. The page fails with TryLater when a fact is told between look and writing.
    """
    instruments, prices, *_ = marks(page.gathered(marks)).arguments
    rows = await page.reading.fetch(_VALUED, session, at, instruments, prices)
    snapshots = [snapshot_of(row) for row in rows if row["cash"] is not None]
    if rows:
        page.write(_days(session, [one for row in rows for one in row["marks"] or ()]))
        page.write(_snapshots(session, at, snapshots, rows[0]["latest"]))
    if any(row["late"] for row in rows):
        page.write(Write(_LATE, (session,)))
    return snapshots


def _days(session: date, found: Sequence[asyncpg.Record]) -> Write:
    columns = zip(*found, strict=True) if found else ([] for _ in range(_DAY_PLACES))
    return Write((_DAYS,), (session, *(list(column) for column in columns)))


def _snapshots(session: date, at: datetime, taken: Sequence[Snapshot], latest: int | None) -> Write:
    """latest: the number of the last fact that was looked at; one that is told meanwhile would be in no session."""
    arguments = (
        session, at, [one.account_id for one in taken], [one.cash.currency for one in taken], [one.cash.amount for one in taken],
        [one.market_value.amount for one in taken], [one.equity.amount for one in taken], [one.realised.amount for one in taken],
        [one.unrealised.amount for one in taken], [one.positions for one in taken], latest,
    )  # fmt: skip
    return Write((_SNAPSHOTS,), arguments, _NOTHING_NEW)
