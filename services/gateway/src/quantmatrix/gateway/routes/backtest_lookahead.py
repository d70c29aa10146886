"""Look-ahead checks: the latest of each strategy as a table, over the API too, and a form that starts one or all of them.

Addresses end in a word where those of one backtest end in its number, so this module's name stands before `backtests`.
"""

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from quantmatrix.common.contracts.asking.backtests import Lookaheads, LookaheadsAsked
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.gateway.context import By, ByTrader, From, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.routes.backtests import CUTS, WantedBacktest, first_wrong, load_catalogue, start_backtest, symbols_of

ROUTER = APIRouter()
EQUITY = 100_000
"""What a strategy is shown as its capital, in US dollars."""


@ROUTER.get("/api/v1/backtests/lookahead", tags=["backtests"], responses=answers(Lookaheads))
async def lookaheads(gateway: Here, person: By) -> Response:
    """The latest look-ahead check of each strategy. One is started as a backtest with `cuts`."""
    return Exact(await gateway.parts.ask("signals", LookaheadsAsked(user_id=person.user_id)))


async def load_checks(look: Look) -> Lookaheads:
    found: Lookaheads = await look.ask("signals", LookaheadsAsked(user_id=look.person.user_id))
    return found


CHECKS = Page("/backtests", "lookahead.html", {"checks": load_checks, "catalogue": load_catalogue})


@ROUTER.get("/backtests/lookahead", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By) -> Response:
    return await show(Look(request, gateway, person, {"wrong": "", "given": {}}), CHECKS)


@ROUTER.post("/backtests/lookahead", include_in_schema=False)
async def check_on_page(request: Request, gateway: Here, person: ByTrader, visit: From) -> Response:
    """The table with what was started in it, or the form again with what is wrong. What is wrong with one strategy keeps no other from being checked."""
    given = {name: str(value).strip() for name, value in (await request.form()).items()}
    look = Look(request, gateway, person, {"given": given})
    names = [given["strategy"]] if given.get("strategy") else [one.name for one in (await load_catalogue(look)).strategies]
    wrong: list[str] = []
    for name in names:
        try:
            await start_backtest(gateway, person, derived_id(visit.request_id, name), _wanted(name, given))
        except ValidationError as error:
            wrong = [first_wrong(error)]
            break
        except Refused as error:
            wrong.append(f"{name}: {error.detail}")
    if wrong:
        return await show(Look(request, gateway, person, {"given": given, "wrong": " \u00b7 ".join(wrong)}), CHECKS)
    return RedirectResponse("/backtests/lookahead", 303)


def _wanted(strategy: str, given: dict[str, str]) -> WantedBacktest:
    told = {
        "strategy": strategy,
        "symbols": symbols_of(given.get("symbols", "")),
        "capital": EQUITY,
        "cuts": given.get("cuts") or CUTS,
        "last": given.get("last") or None,
    }
    return WantedBacktest.model_validate(told)
