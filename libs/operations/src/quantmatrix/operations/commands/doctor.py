"""qm doctor: is this machine fit to run, and if not, what to do."""

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.commands.common import AsJson, read_settings
from quantmatrix.operations.output import NO, YES, Exit, tell_json, tell_table
from quantmatrix.operations.places import FREE_BYTES_MIN, Places, SetUpError
from quantmatrix.operations.servers.nats import nats_program
from quantmatrix.operations.servers.postgres import as_ordinary_user, postgres_programs
from quantmatrix.operations.settings import OperationsSettings

PYTHON_MIN = (3, 11)
MEMORY_BYTES_MIN = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. advice: what to do when it is not ok."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Look at this machine and the data folder; exit 1 when something stands in the way."""
    settings = read_settings(as_json=as_json)
    findings = list(_findings(settings, Places(settings.home)))
    ok = all(one.ok for one in findings)
    if as_json:
        tell_json({"ok": ok, "findings": [{"name": one.name, "ok": one.ok, "found": one.found, "advice": one.advice} for one in findings]})
    else:
        rows = [(YES if one.ok else NO, one.name, one.found, "" if one.ok else one.advice) for one in findings]
        tell_table("This machine", ("", "what", "found", "what to do"), rows)
    if not ok:
        raise typer.Exit(Exit.ERROR)


def _findings(settings: OperationsSettings, places: Places) -> Iterator[Finding]:
    version = sys.version_info[:2]
    yield Finding("Python", version >= PYTHON_MIN, f"{version[0]}.{version[1]}", "install Python 3.11 or later and run 'make setup' again")
    yield _program("NATS server", lambda: str(nats_program()))
    yield _program("PostgreSQL", lambda: str(postgres_programs()))
    yield _program("PostgreSQL's user", lambda: "through a user namespace" if as_ordinary_user() else "as this user")
    yield _services()
    yield _console_files()
    yield _memory()
    running = places.is_running()
    yield Finding("data folder", True, f"{places.home}{' (running)' if running else '' if places.home.exists() else ' (not there yet)'}")
    yield _space(places.home)
    if not running:
        yield _port(settings.gateway_port)


def _program(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except SetUpError as error:
        return Finding(name, False, "cannot be used", str(error))


def _services() -> Finding:
    missing = [name for name in SERVICES if importlib.util.find_spec(f"quantmatrix.{name}") is None]
    if missing:
        return Finding("services", False, f"missing: {', '.join(missing)}", "run 'make setup'")
    return Finding("services", True, f"{len(SERVICES)} of version {importlib.metadata.version('quantmatrix-common')}")


def _console_files() -> Finding:
    spec = importlib.util.find_spec("quantmatrix.gateway")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(path.name for place in places for path in (Path(place) / "static" / "vendor").glob("*.js"))
    return Finding("console files", bool(found), ", ".join(found) or "missing", "run 'make setup'")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("memory", total >= MEMORY_BYTES_MIN, f"{total >> 20} MiB", f"{MEMORY_BYTES_MIN >> 20} MiB are wanted")


def _space(home: Path) -> Finding:
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(
        "disk", free >= FREE_BYTES_MIN, f"{free >> 20} MiB free", f"{FREE_BYTES_MIN >> 20} MiB are needed; name another folder with QM_HOME"
    )


def _port(port: int) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding("console port", False, f"{port}: {error.strerror}", "choose another one with QM_GATEWAY_PORT or 'qm up --port'")
    return Finding("console port", True, f"{port} is free")
