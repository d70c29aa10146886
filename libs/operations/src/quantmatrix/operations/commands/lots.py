"""qm lots: which lots an account's sales use up, and what is told to its ledger beside the fills."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from quantmatrix.common.contracts.asking.acts import (
    ActBookingAsked,
    ActsAsked,
    ActTaken,
    LotMethodChangeAsked,
    LotMethodHistory,
    LotMethodsAsked,
    ToldActs,
    act_of_json,
)
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.codec import MalformedMessageError, encode, encode_hook
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places

app = typer.Typer(help="Which lots sales use up, and what the ledger is told beside the fills.", no_args_is_help=True)
DEADLINE_S = 30.0
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="As the console and 'qm check' show it.")]


@app.command()
def method(
    account: Account,
    wanted: Annotated[str | None, typer.Argument(metavar="[METHOD]", help="Use this method; without one, show the methods.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day it holds for.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show an account's lot methods, or use another one from a day on; what was closed before that day stays."""
    if (wanted is None) is not (since is None):
        fail(Exit.ERROR, "give a method and its first day together: qm lots method ACCOUNT HIFO --since 2025-01-01", as_json=as_json)
    asked: Question[LotMethodHistory] = LotMethodsAsked(account_id=AccountId(account))
    if wanted is not None and since is not None:
        asked = LotMethodChangeAsked(
            command_id=fresh_id(),
            account_id=AccountId(account),
            method=wanted,
            since=since.date(),
        )
    answered_by = "portfolio" if wanted is None else "gateway"
    found = run(_asked(places(as_json=as_json), asked, answered_by, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json(msgspec.to_builtins(found))
        return
    rows = [
        (one.method, str(one.since or "the beginning"), f"{one.told_at:%Y-%m-%d %H:%M}" if one.told_at else "") for one in found.methods
    ]
    tell_table(f"Lot methods of {found.account_id}", ("method", "since", "told at (UTC)"), rows)


@app.command()
def acts(account: Account, as_json: AsJson = False) -> None:
    """What was told about an account beside its fills, with the ids by which it is completed and reversed."""
    found: ToldActs = run(
        _asked(places(as_json=as_json), ActsAsked(account_id=AccountId(account)), "portfolio", as_json=as_json), as_json=as_json
    )
    told: list[dict[str, Any]] = [msgspec.to_builtins(one, enc_hook=encode_hook) for one in found.acts]
    if as_json:
        tell_json({"account": account, "acts": told})
        return
    rows = [(str(one["event_id"]), one["act"]["what"], "yes" if one["reversed"] else "", _words(one["act"])) for one in told]
    tell_table(f"Acts of {account}", ("event id", "what", "reversed", "told"), rows)


@app.command()
def tell(
    account: Account,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="An act as JSON; docs/how-to/choose-lots.md has them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Book an act: an option's end, a corporate action, a transfer, a basis, a reversal. The same file again books nothing more."""
    try:
        act = act_of_json(file.read_bytes())
    except MalformedMessageError as error:
        fail(Exit.ERROR, f"{file}: {error}", as_json=as_json)
    asked = ActBookingAsked(command_id=derived_id("act", account, encode(act)), account_id=AccountId(account), act=act)
    taken: ActTaken = run(_asked(places(as_json=as_json), asked, "gateway", as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"event_id": str(taken.event_id), "booked": taken.booked})
    else:
        out.print(f"{'booked' if taken.booked else 'was booked before'} as {taken.event_id}", highlight=False)


async def _asked(where: Places, asked: Question[Any], answered_by: str, *, as_json: bool) -> Any:
    """What is read, portfolio tells; what changes something goes through the gateway, which writes it into the audit trail."""
    async with asking_services(where, as_json=as_json) as ask:
        return await ask(answered_by, asked, deadline_s=DEADLINE_S)


def _words(act: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in act.items() if name != "what" and value not in (None, [], "0", False))


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["symbol"]) if "symbol" in value else " ".join(str(part) for part in value.values())
    return str(value)
