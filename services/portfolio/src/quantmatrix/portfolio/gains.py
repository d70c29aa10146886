"""A person's gains under the law of a chosen country, from the facts of the ledger."""

import asyncio
from collections.abc import Sequence

import asyncpg

from quantmatrix.common.contracts.asking.performance import ReportAsked
from quantmatrix.common.names import AccountId, InstrumentId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.portfolio.domain.currencies import MissingRateError, Rates
from quantmatrix.portfolio.domain.ledger import Event, ShareSplit
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.jurisdictions import AccountFacts, Jurisdiction, NotCoveredError, UnitedKingdom, UnitedStates
from quantmatrix.portfolio.facts import fill_of_fact, split_of_fact
from quantmatrix.portfolio.ledgers import LedgerReader
from quantmatrix.portfolio.reports.gains import Law, gains_csv
from quantmatrix.portfolio.store import instrument_of


async def gains_report(asked: ReportAsked, connection: Connection) -> str:
    """The report as CSV. Raises Refused where the law has no rule for what happened, or a rate of exchange is not known."""
    if await connection.fetchval("select exists (select from statement_account where user_id = $1 and booked)", asked.user_id):
        raise Refused("REPORT_NOT_COVERED", "this report covers accounts whose fills were booked here, not those that statements make")
    accounts = await _accounts(asked.user_id, await LedgerReader(connection).treatments(asked.user_id), connection)
    return await asyncio.to_thread(_text, accounts, asked)


def _text(accounts: Sequence[AccountFacts], asked: ReportAsked) -> str:
    law = Law(asked.jurisdiction)
    instruments = [event.what.instrument for account in accounts for event in account.events if isinstance(event.what, Fill)]
    try:
        lines = _policy(law, {one.currency for one in instruments}).lines(accounts)
    except (MissingRateError, NotCoveredError) as error:
        raise Refused("REPORT_NOT_COVERED", f"{error}") from error
    return gains_csv(law, lines, {one.instrument_id: one.symbol for one in instruments}, asked.year)


def _policy(law: Law, currencies: set[str]) -> Jurisdiction:
    """Amounts stay in the currency of the accounts; where there are several, pounds are asked for and need rates."""
    match law:
        case Law.US:
            return UnitedStates()
        case Law.UK:
            return UnitedKingdom(Rates(currencies.pop() if len(currencies) == 1 else "GBP", {}))


async def _accounts(user_id: UserId, treatments: dict[AccountId, Treatment], connection: Connection) -> list[AccountFacts]:
    """Every account of the person with its fills and splits."""
    rows = await connection.fetch(
        """select f.kind, f.fact_id, f.body, p.* from position p
           join fact f on f.instrument_id = p.instrument_id and (f.account_id = p.account_id or f.account_id is null)
           where p.user_id = $1 order by p.account_id, f.ordinal""",
        user_id,
    )
    events: dict[AccountId, list[Event]] = {}
    for place, row in enumerate(rows):
        account_id, what = AccountId(row["account_id"]), _what(row, user_id)
        if not isinstance(what, Fill) or what.quantity:
            events.setdefault(account_id, []).append(Event(row["fact_id"], what, place))
    return [AccountFacts(one, treatments.get(one, Treatment.TAXABLE), own) for one, own in events.items()]


def _what(row: asyncpg.Record, user_id: UserId) -> Fill | ShareSplit:
    if row["kind"] == "split":
        return ShareSplit(InstrumentId(row["instrument_id"]), split_of_fact(row["body"]))
    return fill_of_fact(row["fact_id"], row["body"], AccountId(row["account_id"]), user_id, instrument_of(row))
