"""What portfolio answers about returns, reports, income and loss candidates.

Rows are read first; what is worked out of them may take a second for a long history and is done in a thread, so that
booking goes on meanwhile.
"""

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

from quantmatrix.common.contracts.asking.performance import (
    Income,
    IncomeAsked,
    IncomeTotal,
    LossCandidate,
    LossCandidates,
    LossCandidatesAsked,
    Performance,
    PerformanceAsked,
    Performances,
    ReportAsked,
    ReportName,
    ReportPart,
)
from quantmatrix.common.contracts.asking.performance import RecentLoss as RecentLossTold
from quantmatrix.common.names import AccountId, FillId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.gains import gains_report
from quantmatrix.portfolio.ledgers import Books, LedgerReader, Walked, by_currency
from quantmatrix.portfolio.performance.course import Course, between, together
from quantmatrix.portfolio.performance.strategies import StrategyResult, results_of
from quantmatrix.portfolio.performance_words import answered, profit_lines
from quantmatrix.portfolio.reports.candidates import Candidate, RecentLoss, candidates, recent_losses
from quantmatrix.portfolio.reports.disposals import Disposal, realised_by_year
from quantmatrix.portfolio.reports.form_8949 import form_8949, form_8949_workbook
from quantmatrix.portfolio.reports.income import IncomeLine, income_by_year, income_of
from quantmatrix.portfolio.reports.page import Contents, page_of
from quantmatrix.portfolio.reports.printed_basis import Basis, Printed, with_printed
from quantmatrix.portfolio.statement_sources import printed_bases
from quantmatrix.portfolio.statement_store import StatementStore

POINTS_MAX = 5_000
CSV = "text/csv; charset=utf-8"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PART_CHARACTERS = 400_000
"""Far below what one message may carry, also in UTF-8."""
CANDIDATES_MAX = 1_000
FORMS = (ReportName.FORM_8949, ReportName.FORM_8949_WORKBOOK)


async def performance(asked: PerformanceAsked, connection: Connection) -> Performances:
    """One answer for each currency in which the user has an account with a session."""
    reader = LedgerReader(connection)
    walked, books = await reader.walked(asked.user_id, asked.account_id), await reader.books(asked.user_id)
    return await asyncio.to_thread(_performances, walked, books, asked)


def _performances(walked: Sequence[Walked], books: Books, asked: PerformanceAsked) -> Performances:
    found = [_performance(currency, own, books, asked) for currency, own in by_currency(walked).items()]
    return Performances(tuple(one for one in found if one is not None))


def _performance(currency: str, walked: Sequence[Walked], books: Books, asked: PerformanceAsked) -> Performance | None:
    course = between(together([one.course for one in walked]), asked.since, asked.until)
    if not course.marks:
        return None
    accounts = tuple(one.account_id for one in walked)
    return answered(
        accounts,
        course,
        walked,
        [one for one in realised_by_year(_disposals(books, accounts)) if one.currency == currency],
        _strategies(books, accounts, course),
        {one.session: one.close for one in asked.benchmark if one.close > 0},
        max(2, min(asked.limit, POINTS_MAX)),
    )


def _disposals(books: Books, accounts: Sequence[AccountId], printed: Mapping[FillId, Printed] | None = None) -> list[Disposal]:
    """Wash sales look at all accounts of the person; shown are those of the chosen ones, with the broker's basis where it is given."""
    found = books.disposals()
    if printed:
        found = with_printed(found, books.disposals_before_washing(), printed)
    return [one for one in found if one.account_id in accounts]


def _strategies(books: Books, accounts: Sequence[AccountId], course: Course) -> list[StrategyResult]:
    lots, parts = books.of_openers(accounts, course.currency)
    return results_of(lots, parts, max(course.end.on, books.priced_on or course.end.on))


async def report(asked: ReportAsked, connection: Connection) -> ReportPart:
    """A report in parts; the caller asks again from `next_offset` and sees by the digest whether it changed meanwhile.

    Raises Refused for the broker's basis of a report that tells by our own.
    """
    if Basis(asked.basis) is Basis.BROKER and asked.name not in FORMS:
        raise Refused(
            "BASIS_NOT_TAKEN", f"the report {asked.name} is told by our own basis; the one that statements print is for Form 8949"
        )
    if asked.name is ReportName.GAINS:
        return _part(asked, await gains_report(asked, connection), f"gains-{asked.jurisdiction}-{asked.year or 'all'}.csv", CSV)
    reader = LedgerReader(connection)
    books, walked = await reader.books(asked.user_id), await reader.walked(asked.user_id, asked.account_id)
    printed = await printed_bases(connection, asked.user_id) if Basis(asked.basis) is Basis.BROKER else {}
    return await asyncio.to_thread(_report, walked, books, asked, asked.name, printed)


FromBooks = Literal[ReportName.FORM_8949, ReportName.FORM_8949_WORKBOOK, ReportName.PERFORMANCE]


def _report(
    walked: Sequence[Walked], books: Books, asked: ReportAsked, report_name: FromBooks, printed: Mapping[FillId, Printed]
) -> ReportPart:
    accounts = [asked.account_id] if asked.account_id is not None else list(books.ledgers)
    form = f"form-8949-{asked.year or 'all'}{'-broker' if Basis(asked.basis) is Basis.BROKER else ''}"
    match report_name:
        case ReportName.FORM_8949:
            text = form_8949(_disposals(books, accounts, printed), asked.year)
            name, kind = f"{form}.csv", CSV
        case ReportName.FORM_8949_WORKBOOK:
            text = base64.b64encode(form_8949_workbook(_disposals(books, accounts, printed), asked.year)).decode()
            name, kind = f"{form}.xlsx", WORKBOOK
        case ReportName.PERFORMANCE:
            text = _page(walked, books)
            name, kind = "performance.html", "text/html; charset=utf-8"
    return _part(asked, text, name, kind)


def _part(asked: ReportAsked, text: str, name: str, kind: str) -> ReportPart:
    end = max(asked.offset, 0) + PART_CHARACTERS
    return ReportPart(
        file_name=name,
        media_type=kind,
        base64=kind == WORKBOOK,
        text=text[max(asked.offset, 0) : end],
        next_offset=end if end < len(text) else None,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _page(walked: Sequence[Walked], books: Books) -> str:
    """The page of the currency in which most accounts are."""
    groups = by_currency(walked)
    if not groups:
        raise Refused("REPORT_EMPTY", "there is no session to report on yet")
    currency = max(groups, key=lambda one: len(groups[one]))
    own = groups[currency]
    accounts = [one.account_id for one in own]
    course = together([one.course for one in own])
    left_out = [one for one in groups if one != currency]
    notes = ["Wash sales are looked for in all accounts of the person. Gains are by trade date. This page is no tax advice."]
    notes += [f"Accounts in other currencies are not on this page: {', '.join(left_out)}."] if left_out else []
    return page_of(
        Contents(
            title=f"Performance of {', '.join(accounts)}",
            course=course,
            attribution=profit_lines(own, course)[0],
            by_year=_years(own, course),
            realised=[one for one in realised_by_year(_disposals(books, accounts)) if one.currency == currency],
            strategies=_strategies(books, accounts, course),
            notes=notes,
        )
    )


def _years(walked: Sequence[Walked], course: Course) -> list[tuple[int, Money, list[tuple[str, Money]]]]:
    """Gain and lines of each calendar year with a mark."""
    found: list[tuple[int, Money, list[tuple[str, Money]]]] = []
    since: date | None = None
    for year in sorted({mark.on.year for mark in course.marks}):
        part = between(course, since, date(year, 12, 31))
        found.append((year, part.gain, profit_lines(walked, part)[0]))
        since = part.end.on
    return found


async def loss_candidates(asked: LossCandidatesAsked, connection: Connection) -> LossCandidates:
    books = await LedgerReader(connection).books(asked.user_id)
    return await asyncio.to_thread(_loss_candidates, books, asked)


def _loss_candidates(books: Books, asked: LossCandidatesAsked) -> LossCandidates:
    if books.priced_on is None:
        return LossCandidates(None, ())
    found = [one for one in candidates(books.lines(), books.values, books.priced_on) if asked.account_id in (None, one.holding.account_id)]
    limit = max(1, min(asked.limit, CANDIDATES_MAX))
    recent = [_recent(one, books.lots[one.lot_id]) for one in recent_losses(books.lines(), books.priced_on)]
    own = [one for one in recent if asked.account_id in (None, one.account_id)]
    return LossCandidates(books.priced_on, tuple(_candidate(one, books) for one in found[:limit]), tuple(own[:limit]))


def _recent(one: RecentLoss, lot: Lot) -> RecentLossTold:
    return RecentLossTold(one.lot_id, lot.account_id, lot.instrument.symbol, one.disposed_on, one.loss, one.buy_again_from)


def _candidate(one: Candidate, books: Books) -> LossCandidate:
    lot = books.lots[one.holding.lot_id]
    return LossCandidate(
        lot_id=lot.lot_id,
        account_id=lot.account_id,
        symbol=lot.instrument.symbol,
        quantity=one.quantity,
        basis=one.value - one.loss,
        value=one.value,
        loss=one.loss,
        disallowed=one.disallowed,
        usable=one.usable,
        term=one.term,
        becomes_long=one.becomes_long,
        washed_by=one.washed_by,
        look_at=one.look_at,
        buy_again_from=one.buy_again_from,
    )


async def income(asked: IncomeAsked, connection: Connection) -> Income:
    reader = LedgerReader(connection)
    sources = {
        "ledger": await reader.commissions(asked.user_id, asked.account),
        "statements": await _stated(asked, connection),
    }
    found = [
        IncomeTotal(one.year, one.kind, source, one.total, one.lines) for source, lines in sources.items() for one in income_by_year(lines)
    ]
    return Income(tuple(sorted(found, key=lambda one: -one.year)))


async def _stated(asked: IncomeAsked, connection: Connection) -> list[IncomeLine]:
    """Income and costs of the user's imported statements."""
    accounts = await connection.fetch(
        "select distinct account from statement_entry where user_id = $1 and ($2::text is null or account = $2) order by 1",
        asked.user_id,
        asked.account,
    )
    store = StatementStore(connection)
    return [line for row in accounts for line in income_of(await store.entries(asked.user_id, row["account"]))]
