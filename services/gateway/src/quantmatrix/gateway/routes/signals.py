"""Signals with their reasons, as page and over the API."""

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from quantmatrix.common.contracts.asking.runs import FollowUp, FollowUps, FollowUpsAsked
from quantmatrix.common.contracts.asking.signals import Runs, RunsAsked, Signals, SignalsAsked
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import SignalId
from quantmatrix.gateway.context import By, Gateway, Here
from quantmatrix.gateway.exact import Exact
from quantmatrix.gateway.listing import Narrowed, PageCursor, Wanted
from quantmatrix.gateway.openapi import answers
from quantmatrix.gateway.pages import Look, Page, show
from quantmatrix.gateway.people import Person

ROUTER = APIRouter()
ON_A_PAGE = 24


class SignalPage(msgspec.Struct, frozen=True):
    """Signals with their reasons, the latest first, the cursor of the next page, and what became of those that are followed."""

    signals: tuple[SignalRaised, ...]
    next_cursor: str | None
    follow_ups: tuple[FollowUp, ...] = ()

    def follow_up(self, signal_id: SignalId) -> FollowUp | None:
        """What became of one of them; None when it is not followed."""
        return next((one for one in self.follow_ups if one.signal_id == signal_id), None)


async def signals_of(gateway: Gateway, person: Person, wanted: Wanted) -> SignalPage:
    found: Signals = await gateway.parts.ask("signals", wanted.of(SignalsAsked, person))
    shown, following = wanted.cut(found.signals, lambda one: (one.decided_at, one.signal_id))
    ids = tuple(one.signal_id for one in shown)
    became: FollowUps = await gateway.parts.ask("signals", FollowUpsAsked(user_id=person.user_id, signal_ids=ids))
    return SignalPage(shown, following, became.follow_ups)


@ROUTER.get("/api/v1/strategies/signals/", tags=["strategies"], responses=answers(SignalPage))
async def signals(gateway: Here, person: By, wanted: Narrowed) -> Response:
    """What strategy runs decided, why, and what became of it."""
    return Exact(await signals_of(gateway, person, wanted))


@ROUTER.get("/api/v1/strategies/runs/", tags=["strategies"], responses=answers(Runs))
async def runs(gateway: Here, person: By) -> Response:
    """The strategy runs of a person and their capital."""
    return Exact(await gateway.parts.ask("signals", RunsAsked(user_id=person.user_id)))


async def load_signals(look: Look) -> SignalPage:
    return await signals_of(look.gateway, look.person, look.wanted(ON_A_PAGE))


async def load_runs(look: Look) -> Runs:
    found: Runs = await look.ask("signals", RunsAsked(user_id=look.person.user_id))
    return found


SIGNALS = Page("/signals", "signals.html", {"signals": load_signals, "runs": load_runs})


@ROUTER.get("/signals", include_in_schema=False)
async def page(request: Request, gateway: Here, person: By, cursor: PageCursor = None) -> Response:
    return await show(Look(request, gateway, person, {"cursor": cursor}), SIGNALS)
