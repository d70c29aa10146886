"""Early assignments as a person tells them of a broker's letter: a broker's fact, booked as if the broker had listed it."""

from dataclasses import dataclass
from datetime import date, datetime

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked, AssignmentTaken
from quantmatrix.common.ids import short_token
from quantmatrix.common.names import AccountId, ContractEnding, FillId, InstrumentId
from quantmatrix.common.option_ends import delivered
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import Ended, Execution, fill_of
from quantmatrix.execution.ending import book_end
from quantmatrix.execution.handlers import event_time
from quantmatrix.execution.ports import PriceDriven
from quantmatrix.execution.reconcile import OVERLAP, Brokers, is_ahead, take_changes
from quantmatrix.execution.store import Account, ExecutionStore

IMPOSSIBLE = "ASSIGNMENT_IMPOSSIBLE"


@dataclass(frozen=True, slots=True)
class _Sold:
    """Contracts as our books have them.

    quantity: what the account holds, below zero where it sold; then: what it held after the session of the letter. since: session of
    the first sale; split: of the first split after that session.
    """

    option: InstrumentId
    symbol: str
    underlying: InstrumentId | None
    deliverable: Quantity
    quantity: Quantity
    then: Quantity
    since: date | None
    split: date | None
    told: int


def told_as(account_id: AccountId, option: InstrumentId, session: date) -> str:
    """The id of the execution that a letter tells of: a contract has one letter for each session."""
    return short_token("told assignment", account_id, option, session, length=16)


class Assigning:
    """The venue that lives on our prices enters it into its own book first; what another broker lists later confirms it."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers, self._calendar = brokers, TradingCalendar()

    async def book(self, asked: AssignmentBookingAsked, page: Page) -> AssignmentTaken:
        """Raises Refused with the reason; nothing is changed then."""
        store = ExecutionStore(page.connection)
        account = await store.account(AccountId(asked.account_id), lock=True)
        if account is None or asked.user_id not in (None, account.user_id):
            raise Refused("ACCOUNT_UNKNOWN", f"there is no account {asked.account_id}")
        broker = self._brokers.of(account)
        if await is_ahead(broker, store):
            raise Refused(
                "SERVICE_BUSY", "the account's broker has followed a split that is not in our books yet; tell it again in a moment"
            )
        sold = await _sold(page.connection, account.account_id, asked)
        execution_id = told_as(account.account_id, sold.option, asked.session)
        end_id = fill_of(account.account_id, execution_id)
        if await _is_booked(page.connection, end_id, asked.contracts):
            return AssignmentTaken(end_id, booked=False)
        ended, at = await self._ended(asked, sold, account, page)
        if isinstance(broker, PriceDriven):
            try:
                await broker.assign(account.account_id, ended.option, ended.underlying, ended.end.contracts, at, execution_id)
            except ValueError as error:
                raise Refused(IMPOSSIBLE, str(error)) from error
            await take_changes(broker, account, at - OVERLAP, page)
        else:
            await book_end(account, _execution(execution_id, ended, asked.session, at, account.currency), ended, page, told=True)
        return AssignmentTaken(end_id, booked=True)

    async def _ended(self, asked: AssignmentBookingAsked, sold: _Sold, account: Account, page: Page) -> tuple[Ended, datetime]:
        """What became of the contracts, and when. Raises Refused where it cannot be."""
        session = self._calendar.session(asked.session)
        if session is None:
            raise Refused(IMPOSSIBLE, f"{asked.session} is no session of {self._calendar.name}")
        _, reached = await event_time(sold.option, session.closed_at, page)
        reason = _against(asked, sold, reached)
        if reason is not None or sold.underlying is None:
            raise Refused(IMPOSSIBLE, reason or f"nobody lists what {sold.symbol} is on")
        terms = terms_of(sold.symbol)
        end = delivered(terms, ContractEnding.ASSIGNMENT, asked.contracts, sold.deliverable, account.currency)
        return Ended(sold.option, sold.underlying, terms.strike, end), session.closed_at


def _against(asked: AssignmentBookingAsked, sold: _Sold, reached: date) -> str | None:
    """Why the letter cannot be meant so, in a sentence."""
    contracts, expires = asked.contracts, terms_of(sold.symbol).expires
    short, then = (max(-quantity, Quantity(0)) for quantity in (sold.quantity, sold.then))
    reasons = (
        (contracts.value <= 0 or contracts.value != int(contracts.value), f"{contracts} are not whole contracts above zero"),
        (sold.told > 0, f"an assignment of {sold.symbol} after {asked.session} is booked already"),
        (short < contracts, f"{contracts} of {sold.symbol} cannot be assigned: the account has sold {short} that are open"),
        (asked.session > expires, f"{sold.symbol} ended on {expires}, before {asked.session}"),
        (asked.session > reached, f"{asked.session} has not closed yet; the latest session is {reached}"),
        (sold.since is None or asked.session < sold.since, f"{sold.symbol} was not sold before {sold.since or 'that session'}"),
        (sold.split is not None, f"{sold.symbol} has other terms since {sold.split}: what was assigned before cannot be told in them"),
        (then < contracts, f"{contracts} of {sold.symbol} cannot be assigned: after {asked.session} {then} that were sold were open"),
    )
    return next((reason for holds, reason in reasons if holds), None)


async def _is_booked(connection: Connection, end_id: FillId, contracts: Quantity) -> bool:
    """Whether this letter is booked; another one about the same contracts and session is refused by `_against`."""
    found = "select exists(select from contract_end where end_id = $1 and contracts = $2)"
    return bool(await connection.fetchval(found, end_id, contracts.value))


async def _sold(connection: Connection, account_id: AccountId, asked: AssignmentBookingAsked) -> _Sold:
    """Raises Refused for what is no option that is listed here."""
    row = await connection.fetchrow(
        """select o.instrument_id, o.symbol, o.deliverable, coalesce(p.quantity, 0) as quantity,
             coalesce(p.quantity, 0) - coalesce((select sum(case e.side when 'BUY' then e.quantity else -e.quantity end) from execution e
              where e.account_id = $1 and e.instrument_id = o.instrument_id and e.session > $3 and not exists
              (select from execution x where x.account_id = $1 and x.corrects = e.execution_id)), 0)
              - coalesce((select sum(case c.side when 'BUY' then c.contracts else -c.contracts end) from contract_end c
              where c.account_id = $1 and c.instrument_id = o.instrument_id and c.session > $3), 0) as quantity_then,
             (select min(a.effective) from action_applied a where a.instrument_id = o.instrument_id and a.effective > $3) as split,
             (select min(e.session) from execution e where e.account_id = $1 and e.instrument_id = o.instrument_id and e.side = 'SELL') as since,
             (select count(*) from contract_end c where c.account_id = $1 and c.instrument_id = o.instrument_id
              and c.how = 'assignment' and c.session = $3) as told
           from instrument o left join position p on p.account_id = $1 and p.instrument_id = o.instrument_id
           where o.asset_class = 'option' and replace(o.symbol, ' ', '') = upper(replace($2, ' ', '')) order by o.instrument_id limit 1""",
        account_id,
        asked.option,
        asked.session,
    )
    if row is None:
        raise Refused("OPTION_UNKNOWN", f"no option that is listed here has the symbol {asked.option}")
    underlying = await connection.fetchval(
        "select instrument_id from instrument where symbol = $1 and asset_class <> 'option' order by instrument_id limit 1",
        terms_of(row["symbol"]).underlying,
    )
    return _Sold(
        option=InstrumentId(row["instrument_id"]),
        symbol=row["symbol"],
        underlying=InstrumentId(underlying) if underlying else None,
        deliverable=Quantity(row["deliverable"]) if row["deliverable"] is not None else CONTRACT_SIZE,
        quantity=Quantity(row["quantity"]),
        then=Quantity(row["quantity_then"]),
        split=row["split"],
        since=row["since"],
        told=row["told"],
    )


def _execution(execution_id: str, ended: Ended, session: date, at: datetime, currency: str) -> Execution:
    """What the broker would have listed."""
    return Execution(
        execution_id=execution_id, client_ref="", broker_order_id="", side=ended.end.side, quantity=ended.end.contracts, price=Price(0),
        fee=Money.zero(currency), session=session, executed_at=at, ended=ended,
    )  # fmt: skip
