"""Stored backtests: the list, one with its trades and plots, several side by side, starting and cancelling; as page and over the API."""

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.backtests import (
    Backtest,
    BacktestAsked,
    BacktestCancelled,
    BacktestLuck,
    BacktestLuckAsked,
    BacktestPage,
    BacktestPageAsked,
    BacktestResumeWanted,
    Backtests,
    BacktestsAsked,
    BacktestTaken,
    BacktestUnwanted,
    BacktestWanted,
    Compared,
    ComparisonAsked,
    WindowsWanted,
)
from quantmatrix.common.contracts.asking.runs import Strategies, StrategiesAsked, StrategyCard
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money
from quantmatrix.gateway.context import By, ByTrader, From, Gateway, Here
from quantmatrix.gateway.exact import PLAIN, Exact
from quantmatrix.gateway.listing import Limit
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.problems import DOCUMENTED, not_found

ROUTER = APIRouter()
CREATED, CURRENCY = 202, "USD"
ON_A_PAGE = 50
PARTS_MAX = 100
CUTS = 500
"""At how many of its last bars a history is cut unless somebody says otherwise."""
DEADLINE_S = 10.0
"""Reading and drawing a long backtest takes longer than other questions."""
Offset = Annotated[int, Query(ge=0)]
Drawn = Annotated[Literal["bootstrap", "shuffle"], Query(description="With replacement, or each trade once in another order.")]
Runs = Annotated[int, Query(ge=1, le=10_000)]
Seed = Annotated[int, Query(ge=0, le=2**53)]


class WantedWindows(BaseModel):
    """Of a walk forward, in sessions: chosen on `inside` of them, run on the `outside` after them.

    anchored: what is chosen on begins with the first session each time.
    """

    model_config = ConfigDict(extra="forbid")

    inside: Annotated[int, Field(ge=2, le=10_000)] = 504
    outside: Annotated[int, Field(ge=1, le=10_000)] = 126
    anchored: bool = False


class WantedBacktest(BaseModel):
    """A backtest as it is asked for. symbols: all that are listed when left out; grid: lists of values by parameter, for a sweep
    or, with windows, a walk forward; cuts: for a look-ahead check, at how many of its last bars each history is cut.
    """

    model_config = ConfigDict(extra="forbid")

    strategy: Annotated[str, Field(min_length=1, max_length=80)]
    symbols: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    capital: Annotated[Decimal, Field(gt=0, max_digits=17, decimal_places=2, description="In US dollars."), PLAIN]
    parameters: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    windows: WantedWindows | None = None
    cuts: Annotated[int | None, Field(ge=1, le=10_000)] = None
    first: date | None = None
    last: date | None = None
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0


async def start_backtest(gateway: Gateway, person: Person, request_id: UUID, wanted: WantedBacktest) -> BacktestTaken:
    """Ask signals for it. Raises Refused with what is wrong."""
    asked = BacktestWanted(
        user_id=person.user_id,
        command_id=request_id,
        strategy=wanted.strategy,
        symbols=wanted.symbols,
        capital=Money(wanted.capital, CURRENCY),
        parameters={name: json.dumps(value) for name, value in wanted.parameters.items()},
        grid={name: json.dumps(values) for name, values in wanted.grid.items()},
        windows=WindowsWanted(**wanted.windows.model_dump()) if wanted.windows else None,
        cuts=wanted.cuts,
        first=wanted.first,
        last=wanted.last,
        seed=wanted.seed,
    )
    return await gateway.parts.ask("signals", asked)


async def backtest_of(gateway: Gateway, person: Person, number: int, offset: int) -> Backtest:
    asked = BacktestAsked(user_id=person.user_id, backtest_id=number, offset=offset)
    return await gateway.parts.ask("signals", asked, deadline_s=DEADLINE_S)


async def _compared(gateway: Gateway, person: Person, numbers: list[int]) -> Compared:
    return await gateway.parts.ask("signals", ComparisonAsked(user_id=person.user_id, backtest_ids=tuple(numbers)), deadline_s=DEADLINE_S)


async def _luck(
    gateway: Gateway, person: Person, number: int, method: Literal["bootstrap", "shuffle"], runs: int, seed: int
) -> BacktestLuck:
    asked = BacktestLuckAsked(user_id=person.user_id, backtest_id=number, method=method, runs=runs, seed=seed)
    return await gateway.parts.ask("signals", asked, deadline_s=DEADLINE_S)


@ROUTER.get("/api/v1/backtests/", tags=["backtests"], responses=answers(Backtests))
async def backtests(gateway: Here, person: By, limit: Limit = ON_A_PAGE, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """Stored backtests, the latest first; before: the number of the last one of the page before."""
    return Exact(await gateway.parts.ask("signals", BacktestsAsked(user_id=person.user_id, before=before, limit=limit)))


@ROUTER.post("/api/v1/backtests/", tags=["backtests"], status_code=CREATED, responses=answers(BacktestTaken, CREATED))
async def start(wanted: WantedBacktest, gateway: Here, person: ByTrader, visit: From) -> Response:
    """Run a strategy on the bars of this installation, in a process of its own. It is queued, and worked on one after the other."""
    return Exact(await start_backtest(gateway, person, visit.request_id, wanted), CREATED)


@ROUTER.get("/api/v1/backtests/compare", tags=["backtests"], responses=answers(Compared))
async def compare(gateway: Here, person: By, id: Annotated[list[int], Query(min_length=2, max_length=6)]) -> Response:  # noqa: A002
    """Two to six finished backtests side by side."""
    return Exact(await _compared(gateway, person, id))


@ROUTER.get("/api/v1/backtests/{number}", tags=["backtests"], responses=answers(Backtest))
async def backtest(number: int, gateway: Here, person: By, offset: Offset = 0) -> Response:
    """One backtest: how it was asked, its figures, and a part of its trades from `offset` on."""
    return Exact(await backtest_of(gateway, person, number, offset))


@ROUTER.get(
    "/api/v1/backtests/{number}/report",
    tags=["backtests"],
    responses={200: {"description": "The backtest as a page that needs no other file", "content": {"text/html": {}}}, **DOCUMENTED},
)
async def report(number: int, gateway: Here, person: By) -> Response:
    """A finished backtest as one file of HTML."""
    texts: list[str] = []
    offset: int | None = 0
    for _ in range(PARTS_MAX):
        asked = BacktestPageAsked(user_id=person.user_id, backtest_id=number, offset=offset or 0)
        part: BacktestPage = await gateway.parts.ask("signals", asked, deadline_s=DEADLINE_S)
        texts.append(part.html)
        offset = part.next_offset
        if offset is None:
            break
    return Response(
        "".join(texts), headers={"Content-Disposition": f'attachment; filename="backtest-{number}.html"'}, media_type="text/html"
    )


@ROUTER.get("/api/v1/backtests/{number}/monte-carlo", tags=["backtests"], responses=answers(BacktestLuck))
async def luck(number: int, gateway: Here, person: By, method: Drawn = "bootstrap", runs: Runs = 1_000, seed: Seed = 0) -> Response:
    """The closed trades of a finished run drawn anew: bands of the return that they end with and of the drawdown on the way."""
    return Exact(await _luck(gateway, person, number, method, runs, seed))


@ROUTER.post("/api/v1/backtests/{number}/cancel", tags=["backtests"], responses=answers(BacktestCancelled))
async def cancel(number: int, gateway: Here, person: ByTrader) -> Response:
    """Cancel a backtest that waits or is at work. Finished parts of it stay."""
    return Exact(await gateway.parts.ask("signals", BacktestUnwanted(user_id=person.user_id, backtest_id=number)))


@ROUTER.post("/api/v1/backtests/{number}/resume", tags=["backtests"], status_code=CREATED, responses=answers(BacktestTaken, CREATED))
async def resume(number: int, gateway: Here, person: ByTrader) -> Response:
    """Go on with a sweep, walk forward or look-ahead check that was cancelled or failed: finished parts are not computed again."""
    return Exact(await gateway.parts.ask("signals", BacktestResumeWanted(user_id=person.user_id, backtest_id=number)), CREATED)


async def load_backtests(look: Look) -> Backtests:
    found: Backtests = await look.ask("signals", BacktestsAsked(user_id=look.person.user_id, limit=ON_A_PAGE))
    return found


async def load_catalogue(look: Look) -> Strategies:
    found: Strategies = await look.ask("signals", StrategiesAsked())
    return found


async def load_choice(look: Look) -> StrategyCard:
    found = await load_catalogue(look)
    card = next((one for one in found.strategies if one.name == look.values["strategy"]), None)
    if card is None:
        raise not_found(f"there is no strategy {look.values['strategy']}")
    return card


async def load_backtest(look: Look) -> Backtest:
    return await backtest_of(look.gateway, look.person, look.values["backtest_id"], look.values["offset"])


async def load_luck(look: Look) -> BacktestLuck:
    return await _luck(look.gateway, look.person, look.values["backtest_id"], look.values["method"], 1_000, 0)


async def load_compared(look: Look) -> Compared:
    return await _compared(look.gateway, look.person, look.values["ids"])


BACKTESTS = Page("/backtests", "backtests.html", {"backtests": load_backtests, "catalogue": load_catalogue})
NEW = Page("/backtests/new", "backtest_new.html", {"choice": load_choice})
BACKTEST = Page("/backtests/one", "backtest.html", {"backtest": load_backtest})
LUCK = Page("/backtests/luck", "backtest_luck.html", {"luck": load_luck})
COMPARED = Page("/backtests/compare", "backtests_compared.html", {"compared": load_compared})


@ROUTER.get("/backtests", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"wrong": ""}), BACKTESTS)


@ROUTER.get("/backtests/compare", include_in_schema=False)
async def compare_page(request: Request, gateway: Here, person: By, id: Annotated[list[int] | None, Query()] = None) -> Response:  # noqa: A002
    try:
        return await show(Look(request, gateway, person, {"ids": id or []}), COMPARED)
    except Refused as error:
        return await show(Look(request, gateway, person, {"wrong": error.detail}), BACKTESTS)


@ROUTER.get("/backtests/new/{strategy}", include_in_schema=False)
async def new_page(strategy: str, request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"strategy": strategy, "wrong": "", "given": {}}), NEW)


@ROUTER.post("/backtests", include_in_schema=False)
async def start_on_page(request: Request, gateway: Here, person: ByTrader, visit: From) -> Response:
    """The new backtest's page, or the form again with what is wrong."""
    given = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        taken = await start_backtest(gateway, person, visit.request_id, _wanted(given))
    except (Refused, ValidationError) as error:
        wrong = error.detail if isinstance(error, Refused) else first_wrong(error)
        return await show(Look(request, gateway, person, {"strategy": given.get("strategy", ""), "wrong": wrong, "given": given}), NEW)
    return RedirectResponse(f"/backtests/{taken.backtest_id}", 303)


@ROUTER.get("/backtests/{number}", include_in_schema=False)
async def backtest_page(number: int, request: Request, gateway: Here, person: By, offset: Offset = 0) -> Response:
    waits = "part" in request.query_params
    if not waits:
        found: Backtest = await backtest_of(gateway, person, number, offset)
        waits = found.line.state in ("queued", "running")
    return await show(Look(request, gateway, person, {"backtest_id": number, "offset": offset, "waits": waits}), BACKTEST)


@ROUTER.get("/backtests/{number}/monte-carlo", include_in_schema=False)
async def luck_page(number: int, request: Request, gateway: Here, person: By, method: Drawn = "bootstrap") -> Response:
    return await show(Look(request, gateway, person, {"backtest_id": number, "method": method}), LUCK)


@ROUTER.post("/backtests/{number}/cancel", include_in_schema=False)
async def cancel_on_page(number: int, gateway: Here, person: ByTrader) -> Response:
    await gateway.parts.ask("signals", BacktestUnwanted(user_id=person.user_id, backtest_id=number))
    return RedirectResponse(f"/backtests/{number}", 303)


@ROUTER.post("/backtests/{number}/resume", include_in_schema=False)
async def resume_on_page(number: int, gateway: Here, person: ByTrader) -> Response:
    await gateway.parts.ask("signals", BacktestResumeWanted(user_id=person.user_id, backtest_id=number))
    return RedirectResponse(f"/backtests/{number}", 303)


def _wanted(given: dict[str, str]) -> WantedBacktest:
    """A form's fields as a wish: empty ones are left to the strategy."""
    kind = given.get("kind", "run")
    own = {name.removeprefix("p."): _value(text) for name, text in given.items() if text and name.startswith("p.")}
    grid = {name.removeprefix("g."): _values(text) for name, text in given.items() if text and name.startswith("g.")}
    has_grid = kind in ("sweep", "walk_forward")
    if has_grid and not grid:
        raise Refused("BACKTEST_INVALID", "give one or more parameters several values, separated by commas: those are tried")
    windows = {name: given[name] for name in ("inside", "outside", "anchored") if given.get(name)}
    told = {
        "strategy": given.get("strategy", ""),
        "symbols": symbols_of(given.get("symbols", "")),
        "capital": given.get("capital", ""),
        "parameters": own,
        "grid": grid if has_grid else {},
        "windows": windows if kind == "walk_forward" else None,
        "cuts": given.get("cuts") or CUTS if kind == "lookahead" else None,
        "first": given.get("first") or None,
        "last": given.get("last") or None,
    }
    return WantedBacktest.model_validate(told)


def symbols_of(text: str) -> tuple[str, ...]:
    """The symbols that a person wrote, separated by commas."""
    return tuple(part.strip().upper() for part in text.split(",") if part.strip())


def _values(text: str) -> list[Any]:
    return [_value(part.strip()) for part in text.split(",") if part.strip()]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def first_wrong(error: ValidationError) -> str:
    """The first field that is wrong, and why."""
    one = error.errors()[0]
    return f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
