"""qm status: how the whole installation stands."""

from typing import Any

import httpx
import typer

from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, out, tell_json, tell_table
from quantmatrix.operations.places import FREE_BYTES_LOW, Places


def status(as_json: AsJson = False) -> None:
    """What runs, whether it is ready, where the replay stands, what is parked."""
    found = run(_status(places(as_json=as_json), as_json=as_json), as_json=as_json)
    if as_json:
        tell_json(found)
    else:
        _show(found)
    if found["warning"] or not all(part["ready"] for part in found["services"].values()):
        raise typer.Exit(Exit.ERROR)


async def _status(where: Places, *, as_json: bool) -> dict[str, Any]:
    async with asking_services(where, as_json=as_json) as ask:
        state: dict[str, Any] = where.read_state()
        parked = {service: await _parked(ask, service) for service in SERVICES}
        if state:
            services = await _readiness(state["health_ports"], state["pids"])
        else:
            silent = {"bus": "does not answer"}
            services = {
                one: {"pid": None, "ready": parked[one] is not None, "wrong": {} if parked[one] is not None else silent} for one in SERVICES
            }
        try:
            replay: ReplayStatus | None = await ask("market", ReplayStatusAsked())
        except (ServiceSilent, Refused):
            replay = None
    for service, count in parked.items():
        services[service]["parked"] = count
    return {
        "console": f"http://127.0.0.1:{state['console_port']}" if state else None,
        "home": str(where.home) if state else None,
        "restarts": state.get("restarts"),
        "warning": state.get("warning") or (_room(where) if state else None),
        "services": services,
        "servers": {name: state["pids"].get(name) for name in ("nats", "postgres")} if state else {},
        "replay": None if replay is None else {name: getattr(replay, name) for name in replay.__struct_fields__},
    }


def _room(where: Places) -> str | None:
    """A full disk may have kept the supervisor from writing its warning down."""
    free = where.free_bytes()
    return f"the disk where {where.home} lies is full ({free >> 20} MiB free)" if free < FREE_BYTES_LOW else None


async def _parked(ask: Ask, service: str) -> int | None:
    try:
        return len((await ask(service, ParkedAsked())).messages)
    except ServiceSilent:
        return None


async def _readiness(ports: dict[str, int], pids: dict[str, int]) -> dict[str, dict[str, Any]]:
    async with httpx.AsyncClient(timeout=3) as http:
        found: dict[str, dict[str, Any]] = {}
        for service, port in ports.items():
            try:
                answer = (await http.get(f"http://127.0.0.1:{port}/readyz")).json()
            except httpx.TransportError:
                answer = {"ready": False, "wrong": {"process": "does not answer"}}
            found[service] = {"pid": pids.get(service), "ready": answer["ready"], "wrong": answer["wrong"]}
        return found


def _show(found: dict[str, Any]) -> None:
    rows = [
        (name, part["pid"], "ready" if part["ready"] else "; ".join(part["wrong"].values()), part["parked"])
        for name, part in found["services"].items()
    ]
    tell_table(
        f"QuantMatrix at {found['console'] or 'outside servers'}", ("service", "pid", "state", "parked"), rows, right=("pid", "parked")
    )
    if found["replay"]:
        replay = found["replay"]
        out.print(f"replay {replay['state']}: {replay['session']}, {replay['sessions_done']} of {replay['sessions_total']} sessions")
    if found["warning"]:
        out.print(f"[bold yellow]{found['warning']}[/]", highlight=False)
    if found["home"]:
        out.print(f"{found['restarts']} restarts; data in {found['home']}")
