"""Wash sales, how accounts are taxed, and how what is held is spread, as pages and over the API."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.taxes import (
    AccountTreatment,
    AccountTreatments,
    AccountTreatmentsAsked,
    Allocation,
    AllocationAsked,
    BasisDifferences,
    BasisDifferencesAsked,
    ChooseSector,
    ChooseSectors,
    ChooseTreatment,
    SectorChoice,
    SectorsChosen,
    TaxTreatment,
    WashSales,
    WashSalesAsked,
)
from quantmatrix.common.names import AccountId
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import Account, OfAccount
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person, Visit

ROUTER = APIRouter()
DEADLINE_S = 10.0
"""The wash-sale rule over decades takes longer than other questions."""
ON_A_PAGE = 200
Year = Annotated[int | None, Query(ge=1900, le=9999)]


class Treated(BaseModel):
    """How an account is taxed."""

    treatment: TaxTreatment


class Sectored(BaseModel):
    """The sector of a symbol; null takes it out again."""

    sector: Annotated[str, Field(min_length=1, max_length=60)] | None


async def treat(gateway: Gateway, person: Person, visit: Visit, account_id: str, treatment: TaxTreatment) -> AccountTreatment:
    """Written down first, then asked: a change without a trail cannot be."""
    await gateway.people.note(person, visit, "account.treatment", f"{account_id}: {treatment}")
    asked = ChooseTreatment(user_id=person.user_id, account_id=AccountId(account_id), treatment=treatment)
    return await gateway.parts.ask("portfolio", asked)


@ROUTER.get("/api/v1/portfolio/wash-sales", tags=["portfolio"], responses=answers(WashSales))
async def wash_sales(gateway: Here, person: By, account_id: OfAccount, year: Year = None) -> Response:
    """Losses that do not count, and the purchases because of which; replacements are looked for in all accounts of the person."""
    asked = WashSalesAsked(user_id=person.user_id, account_id=account_id, year=year)
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S))


@ROUTER.get("/api/v1/portfolio/basis-differences", tags=["portfolio"], responses=answers(BasisDifferences))
async def basis_differences(gateway: Here, person: By, account_id: OfAccount, year: Year = None) -> Response:
    """Closing trades whose printed basis or gain is not ours, each with the line that prints it."""
    asked = BasisDifferencesAsked(user_id=person.user_id, account_id=account_id, year=year)
    return Exact(await gateway.parts.ask("portfolio", asked, deadline_s=DEADLINE_S))


@ROUTER.get("/api/v1/portfolio/allocation", tags=["portfolio"], responses=answers(Allocation))
async def allocation(gateway: Here, person: By, account_id: OfAccount) -> Response:
    """Positions and cash by class, sector, account and symbol."""
    return Exact(await gateway.parts.ask("portfolio", AllocationAsked(user_id=person.user_id, account_id=account_id)))


@ROUTER.get("/api/v1/portfolio/treatments", tags=["portfolio"], responses=answers(AccountTreatments))
async def treatments(gateway: Here, person: By) -> Response:
    """How each account is taxed."""
    return Exact(await gateway.parts.ask("portfolio", AccountTreatmentsAsked(user_id=person.user_id)))


@ROUTER.post("/api/v1/portfolio/treatments/{account_id}", tags=["portfolio"], responses=answers(AccountTreatment))
async def choose_treatment(account_id: str, body: Treated, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Tell how an account is taxed: reports follow at once, lots stay as they are."""
    return Exact(await treat(gateway, person, visit, account_id, body.treatment))


@ROUTER.post("/api/v1/portfolio/sectors/{symbol}", tags=["portfolio"], responses=answers(SectorChoice))
async def choose_sector(symbol: str, body: Sectored, gateway: Here, person: By, visit: From) -> Response:
    """Say to which sector a symbol belongs, for the person's own allocation."""
    await gateway.people.note(person, visit, "symbol.sector", f"{symbol}: {body.sector}")
    return Exact(await gateway.parts.ask("portfolio", ChooseSector(user_id=person.user_id, symbol=symbol, sector=body.sector)))


class SectorFile(BaseModel):
    """A CSV file with the columns symbol and sector, as text."""

    csv: Annotated[str, Field(min_length=1, max_length=400_000)]


async def take_sectors(gateway: Gateway, person: Person, visit: Visit, text: str) -> SectorsChosen:
    await gateway.people.note(person, visit, "symbol.sectors", f"a file of {len(text)} characters")
    return await gateway.parts.ask("portfolio", ChooseSectors(user_id=person.user_id, text=text))


@ROUTER.post("/api/v1/portfolio/sectors", tags=["portfolio"], responses=answers(SectorsChosen))
async def choose_sectors(body: SectorFile, gateway: Here, person: By, visit: From) -> Response:
    """Take a file of sectors, or refuse it whole with the line that is wrong."""
    return Exact(await take_sectors(gateway, person, visit, body.csv))


class Taxes(msgspec.Struct, frozen=True):
    """What the page of wash sales and bases shows."""

    accounts: tuple[AccountTreatment, ...]
    washed: WashSales
    bases: BasisDifferences


async def load_taxes(look: Look) -> Taxes:
    accounts: AccountTreatments
    washed: WashSales
    bases: BasisDifferences
    accounts, washed, bases = await asyncio.gather(
        look.ask("portfolio", AccountTreatmentsAsked(user_id=look.person.user_id)),
        look.gateway.parts.ask("portfolio", WashSalesAsked(user_id=look.person.user_id, limit=ON_A_PAGE), deadline_s=DEADLINE_S),
        look.gateway.parts.ask("portfolio", BasisDifferencesAsked(user_id=look.person.user_id, limit=ON_A_PAGE), deadline_s=DEADLINE_S),
    )
    return Taxes(accounts.accounts, washed, bases)


async def load_allocation(look: Look) -> Allocation:
    account: str | None = look.values["account"]
    found: Allocation = await look.ask(
        "portfolio", AllocationAsked(user_id=look.person.user_id, account_id=AccountId(account) if account else None)
    )
    return found


TAXES = Page("/performance", "taxes.html", {"taxes": load_taxes})
ALLOCATION = Page("/performance", "allocation.html", {"allocation": load_allocation})


@ROUTER.get("/performance/taxes", include_in_schema=False)
async def taxes_page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person), TAXES)


@ROUTER.post("/performance/taxes/{account_id}", include_in_schema=False)
async def treat_on_page(
    account_id: str, gateway: Here, person: ByTrader, visit: From, treatment: Annotated[TaxTreatment, Form()]
) -> Response:
    await treat(gateway, person, visit, account_id, treatment)
    return RedirectResponse("/performance/taxes", 303)


@ROUTER.post("/performance/allocation/sectors", include_in_schema=False)
async def sectors_on_page(gateway: Here, person: By, visit: From, csv: Annotated[str, Form(min_length=1, max_length=400_000)]) -> Response:
    await take_sectors(gateway, person, visit, csv)
    return RedirectResponse("/performance/allocation", 303)


@ROUTER.get("/performance/allocation", include_in_schema=False)
async def allocation_page(request: Request, gateway: Here, person: By, account: Account = None) -> Response:
    return await show(Look(request, gateway, person, {"account": account or None}), ALLOCATION)
