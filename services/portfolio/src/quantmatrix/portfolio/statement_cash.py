"""Cash that statements bring into an account that execution opened: written once, taken back with the file that brought it."""

from collections.abc import Sequence

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.portfolio.domain.statements_cash import CashLine

_TAKEN = """with gone as (delete from cash_entry where account_id = $1 and stated and not entry_id = any($2::uuid[])
                returning currency, amount, session)"""
_PUT = """with come as (insert into cash_entry (entry_id, account_id, user_id, kind, about, amount, currency, session, booked_at, stated)
              select entry_id, $1, $2, kind, about, amount, currency, session, booked_at, true
              from unnest($3::uuid[], $4::text[], $5::uuid[], $6::numeric[], $7::text[], $8::date[], $9::timestamptz[])
                as said (entry_id, kind, about, amount, currency, session, booked_at)
              on conflict do nothing returning currency, amount, session)"""
_MOVE = """, summed as (insert into cash as c (account_id, currency, amount)
                select $1, currency, {sign} sum(amount) from {moved} group by currency
                on conflict (account_id, currency) do update set amount = c.amount + excluded.amount)
           update snapshot s set cash = s.cash {sign} m.amount, equity = s.equity {sign} m.amount
           from (select s.session, s.currency, sum(g.amount) as amount from snapshot s
                 join {moved} g on g.currency = s.currency and g.session <= s.session where s.account_id = $1 group by 1, 2) m
           where s.account_id = $1 and s.session = m.session and s.currency = m.currency"""


async def put_cash(lines: Sequence[CashLine], account_id: AccountId, user_id: UserId, connection: Connection) -> None:
    """Make the account's stated cash exactly these lines: balances, and the snapshots of their days and later ones, move with them."""
    ids = [derived_id("cash", line.about, line.kind, line.place) for line in lines]
    await connection.execute(_TAKEN + _MOVE.format(sign="-", moved="gone"), account_id, ids)
    await connection.execute(
        _PUT + _MOVE.format(sign="+", moved="come"), account_id, user_id, ids, [line.kind for line in lines], [line.about for line in lines],
        [line.amount.amount for line in lines], [line.amount.currency for line in lines], [line.counts_on for line in lines],
        [line.at for line in lines],
    )  # fmt: skip
