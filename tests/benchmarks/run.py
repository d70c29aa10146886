"""`make bench`: the product beside floors measured in the same run, and the ratios. Figures of other machines mean nothing here."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.benchmarks.engines import Live, Timed, Wide, measure_all, measure_live, measure_wide, show_cross, show_live, show_wide
from tests.benchmarks.figures import Latency
from tests.benchmarks.floors import Floors, measure
from tests.benchmarks.flow import Flow, flow
from tests.benchmarks.ledger import Lots, lots
from tests.benchmarks.product import Ticks, Whole, ticks, whole
from tests.benchmarks.statement import Imported, imported
from tests.benchmarks.sweeps import Swept, measure_sweep, show_sweep

from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor

out = Console()
err = Console(stderr=True)
MEMORY_MIB_MAX = 700
HOPS_RATIO_MAX = 2.0
REPLAY_S_MAX = 60.0
LOTS = 1_000_000
LOTS_RATIO_MIN = 5.0
REBUILD_S_MAX = 2.0
IMPORT_S_MAX = 1.0


@dataclass(frozen=True)
class Report:
    """Everything of one run."""

    floors: Floors
    ticks: Ticks
    flow: Flow
    whole: Whole
    lots: Lots
    statement: Imported
    cross: list[Timed]
    sweep: list[Swept]
    wide: Wide
    live: Live


async def report(folder: Path, *, count: int) -> Report:
    """Measure in turn; nothing else of ours runs meanwhile."""
    err.print("floors: bare publish, bare commit, four hops")
    floors = await measure_floors(folder, count)
    err.print("tick to fill")
    tick = await ticks(folder)
    err.print("outbox and inbox")
    through = await flow(folder, count * 50)
    err.print("lots")
    booked = await asyncio.to_thread(lots, LOTS)
    err.print("a statement")
    statement = await imported(folder)
    err.print("the whole replay")
    replay = await whole(folder)
    err.print("strategies beside other engines")
    cross = await asyncio.to_thread(measure_all, folder)
    err.print("a sweep beside other engines")
    swept = await asyncio.to_thread(measure_sweep, folder)
    err.print("ATR Matrix on many symbols")
    wide = await asyncio.to_thread(measure_wide, folder)
    return Report(floors, tick, through, replay, booked, statement, cross, swept, wide, await asyncio.to_thread(measure_live, folder))


async def measure_floors(folder: Path, count: int) -> Floors:
    supervisor = Supervisor(Places(folder / "floors"), Plan(services=()))
    await supervisor.start()
    try:
        return await measure(folder, supervisor.postgres, count)
    finally:
        await supervisor.stop()


def show(found: Report) -> None:
    floors, tick, through, replay = found.floors, found.ticks, found.flow, found.whole
    table = Table("what", "p50 ms", "p99 ms", "n", "against the floor", title="Latency", title_justify="left")
    _row(table, "floor: JetStream publish, acknowledged", floors.publish)
    _row(table, "floor: PostgreSQL insert, committed", floors.commit)
    _row(table, "floor: four hops, empty handlers, one commit a hop", floors.hops)
    _row(table, "tick to fill (signal, order, venue, fill)", tick.fill, floors.hops)
    _row(table, "tick to lot (the fill is booked)", tick.lot, floors.hops)
    out.print(table)
    shown = replay.result.as_json()
    rate = replay.result.bars / replay.result.seconds
    per_s = Table("what", "a second", "against the floor", title="Throughput", title_justify="left")
    per_s.add_row("floor: JetStream publish, 256 in flight", f"{floors.published_per_s:,.0f}", "")
    per_s.add_row("messages into an outbox, pages of 100", f"{through.out_per_s:,.0f}", f"{through.out_per_s / floors.published_per_s:.2f}")
    per_s.add_row("messages through outbox, bus and inbox", f"{through.in_per_s:,.0f}", f"{through.in_per_s / floors.published_per_s:.2f}")
    per_s.add_row(f"bars of the replay ({shown['bars']} bars, {shown['orders']} orders, {shown['seconds']} s)", f"{rate:,.0f}", "")
    out.print(per_s)
    out.print(_lots(found.lots))
    out.print(_statement(found.statement))
    processes = Table("process", "memory MiB", "ready after s", title="Processes after thirteen years", title_justify="left")
    for name, memory in replay.memory.items():
        processes.add_row(name, f"{memory:.0f}", f"{replay.start[name]:.2f}" if name in replay.start else "")
    processes.add_row("together", f"{sum(replay.memory.values()):.0f}", f"{max(replay.start.values()):.2f}")
    out.print(processes)
    show_cross(found.cross, out)
    show_sweep(found.sweep, out)
    show_wide(found.wide, out)
    show_live(found.live, out)
    for sentence in verdicts(found):
        out.print(sentence, highlight=False)


def _lots(found: Lots) -> Table:
    title = f"{found.fills:,} fills of 200 instruments, first in first out, {found.closings:,} closings"
    table = Table("what", "fills a second", "against the decimal loop", title=title, title_justify="left")
    for name, per_s in (
        ("floor: a loop over decimals that keeps nothing", found.decimals_per_s),
        ("floor: a loop over integers that keeps nothing", found.integers_per_s),
        ("booked in columns; closings with dates and basis", found.columns_per_s),
    ):
        table.add_row(name, f"{per_s:,.0f}", f"{per_s / found.decimals_per_s:.2f}")
    rebuilt = f"an account's lots made anew from {found.rebuild_fills:,} fills in {found.rebuild_s:.2f} s"
    table.add_row(rebuilt, f"{found.rebuild_fills / found.rebuild_s:,.0f}", "")
    return table


def _statement(found: Imported) -> Table:
    title = f"A statement of {found.rows:,} rows ({found.size / 1000:,.0f} kB), {found.booked:,} of them booked"
    table = Table("what", "seconds", "of the processor", "against the floor", title=title, title_justify="left")
    table.add_row("floor: a bare reader of CSV, the cells copied into a table", f"{found.floor_s:.2f}", "", "")
    ratio = f"{found.seconds / found.floor_s:.1f}"
    table.add_row("read, checked, booked into lots, stored", f"{found.seconds:.2f}", f"{found.worked_s:.2f}", ratio)
    return table


def _row(table: Table, name: str, latency: Latency, floor: Latency | None = None) -> None:
    ratio = f"{latency.p50 / floor.p50:.2f} of p50" if floor else ""
    table.add_row(name, f"{latency.p50:.2f}", f"{latency.p99:.2f}", str(latency.count), ratio)


def verdicts(found: Report) -> list[str]:
    """What is wanted, and whether this run shows it."""
    memory, seconds = sum(found.whole.memory.values()), found.whole.result.seconds
    ratio = found.ticks.fill.p50 / found.floors.hops.p50
    lot_ratio, rebuild = found.lots.against_decimals, found.lots.rebuild_s
    return [
        f"{'✓' if ratio <= HOPS_RATIO_MAX else '✗'} tick to fill: {ratio:.2f} times the four-hop floor (wanted: at most {HOPS_RATIO_MAX:g})",
        f"{'✓' if memory < MEMORY_MIB_MAX else '✗'} six services and both servers: {memory:.0f} MiB (wanted: under {MEMORY_MIB_MAX})",
        f"{'✓' if seconds < REPLAY_S_MAX else '✗'} the whole replay: {seconds:.1f} s (wanted: under {REPLAY_S_MAX:g})",
        f"{'✓' if lot_ratio >= LOTS_RATIO_MIN else '✗'} lots in columns: {lot_ratio:.1f} times the decimal loop, "
        f"{found.lots.worked_ratio:.1f} by processor time (wanted: {LOTS_RATIO_MIN:g})",
        f"{'✓' if rebuild < REBUILD_S_MAX else '✗'} an account of {found.lots.rebuild_fills:,} fills made anew: {rebuild:.2f} s "
        f"(wanted: under {REBUILD_S_MAX:g})",
        f"{'✓' if found.statement.seconds < IMPORT_S_MAX else '✗'} a statement of {found.statement.rows:,} rows imported: "
        f"{found.statement.seconds:.2f} s, {found.statement.worked_s:.2f} by processor time (wanted: under {IMPORT_S_MAX:g})",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="messages through the four hops; the others follow from it")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qm-bench-"))
    try:
        found = asyncio.run(report(folder, count=given.count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(found)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(asdict(found), indent=1, default=str), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
