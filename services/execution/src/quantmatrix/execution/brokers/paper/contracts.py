"""Options in the venue's book: the cash and the shares that sold ones bind, what splits make of them, and what becomes of them at their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from quantmatrix.common.ids import short_token
from quantmatrix.common.names import AccountId, ContractEnding, InstrumentId, Side
from quantmatrix.common.option_ends import ContractEnd, delivered, ends_of
from quantmatrix.common.options import CONTRACT_SIZE, OptionTerms, cash_bound_by, is_option, shares_bound, terms_of, worth_at_the_end
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.execution.brokers.paper.tables import ended_told
from quantmatrix.execution.domain.commission import Tariff
from quantmatrix.execution.domain.orders import Ended
from quantmatrix.execution.ports import Close, Moment, OrderRequest

_NONE = Quantity(0)


@dataclass(frozen=True, slots=True)
class Held:
    """Contracts in the book, below zero when they were sold."""

    account_id: AccountId
    currency: str
    instrument_id: InstrumentId
    terms: OptionTerms
    quantity: Quantity
    deliverable: Quantity

    @property
    def binds(self) -> Quantity:
        """The shares that sold calls bind."""
        return shares_bound(self.terms.symbol, self.quantity, self.deliverable)


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment before the end, as a test or a person brings it about. at: event time, UTC; told_as: the id that its execution gets."""

    account_id: AccountId
    option: InstrumentId
    underlying: InstrumentId
    contracts: Quantity
    at: datetime
    told_as: str


async def keep_contract(connection: Connection, instrument_id: InstrumentId, symbol: str) -> None:
    """Remember the symbol of a contract that is ordered."""
    await connection.execute("insert into contract (instrument_id, symbol) values ($1, $2) on conflict do nothing", instrument_id, symbol)


async def bound_cash(connection: Connection, account_id: AccountId, currency: str) -> Money:
    """The cash that an account's sold puts bind, with those that are being sold."""
    rows = await connection.fetch(
        """select n, symbol from (select instrument_id, sum(n) as n from (select instrument_id, quantity as n from holding where account_id = $1
             union all select instrument_id, filled - quantity from venue_order
             where account_id = $1 and status = 'working' and side = 'SELL') u group by instrument_id having sum(n) < 0) t
           join contract using (instrument_id)""",
        account_id,
    )
    return cash_bound_by([(row["symbol"], Quantity(row["n"])) for row in rows], currency)


async def _free_shares(connection: Connection, account_id: AccountId, symbol: str) -> Quantity:
    """The shares of a stock that neither sold calls bind, those being sold among them, nor sales under way take."""
    rows = await connection.fetch(
        """select k.symbol, u.n, a.deliverable from (select instrument_id, sum(n) as n from
             (select instrument_id, quantity as n from holding where account_id = $1 union all select instrument_id, filled - quantity
              from venue_order where account_id = $1 and status = 'working' and side = 'SELL') t group by instrument_id) u
           join contract k using (instrument_id) left join adjusted a using (instrument_id)""",
        account_id,
    )
    shares = await connection.fetchval(
        """select coalesce(sum(n), 0) from (select quantity as n from holding where account_id = $1
             and instrument_id in (select instrument_id from venue_order where account_id = $1 and symbol = $2
               union select ended ->> 'underlying' from execution where account_id = $1 and ended ->> 'underlying_symbol' = $2)
             union all select filled - quantity from venue_order where account_id = $1 and status = 'working' and side = 'SELL' and symbol = $2) t""",
        account_id,
        symbol,
    )
    left = Quantity(shares)
    for row in rows:
        if terms_of(row["symbol"]).underlying == symbol:
            left -= shares_bound(row["symbol"], Quantity(row["n"]), Quantity(row["deliverable"] or CONTRACT_SIZE.value))
    return left


async def shares_for(connection: Connection, request: OrderRequest, sold: bool) -> Quantity | None:
    """For a sale of calls the shares that are free to cover them; for one of a stock those that no call binds; else None."""
    symbol = request.instrument.symbol
    if request.side is Side.BUY or (not sold and not is_option(symbol)):
        return None
    if not is_option(symbol):
        return await _free_shares(connection, request.account_id, symbol)
    terms = terms_of(symbol)
    return await _free_shares(connection, request.account_id, terms.underlying) if terms.kind == "call" else None


def is_over(symbol: str, closes: Mapping[str, Close], moment: Moment) -> bool:
    """Whether this is a contract that ends with this session, or has ended before."""
    if not is_option(symbol):
        return False
    terms = terms_of(symbol)
    close = closes.get(terms.underlying)
    return worth_at_the_end(terms, moment.session, close.price if close else None) is not None


async def end_contracts(connection: Connection, moment: Moment, closes: Mapping[str, Close], tariff: Tariff) -> bool:
    """Let contracts end whose last day is over; what was sold first, so that what it brings and takes is there. Whether any did."""
    books = _Books(connection, await _held(connection), tariff)
    for one in books.held:
        close = closes.get(one.terms.underlying)
        inside = worth_at_the_end(one.terms, moment.session, close.price if close else None, one.deliverable)
        if close is None or inside is None:
            continue
        cash, shares = await books.free(one)
        for end in ends_of(one.terms, one.quantity, inside, one.deliverable, cash, shares):
            ended = Ended(one.instrument_id, close.instrument_id, one.terms.strike, end)
            await books.enter(one, ended, moment.session, moment.closed_at, over=True)
    return books.entered > 0


async def assign(connection: Connection, wanted: Assigned, tariff: Tariff) -> None:
    """Assign contracts that were sold, before their end; told again it changes nothing. Raises ValueError where fewer were sold, or others told."""
    entered = await connection.fetchval("select quantity from execution where execution_id = $1", wanted.told_as)
    if entered is not None:
        if entered != wanted.contracts.value:
            raise ValueError(
                f"{wanted.contracts} of {wanted.option} cannot be assigned: the venue has assigned {Quantity(entered)} of them"
            )
        return
    held = await _held(connection, wanted.account_id, wanted.option)
    one = next((one for one in held if -one.quantity >= wanted.contracts), None)
    if one is None:
        there = -held[0].quantity if held else _NONE
        raise ValueError(f"{wanted.contracts} of {wanted.option} cannot be assigned: the account has sold {there} contracts")
    end = delivered(one.terms, ContractEnding.ASSIGNMENT, wanted.contracts, one.deliverable, one.currency)
    books = _Books(connection, held, tariff)
    ended = Ended(one.instrument_id, wanted.underlying, one.terms.strike, end)
    await books.enter(one, ended, wanted.at.date(), wanted.at, over=wanted.contracts == -one.quantity, told_as=wanted.told_as)


async def _held(connection: Connection, account_id: AccountId | None = None, instrument_id: InstrumentId | None = None) -> list[Held]:
    rows = await connection.fetch(
        """select h.account_id, c.currency, h.instrument_id, k.symbol, h.quantity, a.deliverable
           from holding h join contract k using (instrument_id) join account c using (account_id) left join adjusted a using (instrument_id)
           where h.quantity <> 0 and ($1::text is null or h.account_id = $1) and ($2::text is null or h.instrument_id = $2)
           order by h.account_id, h.quantity > 0, h.instrument_id collate "C" for update of h, c""",
        account_id,
        instrument_id,
    )
    return [_held_of(row) for row in rows]


def _held_of(row: asyncpg.Record) -> Held:
    return Held(
        account_id=AccountId(row["account_id"]),
        currency=row["currency"],
        instrument_id=InstrumentId(row["instrument_id"]),
        terms=terms_of(row["symbol"]),
        quantity=Quantity(row["quantity"]),
        deliverable=Quantity(row["deliverable"]) if row["deliverable"] is not None else CONTRACT_SIZE,
    )


class _Books:
    """The book while contracts end in it, one after the other."""

    def __init__(self, connection: Connection, held: Sequence[Held], tariff: Tariff) -> None:
        self._connection, self.held, self._tariff = connection, held, tariff
        self.entered = 0

    async def free(self, one: Held) -> tuple[Money, Quantity]:
        """The cash that other sold puts do not bind, and the shares that neither sales under way nor other sold calls bind."""
        cash = await self._connection.fetchval("select cash from account where account_id = $1", one.account_id)
        if cash is None:
            raise LookupError(f"the venue has no account {one.account_id}")
        shares = await _free_shares(self._connection, one.account_id, one.terms.underlying)
        return Money(cash, one.currency) - await bound_cash(self._connection, one.account_id, one.currency), shares + one.binds

    async def enter(self, one: Held, ended: Ended, session: date, at: datetime, *, over: bool, told_as: str = "") -> None:
        """Write that contracts ended: holdings, cash, and an execution that nobody ordered. over: none is left, what works for them is cancelled."""
        end, fee = ended.end, self._fee(ended.end)
        await self._connection.execute(
            """with held as (update holding set quantity = quantity + $6 where account_id = $1 and instrument_id = $2),
               shares as (insert into holding as h select $1, $3, $7 where $7::numeric <> 0 on conflict (account_id, instrument_id)
               do update set quantity = h.quantity + excluded.quantity),
               paid as (update account set cash = cash + $8 where account_id = $1),
               closed as (update contract set ended_at = $13 where instrument_id = $2),
               over as (update venue_order set status = 'cancelled', reason = $16, changed_at = $13
               where account_id = $1 and instrument_id = $2 and status = 'working' and $18)
               insert into execution (execution_id, account_id, client_ref, instrument_id, side, quantity, price, fee, currency, session,
               executed_at, ended) values ($4, $1, $5, $2, $9, $10, $11, $12, $14, $15, $13, $17)""",
            one.account_id, one.instrument_id, ended.underlying,
            told_as or short_token("contract end", one.account_id, one.instrument_id, at, end.how, length=16), f"END-{self.entered:04}",
            end.contracts.value * end.side.sign, end.shares.value * end.share_side.sign, (end.cash - fee).amount, end.side,
            end.contracts.value, end.price.value, fee.amount, at, one.currency, session, f"ENDED: {end.how}",
            ended_told(ended, one.terms.underlying), over,
        )  # fmt: skip
        self.entered += 1

    def _fee(self, end: ContractEnd) -> Money:
        """A settlement is a trade, and costs as one; a delivery and an expiry cost nothing."""
        value = notional(end.price, end.contracts, CONTRACT_SIZE, end.paid.currency)
        return self._tariff.options.of_order(end.contracts.value, value) if value else Money.zero(end.paid.currency)
