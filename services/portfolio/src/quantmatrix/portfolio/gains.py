"""A person's gains under the law of a chosen country, from the facts of the ledger."""

import asyncio
from collections.abc import Sequence

from quantmatrix.common.contracts.asking.performance import ReportAsked
from quantmatrix.common.names import AccountId, InstrumentId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.portfolio.domain.currencies import MissingRateError, Rates
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.jurisdictions import AccountFacts, Jurisdiction, NotCoveredError, UnitedKingdom, UnitedStates
from quantmatrix.portfolio.fact_store import FactStore
from quantmatrix.portfolio.ledgers import LedgerReader
from quantmatrix.portfolio.reports.gains import Law, gains_csv
from quantmatrix.portfolio.rows import Account
from quantmatrix.portfolio.store import PortfolioStore


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
    """Every account of the person with its facts, each by the methods its owner chose."""
    instruments: dict[AccountId, list[InstrumentId]] = {}
    found: dict[AccountId, Account] = {}
    for account, instrument in await PortfolioStore(connection).books():
        if account.user_id == user_id:
            found[account.account_id] = account
            instruments.setdefault(account.account_id, []).append(instrument.instrument_id)
    facts = FactStore(connection)
    return [
        AccountFacts(one, treatments.get(one, Treatment.TAXABLE), await facts.events(one, user_id, instruments[one]), account.methods)
        for one, account in found.items()
    ]
