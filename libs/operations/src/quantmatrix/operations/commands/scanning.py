"""qm scan, qm watchlist and qm advise: a universe read for what fits a preset or ranked, and what the advisory rules say of a holding."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import msgspec
import typer

from quantmatrix.common.contracts.asking.scans import Advice, AdviceAsked, ScanAsked, Scanned, Unread, Watchlist, WatchlistAsked
from quantmatrix.operations.backtests import parameters_as_json
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places
from quantmatrix.signals.backtest.history import BacktestError

DEADLINE_S = 30.0
Symbols = Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="All that is listed when left out.")]
_FIGURES = ("close", "atr_distance", "atr_pct", "position_20d", "rsi", "score", "confidence", "stop", "target")


def scan_command(
    symbols: Symbols = None,
    preset: Annotated[
        str, typer.Option("--preset", help="entry_setup, breakout_candidates, value, momentum, atr_matrix or all.")
    ] = "entry_setup",
    given: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME=VALUE", help="In place of the preset's own, such as min_price=20; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What fits a preset now, nearest to its base first; symbols that cannot be read are named and stop nothing."""
    try:
        filters = parameters_as_json(given or ())
    except BacktestError as error:
        fail(Exit.CONFIGURATION, f"--filter: {error}", as_json=as_json)
    asked = ScanAsked(preset=preset, symbols=tuple(symbols or ()), filters=filters)
    found = run(_scanned(places(as_json=as_json), asked), as_json=as_json)
    if as_json:
        hits = [{name: getattr(one, name) for name in one.__struct_fields__} for one in found.hits]
        unread = {one.symbol: one.why for one in found.unread}
        tell_json({"preset": found.preset, "filters": found.filters, "scanned": found.scanned, "hits": hits, "unread": unread})
        return
    rows = [(one.symbol, one.session, one.zone.lower(), *(_short(getattr(one, name)) for name in _FIGURES)) for one in found.hits]
    tell_table(f"{found.preset}: {len(rows)} of {found.scanned}", ("symbol", "session", "zone", *_FIGURES), rows, right=_FIGURES)
    tell_unread(found.unread)


def watchlist_command(symbols: Symbols = None, as_json: AsJson = False) -> None:
    """The best 50 by watchlist score, with the points of each component; symbols that cannot be read are named and stop nothing."""
    found = run(_watchlist(places(as_json=as_json), WatchlistAsked(symbols=tuple(symbols or ()))), as_json=as_json)
    if as_json:
        tell_json(msgspec.to_builtins(found))
        return
    names = [f"{name} {weight:g}" for name, weight in found.weights.items()]
    rows = [
        (one.symbol, one.session, _short(one.score), *(_short(part.points) or "not known" for part in one.components))
        for one in found.watched
    ]
    tell_table(f"Watchlist: {len(rows)} of {found.scanned}", ("symbol", "session", "score", *names), rows, right=("score", *names))
    tell_unread(found.unread)


def advise_command(
    market_cap: Annotated[float, typer.Option("--market-cap", help="Market value of the company, in dollars.")],
    unrealised: Annotated[float, typer.Option("--unrealised", help="Gain of the position on its cost, in percent.")],
    growth: Annotated[bool, typer.Option("--growth", help="It is in a growth sector.")] = False,
    style: Annotated[str, typer.Option("--style", help="conservative, standard, aggressive or balanced; all when left out.")] = "",
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="rebalance_frequency, max_position_increase or profit_taking; may be repeated."),
    ] = None,
    as_of: Annotated[str, typer.Option("--as-of", metavar="YYYY-MM-DD", help="Tell when to look again after this day.")] = "",
    as_json: AsJson = False,
) -> None:
    """What the four advisory rules say about a holding. Nothing is traded on it."""
    try:
        bounds, day = parameters_as_json(given or ()), date.fromisoformat(as_of) if as_of else None
    except (BacktestError, ValueError) as error:
        fail(Exit.CONFIGURATION, f"--set or --as-of: {error}", as_json=as_json)
    asked = AdviceAsked(market_cap=market_cap, unrealised_pct=unrealised, growth_sector=growth, style=style, settings=bounds, as_of=day)
    found = run(_advised(places(as_json=as_json), asked, as_json=as_json), as_json=as_json)
    told = [{name: getattr(one, name) for name in one.__struct_fields__} for one in found.advice]
    if as_json:
        tell_json({"advice": told, "again_on": found.again_on})
        return
    tell_table("Advice", ("style", "action", "percent", "confidence", "reason", "urgency"), [tuple(one.values()) for one in told])
    if found.again_on is not None:
        out.print(f"Look again on {found.again_on}.", highlight=False)


def tell_unread(unread: Sequence[Unread]) -> None:
    """A line for each."""
    for one in unread:
        out.print(f"· {one.symbol} could not be read: {one.why}", highlight=False, markup=False)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


async def _scanned(where: Places, asked: ScanAsked) -> Scanned:
    async with asking_services(where, as_json=False) as ask:
        return await ask("signals", asked, deadline_s=DEADLINE_S)


async def _watchlist(where: Places, asked: WatchlistAsked) -> Watchlist:
    async with asking_services(where, as_json=False) as ask:
        return await ask("signals", asked, deadline_s=DEADLINE_S)


async def _advised(where: Places, asked: AdviceAsked, *, as_json: bool) -> Advice:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", asked)
