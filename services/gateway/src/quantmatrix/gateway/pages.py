"""How a page is put together: parts with a loader each, drawn together the first time and one by one afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import Request
from starlette.responses import Response

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.execution import AccountsAsked, AccountSummary
from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.names import SessionPhase
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.exact import parse_cursor
from quantmatrix.gateway.listing import Wanted
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.problems import not_found
from quantmatrix.gateway.render import page, part

PACES = (("1", "1 / s"), ("0.25", "4 / s"), ("0.05", "20 / s"), ("0", "as fast as possible"))
PHASES = {
    SessionPhase.OPEN: "open",
    SessionPhase.PREP: "before the open",
    SessionPhase.COOLDOWN: "closed, after hours",
    SessionPhase.DARK: "closed",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a person at a page. values: what the address says (a symbol, a cursor)."""

    request: Request
    gateway: Gateway
    person: Person
    values: Mapping[str, Any] = field(default_factory=dict)

    def wanted(self, limit: int) -> Wanted:
        """The page of a list that the address's cursor leads to. Raises 422 for a cursor that was never handed out."""
        return Wanted(limit, parse_cursor(self.values.get("cursor")))

    async def ask(self, service: str, question: Question[Any]) -> Any:
        return await self.gateway.parts.ask(service, question)


Loader = Callable[[Look], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """A template and the loader of each of its parts. A part's context has one name: the part's own."""

    here: str
    template: str
    parts: Mapping[str, Loader]


async def show(look: Look, shown: Page) -> Response:
    """The whole page, or the one part that the address names."""
    wanted = look.request.query_params.get("part")
    if wanted is not None:
        loader = shown.parts.get(wanted)
        if loader is None:
            raise not_found()
        return part(look.request, shown.template, wanted, {**_around(look, shown), wanted: await loader(look)})
    place = await look.gateway.feed.end()  # before the rest: what happens meanwhile is told by the stream
    loaders = {"bar": load_bar, **shown.parts}
    values = await asyncio.gather(*(_or_none(loader, look) for loader in loaders.values()))
    return page(look.request, shown.template, {**_around(look, shown), "place": str(place), **dict(zip(loaders, values, strict=True))})


def _around(look: Look, shown: Page) -> dict[str, Any]:
    return {"person": look.person, "here": shown.here, "look": look.values}


async def _or_none(loader: Loader, look: Look) -> Any:
    """A silent service leaves its own parts empty, not the page."""
    try:
        return await loader(look)
    except ServiceSilent:
        return None
    except Refused as error:
        if error.code == "SERVICE_BUSY":
            return None
        raise


class Bar(msgspec.Struct, frozen=True):
    """What the bar over every page shows."""

    status: ReplayStatus | None
    phase: str
    accounts: tuple[AccountSummary, ...]
    pace: str
    paces: tuple[tuple[str, str], ...]


async def load_bar(look: Look) -> Bar:
    status, accounts = await asyncio.gather(
        _or_none(lambda one: one.ask("market", ReplayStatusAsked()), look),
        _or_none(lambda one: one.ask("execution", AccountsAsked(user_id=one.person.user_id)), look),
    )
    phase = ""
    if status is not None and status.as_of is not None:
        phase = PHASES[TradingCalendar().phase(status.as_of)]
    pace = f"{status.pace_s:g}" if status is not None else ""
    paces = PACES if pace in dict(PACES) or status is None else ((pace, f"{pace} s each"), *PACES)
    return Bar(status, phase or "not started", accounts.accounts if accounts else (), pace, paces)
