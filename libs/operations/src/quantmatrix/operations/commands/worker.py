"""qm worker: compute parts of sweeps for an installation, on this machine or any other one."""

import asyncio
import os
import signal
from typing import Annotated

import typer
from nats.aio.client import Client

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.logs import configure_logs
from quantmatrix.common.runtime.permissions import WORKER_USER
from quantmatrix.common.runtime.waiting import done_before
from quantmatrix.operations.client import NotRunningError
from quantmatrix.operations.commands.common import AsJson, places, read_settings, run
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.output import Exit, err, fail, out, tell_json
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.repeating import cores
from quantmatrix.signals.stored.worker import Worker

NICE = 10
Processes = Annotated[int, typer.Option(min=0, max=256, help="How many parts to compute at a time; 0 for one a core.")]


def worker_command(processes: Processes = 0, as_json: AsJson = False) -> None:
    """Take parts of sweeps and walk forwards, compute them, hand back what came of them; until Ctrl-C.

    Jobs come from what runs on the data folder, or from QM_NATS_URL where QM_NATS_WORKER_PASSWORD is set. It needs no database.
    """
    os.nice(NICE)
    count = processes or cores()
    try:
        jobs, parts = run(_worked(count, as_json=as_json), as_json=as_json)
    except ConfigurationError as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    if as_json:
        tell_json({"processes": count, "jobs": jobs, "parts": parts})
    else:
        out.print(f"{jobs} jobs with {parts} parts were done", highlight=False)


async def _worked(processes: int, *, as_json: bool) -> tuple[int, int]:
    """Jobs and parts that were done until it was asked to stop."""
    settings = read_settings(as_json=as_json)
    configure_logs(service="worker", level=settings.log_level, file=settings.log_file)
    client, where = await _connected(as_json=as_json)
    worker = Worker(client, code_at_work(), say=lambda text: err.print(text, style="dim", highlight=False))
    try:
        err.print(f"{processes} processes wait for jobs at {where}; Ctrl-C ends them", style="dim", highlight=False)
        await _until_stopped(worker, processes)
    finally:
        await client.close()
    return worker.told.jobs, worker.told.parts


async def _connected(*, as_json: bool) -> tuple[Client, str]:
    """Raises NotRunningError when there is no bus to take jobs from."""
    settings = read_settings(as_json=as_json)
    url, password = settings.nats_url, settings.nats_worker_password.get_secret_value()
    if not password:
        where = places(as_json=as_json)
        state = where.read_state()
        if not state or not where.is_running():
            raise NotRunningError(
                f"QuantMatrix does not run on {where.home}; start it there, or name its bus with QM_NATS_URL and QM_NATS_WORKER_PASSWORD"
            )
        url, password = str(state["nats_url"]), str(state["worker_password"])
    try:
        return await connect(url, WORKER_USER, password, connect_timeout=5, max_reconnect_attempts=-1), url
    except Exception as error:
        raise NotRunningError(f"the bus at {url} does not take the user {WORKER_USER}: {error}") from error


async def _until_stopped(worker: Worker, processes: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await done_before(worker.run(processes), stop)
