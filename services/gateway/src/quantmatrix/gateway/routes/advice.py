"""What the advisory rules say about a holding, within the bounds that a person sets; over the API and on a page."""

import json
import math
from datetime import date
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.portfolio import Portfolio, PortfolioAsked
from quantmatrix.common.contracts.asking.scans import Advice, AdviceAsked
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show

ROUTER = APIRouter()
STYLES = ("conservative", "standard", "aggressive", "balanced")
OWN = "s."
"""What a field of the form begins with that is a bound."""
WRONG = ("ADVICE_INVALID", "ADVICE_FIGURES", "STYLE_UNKNOWN")
Words = Annotated[str, Query(max_length=40)]


@ROUTER.get("/api/v1/scans/advice", tags=["scans"], responses=answers(Advice))
async def advised(
    gateway: Here,
    person: By,
    market_cap: Annotated[float, Query(gt=0, allow_inf_nan=False)],
    unrealised_pct: Annotated[float, Query(allow_inf_nan=False)],
    growth_sector: bool = False,
    style: Annotated[str, Query(max_length=40)] = "",
    rebalance_frequency: Literal["daily", "weekly", "monthly"] | None = None,
    max_position_increase: Annotated[float | None, Query(ge=5, le=25, allow_inf_nan=False)] = None,
    profit_taking: Annotated[float | None, Query(ge=20, le=100, allow_inf_nan=False)] = None,
    as_of: date | None = None,
) -> Response:
    """What the four advisory rules say about a holding, within the bounds that are set. Nothing is traded on it."""
    bounds = {
        "rebalance_frequency": rebalance_frequency,
        "max_position_increase": max_position_increase,
        "profit_taking": profit_taking,
    }
    asked = AdviceAsked(
        market_cap=market_cap,
        unrealised_pct=unrealised_pct,
        growth_sector=growth_sector,
        style=style,
        settings={name: json.dumps(value) for name, value in bounds.items() if value is not None},
        as_of=as_of,
    )
    return Exact(await gateway.parts.ask("signals", asked))


class OwnHolding(msgspec.Struct, frozen=True):
    """A position to ask about: its gain on its cost, in percent."""

    symbol: str
    unrealised_pct: float


class ShownAdvice(msgspec.Struct, frozen=True):
    """The answer, its rules left out while no figures are given; wrong: what was, in the form."""

    advice: Advice
    asked: bool
    wrong: str = ""


async def load_advice(look: Look) -> ShownAdvice:
    """Without figures, and beside wrong ones, the question is asked of any holding: its answer draws the form."""
    blank = AdviceAsked(market_cap=1.0, unrealised_pct=0.0)
    if not look.values["given"]:
        return ShownAdvice(await look.ask("signals", blank), asked=False)
    try:
        return ShownAdvice(await look.ask("signals", _wish(look)), asked=True)
    except ValueError as error:
        wrong = str(error)
    except Refused as error:
        if error.code not in WRONG:
            raise
        wrong = error.detail
    return ShownAdvice(await look.ask("signals", blank), asked=False, wrong=wrong)


def _wish(look: Look) -> AdviceAsked:
    """Raises ValueError for a figure that is none."""
    given = look.values["given"]
    return AdviceAsked(
        market_cap=_number("market value", given.get("market_cap", "")),
        unrealised_pct=_number("gain", given.get("unrealised_pct", "")),
        growth_sector=given.get("growth_sector") == "true",
        style=given.get("style", ""),
        settings={name.removeprefix(OWN): text for name, text in given.items() if name.startswith(OWN)},
        as_of=look.values["as_of"],
    )


def _number(what: str, text: str) -> float:
    try:
        if math.isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    raise ValueError(f"the {what} is missing" if not text else f"the {what} is no number: {text[:40]}")


async def load_holdings(look: Look) -> tuple[OwnHolding, ...]:
    """What a person holds whose cost is known."""
    held: Portfolio = await look.ask("portfolio", PortfolioAsked(user_id=look.person.user_id))
    return tuple(
        OwnHolding(one.instrument.symbol, float(one.unrealised.amount / one.basis.amount) * 100)
        for one in held.positions
        if one.unrealised is not None and one.basis
    )


ADVICE = Page("/scans/advice", "advice.html", {"advice": load_advice, "holdings": load_holdings})
FIELDS = ("market_cap", "unrealised_pct", "growth_sector", "style")


@ROUTER.get("/scans/advice", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By, as_of: Words = "") -> Response:
    """The form, and under it what the rules say; what cannot be is told above it."""
    told = {name: text.strip()[:80] for name, text in request.query_params.items() if name in FIELDS or name.startswith(OWN)}
    given = {name: text for name, text in told.items() if text}
    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        day = None
    return await show(Look(request, gateway, person, {"given": given, "as_of": day, "styles": STYLES}), ADVICE)
