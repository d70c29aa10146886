"""qm scan and qm advise: a universe read for what fits a preset, and what the advisory rules say about a holding."""

from typing import Annotated

import typer

from quantmatrix.common.contracts.asking.scans import Advice, AdviceAsked, ScanAsked, Scanned
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import out, tell_json, tell_table
from quantmatrix.operations.places import Places

DEADLINE_S = 30.0
_FIGURES = ("close", "atr_distance", "atr_pct", "position_20d", "rsi", "score", "confidence", "stop", "target")


def scan_command(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="All that is listed when left out.")] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="entry_setup, breakout_candidates, value, momentum or atr_matrix.")
    ] = "entry_setup",
    as_json: AsJson = False,
) -> None:
    """What fits a preset now, nearest to its base first; symbols that cannot be read are named and stop nothing."""
    found = run(_scanned(places(as_json=as_json), ScanAsked(preset=preset, symbols=tuple(symbols or ()))), as_json=as_json)
    if as_json:
        hits = [{name: getattr(one, name) for name in one.__struct_fields__} for one in found.hits]
        unread = {one.symbol: one.why for one in found.unread}
        tell_json({"preset": found.preset, "scanned": found.scanned, "hits": hits, "unread": unread})
        return
    rows = [(one.symbol, one.session, one.zone.lower(), *(_short(getattr(one, name)) for name in _FIGURES)) for one in found.hits]
    tell_table(f"{found.preset}: {len(rows)} of {found.scanned}", ("symbol", "session", "zone", *_FIGURES), rows, right=_FIGURES)
    for one in found.unread:
        out.print(f"· {one.symbol} could not be read: {one.why}", highlight=False, markup=False)


def advise_command(
    market_cap: Annotated[float, typer.Option("--market-cap", help="Market value of the company, in dollars.")],
    unrealised: Annotated[float, typer.Option("--unrealised", help="Gain of the position on its cost, in percent.")],
    growth: Annotated[bool, typer.Option("--growth", help="It is in a growth sector.")] = False,
    style: Annotated[str, typer.Option("--style", help="conservative, standard, aggressive or balanced; all when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """What the four advisory rules say about a holding. Nothing is traded on it."""
    asked = AdviceAsked(market_cap=market_cap, unrealised_pct=unrealised, growth_sector=growth, style=style)
    found = run(_advised(places(as_json=as_json), asked, as_json=as_json), as_json=as_json)
    told = [{name: getattr(one, name) for name in one.__struct_fields__} for one in found.advice]
    if as_json:
        tell_json({"advice": told})
        return
    tell_table("Advice", ("style", "action", "percent", "confidence", "reason"), [tuple(one.values()) for one in told])


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


async def _scanned(where: Places, asked: ScanAsked) -> Scanned:
    async with asking_services(where, as_json=False) as ask:
        return await ask("signals", asked, deadline_s=DEADLINE_S)


async def _advised(where: Places, asked: AdviceAsked, *, as_json: bool) -> Advice:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", asked)
