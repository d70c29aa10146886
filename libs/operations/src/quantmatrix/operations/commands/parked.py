"""qm parked: messages that could not be handled and wait for a decision."""

from typing import Annotated, Any

import typer

from quantmatrix.common.contracts.asking.messaging import ParkedAsked, ParkedDecided, ParkedDecisionAsked, ParkedMessage
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places

app = typer.Typer(help="Messages that could not be handled and wait for a decision.", no_args_is_help=True)
DEADLINE_S = 10.0
Wanted = Annotated[str, typer.Argument(metavar="SERVICE:NUMBER", help="As 'qm parked list' shows it.")]


@app.command("list")
def list_parked(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped.")] = False, as_json: AsJson = False
) -> None:
    """The parked messages of all services."""
    found = run(_listed(places(as_json=as_json), everything=everything, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"parked": [_as_json(one) for one in found]})
        return
    rows = [(f"{one.service}:{one.parked_id}", f"{one.parked_at:%Y-%m-%d %H:%M:%S}", one.subject, one.state, one.error) for one in found]
    tell_table("Parked messages", ("id", "parked at (UTC)", "subject", "state", "error"), rows)


@app.command()
def show(wanted: Wanted, as_json: AsJson = False) -> None:
    """One parked message with its error and its beginning."""
    service, number = _split(wanted, as_json=as_json)
    found = run(_listed(places(as_json=as_json), everything=True, as_json=as_json), as_json=as_json)
    one = next((one for one in found if (one.service, one.parked_id) == (service, number)), None)
    if one is None:
        fail(Exit.NOT_FOUND, f"there is no parked message {wanted}", as_json=as_json)
    if as_json:
        tell_json(_as_json(one))
        return
    for name, value in _as_json(one).items():
        out.print(f"[bold]{name:10}[/] ", end="")
        out.print(str(value), markup=False, highlight=False)


@app.command()
def replay(wanted: Wanted, as_json: AsJson = False) -> None:
    """Hear the message again, as after a repair of what was wrong."""
    _decide(wanted, "replay", as_json=as_json)


@app.command()
def drop(wanted: Wanted, as_json: AsJson = False) -> None:
    """Go on without the message. It stays on record as dropped."""
    _decide(wanted, "drop", as_json=as_json)


def _decide(wanted: str, decision: str, *, as_json: bool) -> None:
    service, number = _split(wanted, as_json=as_json)
    answer = run(_decided(places(as_json=as_json), service, number, decision, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"id": wanted, "state": answer.state, "detail": answer.detail})
    else:
        out.print(f"{wanted}: {answer.state}. {answer.detail}", highlight=False)


async def _listed(where: Places, *, everything: bool, as_json: bool) -> list[ParkedMessage]:
    async with asking_services(where, as_json=as_json) as ask:
        found: list[ParkedMessage] = []
        for service in SERVICES:
            found += (await ask(service, ParkedAsked(all=everything), deadline_s=DEADLINE_S)).messages
        return found


async def _decided(where: Places, service: str, number: int, decision: str, *, as_json: bool) -> ParkedDecided:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask(service, ParkedDecisionAsked(parked_id=number, decision=decision), deadline_s=DEADLINE_S)


def _split(wanted: str, *, as_json: bool) -> tuple[str, int]:
    service, _, number = wanted.partition(":")
    if service not in SERVICES or not number.isdecimal():
        fail(Exit.NOT_FOUND, f"{wanted} is not the id of a parked message; it looks like portfolio:3", as_json=as_json)
    return service, int(number)


def _as_json(one: ParkedMessage) -> dict[str, Any]:
    return {"id": f"{one.service}:{one.parked_id}"} | {name: getattr(one, name) for name in one.__struct_fields__}
