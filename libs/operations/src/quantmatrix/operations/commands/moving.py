"""qm atr: how much symbols move by every ATR method, or what all that is held moves in a day."""

import json
from typing import Annotated

import msgspec
import typer

from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.contracts.asking.volatility import AtrAsked, AtrReadings, PortfolioAtr, portfolio_atr_of
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.commands.scanning import DEADLINE_S, tell_unread
from quantmatrix.operations.output import out, tell_json, tell_table
from quantmatrix.operations.places import Places

_ENHANCED = ("atr", "atr_pct", "rating", "percentile", "regime", "trend", "cycle_stage", "multiple", "stop_long", "quality")
_OPTIONS = ("options_multiplier", "expected_move", "annual_vol", "otm_call", "otm_put", "itm_call", "itm_put")
_MATRIX = ("weekly_atr", "atr_distance", "atr_pct_multiple", "zone", "stop_level", "target_level", "risk_reward_ratio")
_HELD = ("quantity", "price", "atr", "amount", "stop")


def atr_command(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="What is held when left out.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=252, help="Trading days of the expected move.")] = 10,
    as_json: AsJson = False,
) -> None:
    """How much symbols move, by every ATR method; without a symbol what all that is held moves in a day. Nothing is traded on it."""
    where = places(as_json=as_json)
    if symbols:
        _tell_readings(
            run(_readings(where, AtrAsked(symbols=tuple(symbols), trading_days=days), as_json=as_json), as_json=as_json), as_json
        )
    else:
        _tell_portfolio(run(_portfolio(where, as_json=as_json), as_json=as_json), as_json)


def _tell_readings(found: AtrReadings, as_json: bool) -> None:
    if as_json:
        tell_json(json.loads(encode(found)))
        return
    told = found.readings
    enhanced = [(one.symbol, one.session, one.status, *(_short(getattr(one.enhanced, name)) for name in _ENHANCED)) for one in told]
    tell_table("Enhanced", ("symbol", "session", "status", *_ENHANCED), enhanced)
    strikes = [{**msgspec.structs.asdict(one.options), **(one.options.suggested_strikes or {})} for one in told]
    options = [(one.symbol, *(_short(own.get(name)) for name in _OPTIONS)) for one, own in zip(told, strikes, strict=True)]
    tell_table("Options", ("symbol", *_OPTIONS), options, right=_OPTIONS)
    matrix = [(one.symbol, one.matrix.status, *(_short(getattr(one.matrix, name)) for name in _MATRIX)) for one in told]
    tell_table("Matrix", ("symbol", "status", *_MATRIX), matrix)
    tell_unread(found.unread)


def _tell_portfolio(found: PortfolioAtr, as_json: bool) -> None:
    if as_json:
        tell_json(json.loads(encode(found)))
        return
    rows = [(one.symbol, *(_short(getattr(one, name)) for name in _HELD)) for one in found.positions]
    tell_table(f"What is held moves in a day, of {found.value}", ("symbol", *_HELD), rows, right=_HELD)
    out.print(f"Gross {found.gross:.2f} ({found.gross_pct:.3f} %).", highlight=False)
    if found.diversified is not None and found.diversified_pct is not None:
        out.print(f"With correlations {found.diversified:.2f} ({found.diversified_pct:.3f} %).", highlight=False)
    else:
        pairs = ", ".join(" and ".join(pair) for pair in found.without_correlation)
        out.print(f"With correlations not known: fewer than 40 common returns of {pairs}.", highlight=False)
    out.print(f"If every stop is hit {found.heat:.2f} ({found.heat_pct:.3f} %) are lost.", highlight=False)
    tell_unread(found.unread)


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


async def _readings(where: Places, asked: AtrAsked, *, as_json: bool) -> AtrReadings:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", asked, deadline_s=DEADLINE_S)


async def _portfolio(where: Places, *, as_json: bool) -> PortfolioAtr:
    async with asking_services(where, as_json=as_json) as ask:
        held = await ask("portfolio", PortfolioAsked(user_id=FIRST_ADMINISTRATOR))
        return await ask("signals", portfolio_atr_of(FIRST_ADMINISTRATOR, held), deadline_s=DEADLINE_S)
