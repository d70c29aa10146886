"""Contracts that ended at a broker: positions and cash move without an order, and everybody is told."""

import asyncpg
import structlog

from quantmatrix.common.contracts.asking.execution import EndSummary, FillSummary
from quantmatrix.common.contracts.fills import OptionEnded
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, ContractEnding, FillId, InstrumentId, Side
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import Ended, Execution, fill_of
from quantmatrix.execution.store import Account

log = structlog.get_logger(__name__)
NOBODY = "nobody"
"""Who opened contracts that no order here opened."""


async def book_end(account: Account, execution: Execution, ended: Ended, page: Page, *, told: bool = False) -> bool:
    """Book what a broker reports of contracts that ended; False when it is booked already, or when a person had told it before.

    told: a person tells it of the broker's letter.

    While market has not listed what it is about nothing is booked either: the broker tells it again, and the difference is a break meanwhile.
    """
    if not told and await _confirms(page.connection, account.account_id, execution, ended):
        return False
    named = await _instruments(page.connection, ended)
    missing = sorted({ended.option, ended.underlying} - set(named))
    if missing:
        log.error("end.not_listed", account_id=account.account_id, execution_id=execution.execution_id, missing=", ".join(missing))
        return False
    end_id, by = fill_of(account.account_id, execution.execution_id), await _opened_by(page.connection, account.account_id, ended)
    if not await _entered(page.connection, account, execution, ended, end_id, by, told=told):
        return False
    end = ended.end
    message = OptionEnded(
        end_id=end_id, execution_id=execution.execution_id, user_id=account.user_id, account_id=account.account_id, how=end.how,
        option=named[ended.option], underlying=named[ended.underlying], contracts=end.contracts, side=end.side, price=end.price,
        shares=end.shares, share_side=end.share_side, strike=ended.strike, paid=end.paid, fee=execution.fee, session=execution.session,
        ended_at=execution.executed_at, triggered_by=by,
    )  # fmt: skip
    page.say(message, identity=end_id, occurred_at=execution.executed_at)
    return True


async def _instruments(connection: Connection, ended: Ended) -> dict[InstrumentId, Instrument]:
    rows = await connection.fetch(
        "select instrument_id, symbol, asset_class, currency, multiplier from instrument where instrument_id = any($1)",
        [ended.option, ended.underlying],
    )
    found = [
        Instrument(
            InstrumentId(row["instrument_id"]), row["symbol"], AssetClass(row["asset_class"]), row["currency"], Quantity(row["multiplier"])
        )
        for row in rows
    ]
    return {one.instrument_id: one for one in found}


async def _opened_by(connection: Connection, account_id: AccountId, ended: Ended) -> str:
    """Who opened the contracts last: a run, or a person."""
    found: str | None = await connection.fetchval(
        """select triggered_by from orders where account_id = $1 and instrument_id = $2 and side <> $3 and filled > 0
           order by created_at desc, order_id desc limit 1""",
        account_id,
        ended.option,
        ended.end.side,
    )
    return found or NOBODY


async def _confirms(connection: Connection, account_id: AccountId, execution: Execution, ended: Ended) -> bool:
    """Whether a person had told this end, which the broker lists now, or listed before. Where the letter and the list tell of other
    numbers nothing is booked: the difference of the books stays a break.
    """
    found = await connection.fetchval(
        """with known as (select 1 from contract_end where account_id = $1 and confirmed_as = $2),
           confirmed as (update contract_end set confirmed_as = $2 where not exists (select from known) and end_id =
             (select end_id from contract_end where account_id = $1 and instrument_id = $3 and how = $4 and contracts = $5 and session = $6
              and told and confirmed_as is null order by end_id limit 1) returning 1)
           select case when exists(select from known) or exists(select from confirmed) then 'confirmed'
             when exists(select from contract_end where account_id = $1 and instrument_id = $3 and how = $4 and session = $6 and told
               and confirmed_as is null) then 'differs' end""",
        account_id,
        execution.execution_id,
        ended.option,
        ended.end.how,
        ended.end.contracts.value,
        execution.session,
    )
    if found == "differs":
        log.error("end.differs_from_letter", account_id=account_id, execution_id=execution.execution_id, contracts=str(ended.end.contracts))
    return found is not None


async def _entered(
    connection: Connection, account: Account, execution: Execution, ended: Ended, end_id: FillId, by: str, *, told: bool
) -> bool:
    """Write the end with what it moves; False when it is here already."""
    end = ended.end
    new = await connection.fetchval(
        """with ended as (insert into contract_end values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $22)
           on conflict do nothing returning 1),
           held as (insert into position as p (account_id, instrument_id, quantity) select $1, $4, $19 from ended
           on conflict (account_id, instrument_id) do update set quantity = p.quantity + excluded.quantity),
           shares as (insert into position as p (account_id, instrument_id, quantity) select $1, $5, $20 from ended where $20::numeric <> 0
           on conflict (account_id, instrument_id) do update set quantity = p.quantity + excluded.quantity),
           paid as (update account set cash = cash + $21 where account_id = $1 and exists (select from ended))
           select count(*) from ended""",
        account.account_id, execution.execution_id, end_id, ended.option, ended.underlying, end.how, end.side, end.contracts.value,
        end.price.value, end.shares.value, end.share_side, ended.strike.value, end.paid.amount, execution.fee.amount,
        execution.fee.currency, execution.session, execution.executed_at, by, end.contracts.value * end.side.sign,
        end.shares.value * end.share_side.sign, (end.cash - execution.fee).amount, told,
    )  # fmt: skip
    return bool(new)


async def ends_told(connection: Connection, *span: object) -> list[FillSummary]:
    """Ends of contracts as the list of fills shows them, the latest first.

    span: the user; account, instrument, last one of the page before (its instant and id), each None for any; how many at most; session.
    """
    rows = await connection.fetch(
        """
        select e.*, o.symbol, o.asset_class, o.multiplier, o.currency as quoted_in, u.symbol as underlying_symbol,
               u.asset_class as underlying_class, u.multiplier as underlying_multiplier, u.currency as underlying_currency
        from contract_end e join account a using (account_id) join instrument o using (instrument_id)
          join instrument u on u.instrument_id = e.underlying_id
        where a.user_id = $1 and ($2::text is null or e.account_id = $2) and ($3::text is null or $3 in (e.instrument_id, e.underlying_id))
          and ($4::timestamptz is null or e.ended_at < $4 or (e.ended_at = $4 and e.end_id > $5)) and ($7::date is null or e.session = $7)
        order by e.ended_at desc, e.end_id limit $6
        """,
        *span,
    )
    return [_told(row) for row in rows]


def _told(row: asyncpg.Record) -> FillSummary:
    option = Instrument(
        InstrumentId(row["instrument_id"]), row["symbol"], AssetClass(row["asset_class"]), row["quoted_in"], Quantity(row["multiplier"])
    )
    underlying = Instrument(
        InstrumentId(row["underlying_id"]), row["underlying_symbol"], AssetClass(row["underlying_class"]), row["underlying_currency"],
        Quantity(row["underlying_multiplier"]),
    )  # fmt: skip
    return FillSummary(
        fill_id=FillId(row["end_id"]), execution_id=row["execution_id"], order_id=None, account_id=AccountId(row["account_id"]),
        instrument=option, side=Side(row["side"]), quantity=Quantity(row["contracts"]), price=Price(row["price"]),
        fee=Money(row["fee"], row["currency"]), session=row["session"], executed_at=row["ended_at"], triggered_by=row["triggered_by"],
        ended=EndSummary(
            ContractEnding(row["how"]), underlying, Quantity(row["shares"]), Side(row["share_side"]), Price(row["strike"]),
            Money(row["paid"], row["currency"]),
        ),
    )  # fmt: skip
