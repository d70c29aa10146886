"""Returns, taxes, reports and derivations, as page and over the API."""

import asyncio
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from quantmatrix.common.contracts.asking.derivations import Derivation, DerivationAsked, DerivedOf
from quantmatrix.common.contracts.asking.performance import (
    BenchmarkClose,
    Income,
    IncomeAsked,
    LossCandidates,
    LossCandidatesAsked,
    Performance,
    PerformanceAsked,
    Performances,
    ProfitBy,
    Profits,
    ProfitsAsked,
    ReportAsked,
    ReportName,
    ReportPart,
    TaxLaw,
    WhoseBasis,
)
from quantmatrix.common.contracts.asking.portfolio import Portfolio, PortfolioAsked
from quantmatrix.common.contracts.asking.signals import Chart, ChartAsked
from quantmatrix.common.names import AccountId, ClosingId, InstrumentId, LotId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.reports import CHANGED, whole_report
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import Account
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.problems import DOCUMENTED, ProblemError
from quantmatrix.gateway.routes.market import listed

ROUTER = APIRouter()
DEADLINE_S = 10.0
"""Working out returns over decades takes longer than other questions."""
BENCHMARK_BARS = 4_000
PAGE_POINTS = 2
ON_A_PAGE = 60
Year = Annotated[int | None, Query(ge=1900, le=9999)]
Symbol = Annotated[str | None, Query(max_length=40)]


async def performance_of(
    gateway: Gateway,
    person: Person,
    account: str | None = None,
    benchmark: str | None = None,
    since: date | None = None,
    until: date | None = None,
    points: int = 1_000,
) -> Performances:
    """Raises 404 for a benchmark that nobody carries today."""
    asked = PerformanceAsked(
        user_id=person.user_id,
        account_id=AccountId(account) if account else None,
        since=since,
        until=until,
        limit=points,
        benchmark=await closes_of(gateway, benchmark) if benchmark else (),
    )
    return await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S)


async def closes_of(gateway: Gateway, symbol: str) -> tuple[BenchmarkClose, ...]:
    """Closes in the units of today, so that a split is no loss."""
    one = await listed(symbol, gateway)
    chart: Chart = await gateway.parts.ask(
        "signals", ChartAsked(instrument_id=one.instrument.instrument_id, limit=BENCHMARK_BARS), deadline_s=DEADLINE_S
    )
    return tuple(BenchmarkClose(session, close) for session, close in zip(chart.sessions, chart.close, strict=True))


async def report_of(gateway: Gateway, asked: ReportAsked) -> tuple[ReportPart, bytes]:
    """A whole report: its first part, and the bytes of the file. Raises 503 when it changed while it was read."""
    try:
        return await whole_report(lambda one: gateway.parts.ask("portfolio", one, deadline_s=DEADLINE_S), asked)
    except Refused as refused:
        if refused.code != CHANGED:
            raise
        raise ProblemError(503, refused.code, refused.detail, headers={"Retry-After": "2"}) from refused


@ROUTER.get("/api/v1/portfolio/performance", tags=["portfolio"], responses=answers(Performances))
async def performance(
    gateway: Here,
    person: By,
    account_id: Account = None,
    benchmark: Symbol = None,
    since: date | None = None,
    until: date | None = None,
    points: Annotated[int, Query(ge=2, le=5_000)] = 1_000,
) -> Response:
    """Returns, drawdowns, months, economic profit, realised gains by year and results by strategy, for each currency."""
    return Exact(await performance_of(gateway, person, account_id, benchmark, since, until, points))


@ROUTER.get("/api/v1/portfolio/loss-candidates", tags=["portfolio"], responses=answers(LossCandidates))
async def loss_candidates(gateway: Here, person: By, account_id: Account = None) -> Response:
    """Open lots below their basis, and what would wash the loss away."""
    asked = LossCandidatesAsked(user_id=person.user_id, account_id=AccountId(account_id) if account_id else None)
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S))


@ROUTER.get("/api/v1/portfolio/income", tags=["portfolio"], responses=answers(Income))
async def income(gateway: Here, person: By, account: Account = None) -> Response:
    """Dividends, interest, fees and taxes by year, of fills and of imported statements."""
    return Exact(await gateway.parts.ask("portfolio", IncomeAsked(user_id=person.user_id, account=account or None), deadline_s=DEADLINE_S))


class Origin(BaseModel):
    """Which number somebody wants derived; what is not given does not narrow it."""

    of: DerivedOf | None = None
    closing_id: ClosingId | None = None
    lot_id: LotId | None = None
    instrument_id: Annotated[str | None, Field(max_length=64)] = None
    year: Annotated[int | None, Field(ge=1900, le=9999)] = None
    kind: Annotated[str | None, Field(max_length=40)] = None
    session: date | None = None
    account_id: Annotated[str | None, Field(max_length=64)] = None


async def derivation_of(gateway: Gateway, person: Person, origin: Origin) -> Derivation:
    asked = DerivationAsked(
        user_id=person.user_id,
        of=origin.of,
        closing_id=origin.closing_id,
        lot_id=origin.lot_id,
        instrument_id=InstrumentId(origin.instrument_id) if origin.instrument_id else None,
        year=origin.year,
        kind=origin.kind or None,
        session=origin.session,
        account_id=AccountId(origin.account_id) if origin.account_id else None,
    )
    return await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/portfolio/derivation", tags=["portfolio"], responses=answers(Derivation))
async def derivation(gateway: Here, person: By, origin: Annotated[Origin, Query()]) -> Response:
    """Where a number comes from, of a closing, a lot, a position, a year, an account or a session, down to executions and rows of files."""
    return Exact(await derivation_of(gateway, person, origin))


@ROUTER.get("/api/v1/portfolio/profits", tags=["portfolio"], responses=answers(Profits))
async def profits(
    gateway: Here,
    person: By,
    account_id: Account = None,
    by: ProfitBy = "day",
    before: date | None = None,
    limit: Annotated[int, Query(ge=1, le=400)] = 60,
) -> Response:
    """Economic profit by its lines for each day, month or year, the latest first; the lines of each sum to the change of the value."""
    return Exact(await profits_of(gateway, person, account_id, by, before, limit))


async def profits_of(gateway: Gateway, person: Person, account: str | None, by: ProfitBy, before: date | None, limit: int) -> Profits:
    account_id = AccountId(account) if account else None
    asked = ProfitsAsked(user_id=person.user_id, account_id=account_id, by=by, before=before, limit=limit)
    return await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S)


@ROUTER.get(
    "/api/v1/portfolio/reports/{name}",
    tags=["portfolio"],
    responses={
        200: {"description": "The report as a file", "content": {"text/csv": {}, "text/html": {}, "application/octet-stream": {}}},
        **DOCUMENTED,
    },
)
async def report(
    name: ReportName,
    gateway: Here,
    person: By,
    account_id: Account = None,
    year: Year = None,
    jurisdiction: TaxLaw = "us",
    basis: WhoseBasis = "own",
) -> Response:
    """A file to keep: disposals in the shape of Form 8949, gains under a country's law, or a printable page that needs no other file.

    basis: of the form, our own or the one that imported statements print.
    """
    account = AccountId(account_id) if account_id else None
    asked = ReportAsked(user_id=person.user_id, name=name, account_id=account, year=year, jurisdiction=jurisdiction, basis=basis)
    first, body = await report_of(gateway, asked)
    headers = {"Content-Disposition": f'attachment; filename="{first.file_name}"'}
    return Response(body, headers=headers, media_type=first.media_type)


class Shown(msgspec.Struct, frozen=True):
    """What the page shows: figures for each currency, the accounts to choose from, and lots at a loss.

    unknown: the benchmark that was asked for, when nobody carries that symbol today.
    """

    found: tuple[Performance, ...]
    accounts: tuple[AccountId, ...]
    candidates: LossCandidates
    income: Income
    unknown: str | None = None


async def load_performance(look: Look) -> Shown:
    account, benchmark = look.values["account"], look.values["benchmark"]
    compared: tuple[Performances, str | None]
    portfolio: Portfolio
    candidates: LossCandidates
    earned: Income
    compared, portfolio, candidates, earned = await asyncio.gather(
        _with_benchmark(look, account, benchmark),
        look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id)),
        look.ask("portfolio", LossCandidatesAsked(user_id=look.person.user_id, account_id=account, limit=20)),
        look.ask("portfolio", IncomeAsked(user_id=look.person.user_id, account=account)),
    )
    found, unknown = compared
    return Shown(found.performances, tuple(one.account_id for one in portfolio.accounts), candidates, earned, unknown)


async def _with_benchmark(look: Look, account: str | None, benchmark: str | None) -> tuple[Performances, str | None]:
    """A symbol that nobody carries costs the comparison, not the page."""
    try:
        return await performance_of(look.gateway, look.person, account, benchmark, points=PAGE_POINTS), None
    except ProblemError as error:
        if error.code != "INSTRUMENT_UNKNOWN":
            raise
    return await performance_of(look.gateway, look.person, account, points=PAGE_POINTS), benchmark


async def load_derivation(look: Look) -> Derivation:
    return await derivation_of(look.gateway, look.person, look.values["origin"])


async def load_profits(look: Look) -> Profits:
    one = look.values
    return await profits_of(look.gateway, look.person, one["account"], one["by"], one["before"], ON_A_PAGE)


DERIVATION = Page("/performance", "derivation.html", {"derivation": load_derivation})
PROFITS = Page("/performance", "profits.html", {"profits": load_profits})
PERFORMANCE = Page("/performance", "performance.html", {"performance": load_performance})


@ROUTER.get("/performance", include_in_schema=False)
async def performance_page(request: Request, gateway: Here, person: By, account: Account = None, benchmark: Symbol = None) -> Response:
    query = urlencode({"account_id": account}) if account else ""
    values = {"account": account or None, "benchmark": (benchmark or "").strip().upper() or None, "query": query}
    return await show(Look(request, gateway, person, values), PERFORMANCE)


@ROUTER.get("/performance/profits", include_in_schema=False)
async def profits_page(
    request: Request, gateway: Here, person: By, account: Account = None, by: ProfitBy = "day", before: date | None = None
) -> Response:
    return await show(Look(request, gateway, person, {"account": account or None, "by": by, "before": before}), PROFITS)


@ROUTER.get("/performance/derivation", include_in_schema=False)
async def derivation_page(
    request: Request,
    gateway: Here,
    person: By,
    origin: Annotated[Origin, Query()],
    closing: ClosingId | None = None,
    instrument: Account = None,
    account: Account = None,
) -> Response:
    """Pages name what they link to in short."""
    short = {"closing_id": closing, "instrument_id": instrument or None, "account_id": account or None}
    meant = origin.model_copy(update={name: value for name, value in short.items() if value is not None})
    return await show(Look(request, gateway, person, {"origin": meant}), DERIVATION)
