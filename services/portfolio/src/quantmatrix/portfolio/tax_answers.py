"""What portfolio answers about wash sales and allocation, and what people may say about their accounts and instruments."""

import asyncio
from collections.abc import Mapping

from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.contracts.asking.taxes import (
    AccountTreatment,
    AccountTreatments,
    AccountTreatmentsAsked,
    Allocation,
    AllocationAsked,
    AllocationPart,
    BasisDifferences,
    BasisDifferencesAsked,
    ChooseSector,
    ChooseSectors,
    ChooseTreatment,
    SectorChoice,
    SectorsChosen,
    WashFlag,
    WashSale,
    WashSales,
    WashSalesAsked,
    WashYear,
)
from quantmatrix.common.contracts.asking.taxes import BasisDifference as BasisDifferenceTold
from quantmatrix.common.names import AccountId, FillId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.portfolio.answers import portfolio
from quantmatrix.portfolio.ledgers import Books, LedgerReader
from quantmatrix.portfolio.reports.allocation import CASH, UNCLASSIFIED, Worth, allocation
from quantmatrix.portfolio.reports.printed_basis import Printed, differences_of
from quantmatrix.portfolio.reports.sectors import SectorFileError, sectors_of
from quantmatrix.portfolio.reports.washes import Wash, by_year, undecided, washes
from quantmatrix.portfolio.statement_sources import printed_bases

WASHES_MAX = 5_000


async def wash_sales(asked: WashSalesAsked, connection: Connection) -> WashSales:
    books = await LedgerReader(connection).books(asked.user_id)
    return await asyncio.to_thread(_wash_sales, books, asked)


def _wash_sales(books: Books, asked: WashSalesAsked) -> WashSales:
    lines = [one for one in books.lines() if asked.account_id in (None, one.holding.account_id)]
    found = [
        one
        for one in washes(lines, books.lots, {account_id: ledger.closings for account_id, ledger in books.ledgers.items()})
        if asked.year in (None, one.disposed_on.year)
    ]
    return WashSales(
        tuple(WashYear(one.year, one.currency, one.sales, one.carried, one.lost) for one in by_year(found)),
        tuple(_told(one) for one in found[: max(1, min(asked.limit, WASHES_MAX))]),
        undecided(lines),
        tuple(_flags(books, asked))[: max(1, min(asked.limit, WASHES_MAX))],
    )


def _flags(books: Books, asked: WashSalesAsked) -> list[WashFlag]:
    """The latest first."""
    lots = books.lots
    found = [
        WashFlag(
            symbol=lots[one.loss.lot_id].instrument.symbol,
            account_id=one.loss.account_id,
            disposed_on=one.loss.disposed_on,
            loss=one.loss.gain,
            lot_id=one.loss.lot_id,
            acquired_symbol=lots[one.acquired.lot_id].instrument.symbol,
            acquired_account_id=one.acquired.account_id,
            acquired_on=one.acquired.acquired_on,
            acquired_lot_id=one.acquired.lot_id,
        )
        for one in books.flags()
        if one.loss.disposed_on is not None and one.loss.gain is not None and one.acquired.acquired_on is not None
    ]
    chosen = [one for one in found if asked.account_id in (None, one.account_id) and asked.year in (None, one.disposed_on.year)]
    return sorted(chosen, key=lambda one: (one.disposed_on, one.symbol, str(one.acquired_lot_id)), reverse=True)


async def basis_differences(asked: BasisDifferencesAsked, connection: Connection) -> BasisDifferences:
    books = await LedgerReader(connection).books(asked.user_id)
    printed = await printed_bases(connection, asked.user_id)
    return await asyncio.to_thread(_basis_differences, books, asked, printed)


def _basis_differences(books: Books, asked: BasisDifferencesAsked, printed: Mapping[FillId, Printed]) -> BasisDifferences:
    chosen = [
        one
        for one in books.disposals()
        if one.fill_id in printed and asked.account_id in (None, one.account_id) and asked.year in (None, one.disposed_on.year)
    ]
    found = differences_of(chosen, printed)
    counted = len({one.fill_id for one in chosen})
    told = tuple(
        BasisDifferenceTold(
            one.account_id, one.symbol, one.disposed_on, one.units, one.own, one.broker, one.difference, one.own_gain, one.broker_gain,
            one.reference,
        )
        for one in found[: max(1, min(asked.limit, WASHES_MAX))]
    )  # fmt: skip
    return BasisDifferences(counted, counted - len(found), told)


def _told(one: Wash) -> WashSale:
    return WashSale(
        closing_id=one.closing_id,
        lot_id=one.lot.lot_id,
        account_id=one.lot.account_id,
        symbol=one.lot.instrument.symbol,
        quantity=one.quantity,
        acquired_on=one.acquired_on,
        disposed_on=one.disposed_on,
        loss=one.loss,
        disallowed=one.disallowed,
        permanent=one.permanent,
        replaced_by=one.replacement.lot_id,
        replaced_account_id=one.replacement.account_id,
        replaced_on=one.replacement.opened_on if one.replacement.dated else None,
    )


async def treatments(asked: AccountTreatmentsAsked, connection: Connection) -> AccountTreatments:
    rows = await connection.fetch(
        """select a.account_id, coalesce(c.treatment, s.treatment, 'taxable') as treatment, c.treatment is not null as chosen
           from account a left join tax_choice c using (user_id, account_id) left join statement_account s using (user_id, account_id)
           where a.user_id = $1 order by 1""",
        asked.user_id,
    )
    return AccountTreatments(tuple(AccountTreatment(AccountId(row["account_id"]), row["treatment"], row["chosen"]) for row in rows))


async def choose_treatment(asked: ChooseTreatment, page: Page) -> AccountTreatment:
    """Raises Refused for an account that is not the user's."""
    if not await page.connection.fetchval(
        "select exists (select from account where user_id = $1 and account_id = $2)", asked.user_id, asked.account_id
    ):
        raise Refused("ACCOUNT_UNKNOWN", f"you have no account {asked.account_id}")
    await page.connection.execute(
        """insert into tax_choice (user_id, account_id, treatment) values ($1, $2, $3)
           on conflict (user_id, account_id) do update set treatment = excluded.treatment""",
        asked.user_id,
        asked.account_id,
        asked.treatment,
    )
    return AccountTreatment(asked.account_id, asked.treatment, chosen=True)


async def allocated(asked: AllocationAsked, connection: Connection) -> Allocation:
    found = await portfolio(PortfolioAsked(user_id=asked.user_id, account_id=asked.account_id), connection)
    sectors = await _sectors(asked.user_id, connection)
    worths = [
        Worth(
            str(one.instrument.asset_class),
            sectors.get(one.instrument.symbol, UNCLASSIFIED),
            one.account_id,
            one.instrument.symbol,
            one.value,
        )
        for one in found.positions
        if one.value is not None
    ]
    worths += [Worth(CASH, CASH, one.account_id, CASH, one.cash) for one in found.accounts if one.cash]
    unpriced = tuple(sorted({one.instrument.symbol for one in found.positions if one.value is None}))
    return Allocation(tuple(AllocationPart(str(one.by), one.name, one.value, one.share) for one in allocation(worths)), unpriced)


async def _sectors(user_id: UserId, connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("select symbol, sector from sector_choice where user_id = $1", user_id)
    return {row["symbol"]: row["sector"] for row in rows}


async def choose_sector(asked: ChooseSector, page: Page) -> SectorChoice:
    """Another name, or none any more."""
    if asked.sector is None:
        await page.connection.execute("delete from sector_choice where user_id = $1 and symbol = $2", asked.user_id, asked.symbol)
    else:
        await page.connection.execute(
            """insert into sector_choice (user_id, symbol, sector) values ($1, $2, $3)
               on conflict (user_id, symbol) do update set sector = excluded.sector""",
            asked.user_id,
            asked.symbol,
            asked.sector,
        )
    return SectorChoice(asked.symbol, asked.sector)


async def choose_sectors(asked: ChooseSectors, page: Page) -> SectorsChosen:
    """Raises Refused with the line of a file that cannot be taken; nothing of it is stored then."""
    try:
        wanted = sectors_of(asked.text)
    except SectorFileError as error:
        raise Refused("SECTORS_INVALID", str(error)) from error
    changed = await page.connection.fetch(
        """insert into sector_choice as c (user_id, symbol, sector) select $1, symbol, sector from unnest($2::text[], $3::text[]) as w (symbol, sector)
           on conflict (user_id, symbol) do update set sector = excluded.sector where c.sector <> excluded.sector returning symbol""",
        asked.user_id,
        list(wanted),
        list(wanted.values()),
    )
    return SectorsChosen(len(wanted), len(changed))
