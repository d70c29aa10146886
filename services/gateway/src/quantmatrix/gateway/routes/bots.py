"""Decision engines: the latest signal on each instrument, in its older shape."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from quantmatrix.common.contracts.asking.market import ReplayStatusAsked
from quantmatrix.common.contracts.asking.signals import Signals, SignalsAsked
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.gateway.context import By, Here
from quantmatrix.gateway.exact import Exact, as_numbers
from quantmatrix.gateway.openapi import answers_list
from quantmatrix.gateway.shapes import SignalShape, signal_shape

ROUTER = APIRouter(prefix="/api/v1/bots", tags=["bots"])
LOOKED_AT = 500


@ROUTER.get("/signals/", responses=answers_list(SignalShape))
async def signals(gateway: Here, person: By) -> Response:
    """The latest decision of every engine on every instrument it has decided on lately."""
    found: Signals
    found, status = await asyncio.gather(
        gateway.parts.ask("signals", SignalsAsked(user_id=person.user_id, limit=LOOKED_AT)),
        gateway.parts.ask("market", ReplayStatusAsked()),
    )
    latest: dict[tuple[str, str], SignalRaised] = {}
    for one in found.signals:
        latest.setdefault((one.triggered_by, one.instrument.instrument_id), one)
    return Exact(as_numbers([signal_shape(one, as_of=status.as_of) for one in latest.values()]))
