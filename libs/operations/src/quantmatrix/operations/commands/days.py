"""qm day: the end-of-day summary of any session, computed anew."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Annotated

import typer

from quantmatrix.common.contracts.asking.days import DayFigures, DaySummary, DaySummaryAsked
from quantmatrix.common.contracts.asking.market import ReplayStatusAsked
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places

DEADLINE_S = 30.0


def day_command(
    session: Annotated[str, typer.Argument(metavar="[YYYY-MM-DD]", help="The latest that is booked when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """What a session brought: closed trades with their figures, what is held, what was decided; of any past session."""
    try:
        wanted = date.fromisoformat(session) if session else None
    except ValueError:
        fail(Exit.CONFIGURATION, f"{session!r} is no date; write it as 2004-03-15", as_json=as_json)
    found = run(_summary(places(as_json=as_json), wanted, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json(json.loads(encode(found)))
        return
    for one in found.days:
        tell_table(f"{found.session}, {one.currency}", ("figure", "value"), list(_figures(one)), right=("value",))
        if one.strategies:
            rows = [(own.triggered_by, own.trades, own.won, own.net) for own in one.strategies]
            tell_table("By who opened them", ("opened by", "trades", "won", "net"), rows, right=("trades", "won", "net"))
    out.print(found.text, highlight=False, markup=False)


def _figures(one: DayFigures) -> Iterator[tuple[str, object]]:
    yield "worth at the end", one.end
    yield "change, flows aside", f"{one.gain} ({_percent(one.day_return)})"
    yield "closed trades", f"{one.trades} ({one.won} won, {one.lost} lost)"
    yield "win rate", _percent(one.win_rate)
    yield "gross", one.gross
    yield "fees", one.fees
    yield "net", f"{one.net} ({_percent(one.net_return)})"
    yield "profit factor", "" if one.profit_factor is None else f"{one.profit_factor:.4f}"
    yield "expectancy", one.expectancy or ""
    yield "deepest fall", _percent(-one.drawdown, digits=4)
    yield "most wins in a row", one.streak
    yield "capital used", _percent(one.capital_used)
    yield "risk per trade", _percent(one.risk_per_trade)


def _percent(share: float | None, digits: int = 2) -> str:
    return "" if share is None else f"{100 * share:.{digits}f} %"


async def _summary(where: Places, wanted: date | None, *, as_json: bool) -> DaySummary:
    async with asking_services(where, as_json=as_json) as ask:
        session = wanted or (await ask("market", ReplayStatusAsked())).settled
        if session is None:
            raise Refused("DAY_NOT_BOOKED", "no session is booked yet")
        return await ask("notify", DaySummaryAsked(user_id=FIRST_ADMINISTRATOR, session=session), deadline_s=DEADLINE_S)
