"""`make chaos`: the main job under kills, a power cut and an emptied bus. The ledger must come out the same every time.

Prints a table in Markdown; exits 1 when one run came to another ledger, or too few kills hurt.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from quantmatrix.operations.chaos import Killer, Kills
from quantmatrix.operations.client import asking_at
from quantmatrix.operations.demo import Options, Result, replayed, until_replay
from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor
from quantmatrix.operations.testing import Prepared

KILL_EVERY_S = 2.0
KILLS_WANTED = 200
err = Console(stderr=True)


@dataclass(frozen=True)
class Row:
    """One run: what was done to it, and what came out."""

    name: str
    result: Result
    kills: Kills = field(default_factory=Kills)


Disturbed = Callable[[Places, Options], Coroutine[Any, Any, Row]]


async def undisturbed(places: Places, options: Options) -> Row:
    async with replayed(places, options) as done:
        return Row("undisturbed", done.result)


def killed(seed: int, every_s: float, kills_max: int | None = None) -> Disturbed:
    async def run(places: Places, options: Options) -> Row:
        killer = Killer(every_s, seed, kills_max)
        async with replayed(places, options, disturb=killer) as done:
            return Row(f"a kill every {every_s:g} s, seed {seed}", done.result, killer.kills)

    return run


async def power_cut(places: Places, options: Options) -> Row:
    """Everything is killed at once, both servers too, thrice on the way; then all is started again."""
    await _cut(places, options, 0.2, 0.5, 0.8)
    async with replayed(places, options) as done:
        return Row("everything killed at once, three times", done.result)


async def emptied_while_down(places: Places, options: Options) -> Row:
    await _emptied_while_down(places, options, 0.4)
    async with replayed(places, options) as done:
        return Row("the bus's folder emptied while all is down", done.result)


async def emptied_while_running(places: Places, options: Options) -> Row:
    restarts = await _emptied_while_running(places, options, 0.3, 0.5, 0.7)
    async with replayed(places, options) as done:
        done.result.restarts += restarts
        return Row("the bus's folder emptied while it runs, twice", done.result)


def cut_and_killed(seed: int, every_s: float, kills_max: int) -> Disturbed:
    """Both on one way: no replay and few starts more than one of them takes."""
    after_the_cut = killed(seed, every_s, kills_max)

    async def run(places: Places, options: Options) -> Row:
        await _cut(places, options, 0.1)
        row = await after_the_cut(places, options)
        return Row(f"everything killed at once, then {row.name}", row.result, row.kills)

    return run


async def emptied(places: Places, options: Options) -> Row:
    """While it runs, three times, and while all is down: on one way."""
    restarts = await _emptied_while_running(places, options, 0.2, 0.35, 0.5, 0.65)
    shutil.rmtree(places.nats)
    async with replayed(places, options) as done:
        done.result.restarts += restarts
        return Row("the bus's folder emptied, running and down", done.result)


async def _cut(places: Places, options: Options, *shares: float) -> None:
    for share in shares:
        supervisor = await _run_until(places, options, share)
        await supervisor.kill_everything()


async def _emptied_while_down(places: Places, options: Options, share: float) -> None:
    supervisor = await _run_until(places, options, share)
    await supervisor.stop()
    shutil.rmtree(places.nats)


async def _emptied_while_running(places: Places, options: Options, first: float, *shares: float) -> int:
    """Empty it at the first share of the way and at each but the last. Returns how often something was started again."""
    supervisor = await _run_until(places, options, first)
    try:
        for share in shares:
            shutil.rmtree(places.nats, ignore_errors=True)
            await _until(supervisor, share)
        return supervisor.restarts
    finally:
        await supervisor.stop()


async def _run_until(places: Places, options: Options, share: float) -> Supervisor:
    supervisor = Supervisor(places, Plan(environment=options.as_environment()))
    await supervisor.start()
    try:
        await _until(supervisor, share)
    except BaseException:
        await supervisor.stop()
        raise
    return supervisor


async def _until(supervisor: Supervisor, share: float) -> None:
    async with asking_at(supervisor.places) as ask:
        await until_replay(ask, supervisor, lambda status: status.sessions_done >= share * max(status.sessions_total, 1))


def scenarios(seeds: list[int], every_s: float) -> list[Disturbed]:
    """The reference twice, then each disturbance."""
    kills = [killed(seed, every_s) for seed in seeds]
    return [undisturbed, undisturbed, *kills, power_cut, emptied_while_down, emptied_while_running]


async def run_one(scenario: Disturbed, options: Options, reference: str = "", prepared: Prepared | None = None) -> Row:
    """One run on a folder of its own; the folder of a run that came to another ledger than `reference` is kept.

    prepared: what the folder holds at first; nothing if not given.
    """
    home = Path(tempfile.mkdtemp(prefix="qm-chaos-"))
    row = None
    try:
        if prepared is not None:
            prepared.copy_to(home / "home")
        row = await scenario(Places(home / "home"), options)
        return row
    finally:
        if row is None or (reference and row.result.ledger_digest != reference):
            err.print(f"[bold red]look at {home / 'home'}[/]: {row.result.as_json() if row else 'the run did not come to its end'}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def table(rows: list[Row]) -> str:
    """Markdown. "at work": kills whose victim had a message in hand or unpublished outbox rows; others are not counted."""
    lines = [
        "| run | kills at work | message in hand / unpublished rows | restarts "
        "| duplicate orders | lost fills | duplicate notifications | books agree | seconds | ledger |",
        "|---|---:|---:|---:|---:|---:|---:|---|---:|---|",
    ]
    for row in rows:
        shown = row.result.as_json()
        lines.append(
            f"| {row.name} | {row.kills.total} | {row.kills.in_hand} / {row.kills.unpublished} | {shown['restarts']} | {shown['duplicate_orders']} "
            f"| {shown['lost_fills']} | {shown['duplicate_notifications']} | {'yes' if shown['books_agree'] else '**no**'} | {shown['seconds']} "
            f"| `{row.result.ledger_digest[:12]}` |"
        )
    return "\n".join(lines)


def wrongs(rows: list[Row], kills_wanted: int) -> list[str]:
    """What is not as it must be, in sentences."""
    reference = rows[0].result.ledger_digest
    found = [f"{row.name}: another ledger" for row in rows if row.result.ledger_digest != reference]
    found += [f"{row.name}: something was lost or doubled" for row in rows if not row.result.sound]
    total = sum(row.kills.total for row in rows)
    if total < kills_wanted:
        found.append(f"only {total} kills hit somebody at work, {kills_wanted} are wanted")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--kill-every", type=float, default=KILL_EVERY_S)
    parser.add_argument("--from", dest="first", default="")
    parser.add_argument("--to", dest="last", default="")
    parser.add_argument("--kills-wanted", type=int, default=KILLS_WANTED)
    parser.add_argument("--json", type=Path, help="also write the rows here")
    given = parser.parse_args()
    options = Options(first=given.first, last=given.last)
    rows: list[Row] = []
    for scenario in scenarios(list(range(1, given.seeds + 1)), given.kill_every):
        rows.append(asyncio.run(run_one(scenario, options, rows[0].result.ledger_digest if rows else "")))
        row = rows[-1]
        err.print(
            f"{len(rows):3}  {row.name}: {row.result.ledger_digest[:12]}, {row.kills.total} kills, {row.result.seconds:.0f} s",
            highlight=False,
        )
    sys.stdout.write(table(rows) + "\n")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps([{"run": row.name} | row.result.as_json() for row in rows], indent=1), encoding="utf-8")
    failed = wrongs(rows, given.kills_wanted)
    for sentence in failed:
        err.print(f"[bold red]{sentence}[/]")
    sys.stdout.write(
        f"\n{sum(row.kills.total for row in rows)} kills at work in {len(rows)} runs; {len({row.result.ledger_digest for row in rows})} ledger(s)\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
