"""qm trace, check, logs: what happened, whether the books agree, what the services wrote."""

import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from quantmatrix.operations.checking import Check, check
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import NO, YES, Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places
from quantmatrix.operations.tracing import Trace, trace

FOLLOW_S = 0.3


def trace_command(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="A message, signal, order, fill, lot or notification.")],
    as_json: AsJson = False,
) -> None:
    """The whole chain from the bar to the notification, each message with its id and time."""
    found = run(_trace(places(as_json=as_json), wanted, as_json=as_json), as_json=as_json)
    if not found.links:
        fail(Exit.NOT_FOUND, f"nobody knows {wanted}; give the id of a message, signal, order, fill, lot or notification", as_json=as_json)
    if as_json:
        tell_json({"about": wanted, "links": [_link(link) for link in found.links], "silent": found.silent})
        return
    tell_table(
        f"What belongs to {wanted}",
        ("event time (UTC)", "step", "message", "service", "message id"),
        [
            (f"{link.occurred_at:%Y-%m-%d %H:%M:%S}", link.step, "  " * link.depth + link.type, link.service, link.message_id)
            for link in found.links
        ],
    )
    if found.silent:
        out.print(f"[yellow]no answer from {', '.join(found.silent)}: the chain may be longer[/]")


def _link(link: Any) -> dict[str, Any]:
    return {name: getattr(link, name) for name in link.__dataclass_fields__} | {"step": link.step}


async def _trace(where: Places, wanted: str, *, as_json: bool) -> Trace:
    async with asking_services(where, as_json=as_json) as ask:
        return await trace(ask, wanted)


def check_command(as_json: AsJson = False) -> None:
    """Prove that lots, positions, cash, orders and the broker's books agree; exit 1 with the difference otherwise."""
    found = run(_check(places(as_json=as_json), as_json=as_json), as_json=as_json)
    ok = all(one.ok for one in found)
    if as_json:
        tell_json({"ok": ok, "checks": [{name: getattr(one, name) for name in one.__slots__} for one in found]})
    else:
        tell_table(
            "The books",
            ("account", "statement", "", "left", "right"),
            [(one.account_id, one.name, YES if one.ok else NO, one.left, one.right) for one in found],
        )
    if not ok:
        raise typer.Exit(Exit.ERROR)


async def _check(where: Places, *, as_json: bool) -> list[Check]:
    async with asking_services(where, as_json=as_json) as ask:
        return await check(ask)


def logs(
    service: Annotated[str | None, typer.Argument(help="One service or server; all of them when left out.")] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Lines of each to begin with.")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they write.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the services and servers wrote."""
    folder = places(as_json=as_json).logs
    files = sorted(path for path in folder.glob("*.log") if service in (None, path.stem)) if folder.is_dir() else []
    if not files:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) if folder.is_dir() else ""
        fail(Exit.NOT_FOUND, f"no log of {service or 'anything'} in {folder}" + (f"; there are: {known}" if known else ""), as_json=as_json)
    for path in files:
        for line in _tail(path, lines):
            _show(path.stem, line, as_json=as_json)
    if follow:
        try:
            for name, line in _followed(files):
                _show(name, line, as_json=as_json)
        except KeyboardInterrupt:
            return


def _tail(path: Path, lines: int) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return list(deque(file, maxlen=lines)) if lines else []


def _followed(files: list[Path]) -> Iterator[tuple[str, str]]:
    open_files = {path.stem: path.open(encoding="utf-8", errors="replace") for path in files}
    for file in open_files.values():
        file.seek(0, 2)
    while True:
        nothing = True
        for name, file in open_files.items():
            while line := file.readline():
                nothing = False
                yield name, line
        if nothing:
            time.sleep(FOLLOW_S)  # noqa: TID251 - a person is watching a file


def _show(name: str, line: str, *, as_json: bool) -> None:
    text = line.rstrip("\n")
    try:
        record = json.loads(text)
    except json.JSONDecodeError:
        record = {"event": text}
    if not isinstance(record, dict):
        record = {"event": text}
    if as_json:
        print(json.dumps({"service": name, **record}))  # noqa: T201
        return
    more = " ".join(
        f"{key}={value}" for key, value in record.items() if key not in {"timestamp", "level", "event", "service", "logger", "exception"}
    )
    out.print(
        f"{record.get('timestamp', '')[:19]} {name:10} {record.get('level', ''):7} {record.get('event', '')} {more}".rstrip(),
        markup=False,
        highlight=False,
    )
    if record.get("exception"):
        out.print(record["exception"], markup=False, highlight=False, style="dim")
