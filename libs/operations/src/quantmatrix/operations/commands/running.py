"""qm up, down: the whole installation on this machine."""

import asyncio
import os
import signal
import time
from typing import Annotated, Any

import httpx
import typer
from rich.status import Status

from quantmatrix.common.runtime.waiting import done_before
from quantmatrix.operations.answering import SupervisorAnswers
from quantmatrix.operations.commands.common import AsJson, places, read_settings, run
from quantmatrix.operations.output import Exit, err, fail, out, tell_json
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.servers.nats import NO_AUTHORITIES
from quantmatrix.operations.supervisor import Plan, Supervisor

STOP_TIMEOUT_S = 15.0
LOOK_S = 0.1
READY_TIMEOUT_S = 60.0


def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of the console on 127.0.0.1 (QM_GATEWAY_PORT, else 8321).")
    ] = None,
    pace: Annotated[float | None, typer.Option(min=0, help="Seconds between two sessions of the replay; 0 is as fast as it goes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start everything here, replay real daily bars, serve the console; Ctrl-C stops it."""
    settings = read_settings(as_json=as_json)
    environment = {} if pace is None else {"QM_MARKET_REPLAY_PACE_S": str(pace)}
    plan = Plan(environment=environment, console_port=port or settings.gateway_port, durable_bus=settings.bus_durable, own_log=True)
    run(_up(places(as_json=as_json), plan, as_json=as_json), as_json=as_json)


async def _up(where: Places, plan: Plan, *, as_json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    began = time.monotonic()
    status = err.status("opening the data folder")
    with status:
        supervisor = Supervisor(where, plan, lambda text: _step(status, text))
        await _unless(stop, supervisor.start(), supervisor)
        if not stop.is_set():
            _step(status, "waiting for the console")
            await _unless(stop, _until_console_answers(supervisor), supervisor)
    answers = SupervisorAnswers(supervisor)
    try:
        if not stop.is_set():
            await answers.start()
            _welcome(supervisor, time.monotonic() - began, as_json=as_json)
            await done_before(answers.work(), stop, supervisor.failed)
    finally:
        err.print("stopping", style="dim")
        await answers.stop()
        await supervisor.stop()
    if supervisor.failed.is_set():
        raise SetUpError(supervisor.failure)
    err.print("stopped; the next start goes on from here", style="dim")


def _step(status: Status, text: str) -> None:
    err.print(f"  • {text}", highlight=False)
    status.update(text)


async def _unless(stop: asyncio.Event, work: Any, supervisor: Supervisor) -> None:
    """Do the work unless a stop is asked for meanwhile."""
    if not await done_before(work, stop, supervisor.failed) and supervisor.failed.is_set():
        await supervisor.stop()
        raise SetUpError(supervisor.failure)


async def _until_console_answers(supervisor: Supervisor) -> None:
    async with httpx.AsyncClient(timeout=2, verify=NO_AUTHORITIES) as http, asyncio.timeout(READY_TIMEOUT_S):
        while True:
            try:
                answer = await http.get(f"http://127.0.0.1:{supervisor.console_port}/login")
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(LOOK_S / 2)


def _welcome(supervisor: Supervisor, seconds: float, *, as_json: bool) -> None:
    address = f"http://127.0.0.1:{supervisor.console_port}"
    if as_json:
        tell_json({"console": address, "user": "admin", "home": str(supervisor.places.home), "seconds": round(seconds, 2)})
        return
    out.print(f"\n[bold]QuantMatrix is running[/]   [bold cyan]{address}[/]", highlight=False)
    out.print(f"Log in as [bold]admin[/] with the password [bold]{supervisor.secrets.administrator}[/]", highlight=False)
    out.print(f"[dim]Up after {seconds:.1f} s. Data in {supervisor.places.home}. Ctrl-C stops everything.[/]\n", highlight=False)


def down(as_json: AsJson = False) -> None:
    """Stop what runs on the data folder."""
    where = places(as_json=as_json)
    state = where.read_state()
    if not where.is_running() or "supervisor" not in state:
        fail(Exit.NOT_RUNNING, f"QuantMatrix does not run on {where.home}", as_json=as_json)
    os.kill(int(str(state["supervisor"])), signal.SIGTERM)
    run(_until_stopped(where), as_json=as_json)
    if as_json:
        tell_json({"stopped": True, "home": str(where.home)})
    else:
        out.print("stopped")


async def _until_stopped(where: Places) -> None:
    async with asyncio.timeout(STOP_TIMEOUT_S):
        while where.is_running():  # noqa: ASYNC110 - another process; there is nothing to be told by
            await asyncio.sleep(LOOK_S)
