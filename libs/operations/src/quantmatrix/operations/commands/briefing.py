"""qm morning and qm holdings: the figures of a morning, and what there is to tell of what is held."""

import msgspec

from quantmatrix.common.contracts.asking.briefing import HoldingAlerts, HoldingAlertsAsked, Morning, MorningAsked, holdings_of
from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.commands.scanning import DEADLINE_S, tell_unread
from quantmatrix.operations.output import out, tell_json, tell_table
from quantmatrix.operations.places import Places

_PRICES = ("entry", "stop", "target 1", "target 2", "reward to risk", "days")


def morning_command(as_json: AsJson = False) -> None:
    """How the indices moved, the best four setups with entry, stop and targets, and how the scan went."""
    found = run(_morning(places(as_json=as_json), as_json=as_json), as_json=as_json)
    if as_json:
        tell_json(msgspec.to_builtins(found))
        return
    moves = [
        (one.symbol, one.session or "", f"{one.change_pct:+.2f} %" if one.change_pct is not None else one.why) for one in found.indices
    ]
    tell_table("Indices", ("symbol", "session", "move"), moves)
    rows = []
    for one in found.setups:
        targets = [f"{target:.2f}" for target in one.targets[:2]]
        figures = (f"{one.entry:.2f}", f"{one.stop:.2f}", *targets, *[""] * (2 - len(targets)), f"{one.risk_reward:.1f}", one.horizon_days)
        rows.append((one.symbol, one.session, *figures))
    tell_table(f"Setups: {found.hits} of {found.scanned} fit {found.preset}", ("symbol", "session", *_PRICES), rows, right=_PRICES)
    tell_unread(found.unread)


def holdings_command(as_json: AsJson = False) -> None:
    """What there is to tell of what is held, the ten most urgent first. Nothing is traded on it."""
    found = run(_alerts(places(as_json=as_json), as_json=as_json), as_json=as_json)
    if as_json:
        tell_json(msgspec.to_builtins(found))
        return
    rows = [(one.symbol, one.alert, one.urgency, one.text) for one in found.alerts]
    tell_table(f"Of what is held: {len(rows)} of {found.found}", ("symbol", "what", "urgency", "why"), rows)
    tell_unread(found.unread)
    if not found.alerts and not found.unread:
        out.print("There is nothing to tell.", highlight=False)


async def _morning(where: Places, *, as_json: bool) -> Morning:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", MorningAsked(), deadline_s=DEADLINE_S)


async def _alerts(where: Places, *, as_json: bool) -> HoldingAlerts:
    async with asking_services(where, as_json=as_json) as ask:
        held = await ask("portfolio", PortfolioAsked(user_id=FIRST_ADMINISTRATOR))
        return await ask("signals", HoldingAlertsAsked(holdings=holdings_of(held.positions)), deadline_s=DEADLINE_S)
