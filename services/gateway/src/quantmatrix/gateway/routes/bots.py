"""Decision engines in their older shapes: the latest signal on each instrument, one engine, and its latest evaluation."""

import asyncio
from typing import cast

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from quantmatrix.common.contracts.asking.execution import Orders, OrdersAsked
from quantmatrix.common.contracts.asking.market import ReplayStatusAsked
from quantmatrix.common.contracts.asking.runs import (
    RunDetail,
    RunDetails,
    RunDetailsAsked,
    Strategies,
    StrategiesAsked,
    Verdicts,
    VerdictsAsked,
    VerdictTold,
)
from quantmatrix.common.contracts.asking.signals import Signals, SignalsAsked
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.ids import order_of
from quantmatrix.common.names import RunId
from quantmatrix.gateway.context import By, ByTrader, Gateway, Here
from quantmatrix.gateway.exact import Exact, as_numbers
from quantmatrix.gateway.openapi import answers, answers_list
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.problems import ProblemError, not_found
from quantmatrix.gateway.shapes import TRADE_STATES, BotShape, EvaluationResult, EvaluationShape, SignalShape, bot_shape, signal_shape

ROUTER = APIRouter(prefix="/api/v1/bots", tags=["bots"])
LOOKED_AT = 500


@ROUTER.get("/signals/", responses=answers_list(SignalShape))
async def signals(gateway: Here, person: By) -> Response:
    """The latest decision of every engine on every instrument it has decided on lately."""
    found, status = await asyncio.gather(_signals(gateway, person), gateway.parts.ask("market", ReplayStatusAsked()))
    latest: dict[tuple[str, str], SignalRaised] = {}
    for one in found.signals:
        latest.setdefault((one.triggered_by, one.instrument.instrument_id), one)
    return Exact(as_numbers([signal_shape(one, as_of=status.as_of) for one in latest.values()]))


@ROUTER.get("/{bot_id}/", responses=answers(BotShape))
async def bot(bot_id: str, gateway: Here, person: By) -> Response:
    """One engine by the name that its trades carry in `triggered_by`, or by its run's id."""
    run = await _run(gateway, person, bot_id)
    known: Strategies
    known, latest = await asyncio.gather(gateway.parts.ask("signals", StrategiesAsked()), _latest(gateway, person, run.run_id))
    inputs = next((one.inputs for one in known.strategies if one.name == run.strategy), ())
    return Exact(as_numbers(bot_shape(run, inputs, latest)))


@ROUTER.post("/{bot_id}/evaluate", responses=answers(EvaluationShape))
async def evaluate(bot_id: str, gateway: Here, person: ByTrader) -> Response:
    """The latest evaluation of a bot, and what it traded then. Every closed bar is evaluated once; this trades nothing."""
    run = await _run(gateway, person, bot_id)
    latest = await _latest(gateway, person, run.run_id)
    if latest is None:
        raise ProblemError(409, "BOT_NOT_EVALUATED", f"{run.triggered_by} has evaluated no bar; a bot does so on every closed bar")
    trade = await _trade(gateway, person, run.run_id, latest)
    told = msgspec.convert({"temperature": latest.temperature, "trade_executed": trade is not None, "trade_id": trade}, EvaluationResult)
    return Exact(as_numbers(EvaluationShape(forced=False, result=told)))


async def _signals(gateway: Gateway, person: Person) -> Signals:
    return cast(Signals, await gateway.parts.ask("signals", SignalsAsked(user_id=person.user_id, limit=LOOKED_AT)))


async def _run(gateway: Gateway, person: Person, bot_id: str) -> RunDetail:
    found: RunDetails = await gateway.parts.ask("signals", RunDetailsAsked(user_id=person.user_id))
    run = next((one for one in found.runs if bot_id in (one.triggered_by, str(one.run_id))), None)
    if run is None:
        raise not_found(f"there is no bot {bot_id}")
    return run


async def _latest(gateway: Gateway, person: Person, run_id: RunId) -> VerdictTold | None:
    found: Verdicts = await gateway.parts.ask("signals", VerdictsAsked(user_id=person.user_id, run_id=run_id, limit=1))
    return found.verdicts[0] if found.verdicts else None


async def _trade(gateway: Gateway, person: Person, run_id: RunId, latest: VerdictTold) -> str | None:
    """The order that was filled on what was decided then; None when there is none."""
    for one in (await _signals(gateway, person)).signals:
        if (one.run_id, one.instrument.instrument_id, one.session) == (run_id, latest.instrument.instrument_id, latest.session):
            asked = OrdersAsked(user_id=person.user_id, order_id=order_of(one.signal_id), limit=1)
            found: Orders = await gateway.parts.ask("execution", asked)
            for order in found.orders:
                if TRADE_STATES[order.state] == "filled":
                    return str(order.order_id)
    return None
