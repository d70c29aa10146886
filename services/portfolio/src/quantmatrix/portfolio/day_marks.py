"""What positions were worth at the end of each session, and where their mark to market came from: kept as snapshots are taken."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.attribution import PnlLine
from quantmatrix.portfolio.rows import Snapshot, snapshot_of

_CLOSE = """
with before as (
    select account_id, (select max(session) from snapshot s where s.account_id = a.account_id and s.session < $1) as valued from account a
), own as (
    delete from late_move l using before b where l.account_id = b.account_id and l.session is null
        and l.day > coalesce(b.valued, '-infinity'::date)
), counted as (
    update late_move l set session = $1 from before b where l.account_id = b.account_id and l.session is null and l.day <= b.valued
    returning l.account_id, l.instrument_id, l.traded, l.came, l.paid, l.spent
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
    union all select * from counted
), moved as (
    select account_id, instrument_id, sum(traded) as traded, sum(came) as came, sum(paid) as paid, sum(spent) as spent from told group by 1, 2
), marked as (
    select b.account_id, p.instrument_id, p.symbol, p.quantity, m.price, coalesce(round(p.quantity * m.price * p.multiplier, 12), 0) as value,
        coalesce(d.value, 0) as was, coalesce(round(v.traded * m.price * p.multiplier, 12), 0) + coalesce(v.spent, 0) as transactions,
        coalesce(round(v.came * m.price * p.multiplier, 12), 0) as transferred, coalesce(v.paid, 0) as paid,
        b.positions > 0 and not exists (select from day_mark x where x.account_id = b.account_id and x.session = b.session) as baseline
    from since b join position p on p.account_id = b.account_id and p.currency = b.currency
    left join mark m using (instrument_id)
    left join day_mark d on d.account_id = b.account_id and d.session = b.session and d.instrument_id = p.instrument_id
    left join moved v on v.account_id = b.account_id and v.instrument_id = p.instrument_id
    where p.quantity <> 0 or d.quantity <> 0 or v.instrument_id is not null
), kept as (
insert into day_mark (account_id, session, instrument_id, symbol, quantity, price, value, prior, transactions, transferred, baseline)
select account_id, $1, instrument_id, symbol, quantity, price, value,
    case when baseline then 0 else value - was - transferred + paid - transactions end, case when baseline then 0 else transactions end,
    case when baseline then 0 else transferred end, baseline
from marked
on conflict (account_id, session, instrument_id) do update set symbol = excluded.symbol, quantity = excluded.quantity, price = excluded.price,
    value = excluded.value, prior = excluded.prior, transactions = excluded.transactions, transferred = excluded.transferred,
    baseline = excluded.baseline
), taken as (
    insert into snapshot (account_id, session, taken_at, currency, cash, market_value, equity, realised, unrealised, positions)
    select a.account_id, $1, $2, a.currency, c.amount, v.value, c.amount + v.value, v.realised, v.known - v.basis, v.held
    from account a join cash c on c.account_id = a.account_id and c.currency = a.currency
    cross join lateral (
        select coalesce(sum(round(p.quantity * m.price * p.multiplier, 12)), 0) as value, coalesce(sum(p.basis), 0) as basis,
               coalesce(sum(round((p.quantity - p.unknown) * m.price * p.multiplier, 12)) filter (where p.basis is not null), 0) as known,
               coalesce(sum(p.realised), 0) as realised, count(*) filter (where p.quantity <> 0) as held
        from position p left join mark m using (instrument_id) where p.account_id = a.account_id and p.currency = a.currency
    ) v
    on conflict (account_id, session) do update set taken_at = excluded.taken_at, cash = excluded.cash,
        market_value = excluded.market_value, equity = excluded.equity, realised = excluded.realised,
        unrealised = excluded.unrealised, positions = excluded.positions
    returning *
)
select t.*, a.user_id from taken t join account a using (account_id)
"""
NO_PROFIT = ("opening", "trade", "corporate_action", "deposit", "withdrawal", "transfer", "conversion")
"""Kinds of cash that are in no line: they cross the border, or the marks of positions have them."""
_OF_CASH = {
    "dividend": PnlLine.DIVIDENDS,
    "payment_in_lieu": PnlLine.PAYMENT_IN_LIEU,
    "return_of_capital": PnlLine.RETURN_OF_CAPITAL,
    "withholding_tax": PnlLine.WITHHOLDING_TAX,
    "commission": PnlLine.COMMISSIONS,
    "commission_adjustment": PnlLine.COMMISSIONS,
    "adjustment": PnlLine.ADJUSTMENTS,
}


@dataclass(frozen=True, slots=True)
class DayLines:
    """The lines of one session of one account, and the value of units that crossed its border without a trade."""

    session: date
    lines: tuple[tuple[str, Money], ...]
    transferred: Money


@dataclass(frozen=True, slots=True)
class Days:
    """The sessions with lines, in order. known_since: lines of sessions after it are whole; None where all are."""

    sessions: tuple[DayLines, ...] = ()
    known_since: date | None = None


NO_DAYS = Days()


async def close_session(connection: Connection, session: date, at: datetime) -> list[Snapshot]:
    """Value every account's positions as of a session, tell apart what moved them, and take a snapshot of each account at the latest
    raw prices; done again it stays the same.

    For each position the new value less the old one is: gain on what was held before, gain on what was traded, units that crossed the border,
    less the cash that trades and corporate actions moved. Accounts that statements make have no such lines: their files print these figures.
    What was told meanwhile of earlier sessions counts in this one.
    """
    return [snapshot_of(row) for row in await connection.fetch(_CLOSE, session, at)]


async def days_of(connection: Connection, account_id: AccountId, currency: str) -> Days:
    """Mark to market from the kept values, everything else from the cash that moved in the account's currency."""
    lines: defaultdict[date, defaultdict[PnlLine, Money]] = defaultdict(lambda: defaultdict(lambda: Money.zero(currency)))
    transferred: defaultdict[date, Money] = defaultdict(lambda: Money.zero(currency))
    known_since: date | None = None
    for row in await connection.fetch(
        """select session, sum(prior) as prior, sum(transactions) as transactions, sum(transferred) as transferred, bool_or(baseline) as baseline
           from day_mark where account_id = $1 group by session order by session""",
        account_id,
    ):
        day = row["session"]
        lines[day][PnlLine.PRIOR_POSITIONS] += Money(row["prior"], currency)
        lines[day][PnlLine.TRANSACTIONS] += Money(row["transactions"], currency)
        transferred[day] += Money(row["transferred"], currency)
        if row["baseline"]:
            known_since = day
    for row in await connection.fetch(
        """select coalesce((select min(s.session) from snapshot s where s.account_id = e.account_id and s.session >= e.session), e.session) as session,
             kind, stated, amount > 0 as received, sum(amount) as amount
           from cash_entry e where account_id = $1 and currency = $2 and session is not null and kind <> all($3::text[]) group by 1, 2, 3, 4""",
        account_id, currency, list(NO_PROFIT),
    ):  # fmt: skip
        lines[row["session"]][line_of(row["kind"], stated=row["stated"], received=row["received"])] += Money(row["amount"], currency)
    found = tuple(
        DayLines(
            day, tuple((line.value, lines[day][line]) for line in PnlLine if line in lines[day] and lines[day][line]), transferred[day]
        )
        for day in sorted(lines)
    )
    return Days(found, known_since)


def line_of(kind: str, *, stated: bool, received: bool) -> PnlLine:
    """What cash of a kind is: the fee of a fill is a commission, one that a statement tells is another fee."""
    if kind == "fee":
        return PnlLine.OTHER_FEES if stated else PnlLine.COMMISSIONS
    if kind == "interest":
        return PnlLine.CREDIT_INTEREST if received else PnlLine.DEBIT_INTEREST
    return _OF_CASH.get(kind, PnlLine.ADJUSTMENTS)
