"""A sweep of a hundred pairs of averages beside the engines people use: the same bars, the same results, each in a process of its own."""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.benchmarks.engines import PEERS, ROOT, make_minutes, run_process

BARS = 250_000
RATIO_MIN, MEMORY_MIB_MAX = 30.0, 500
ENGINES = {"columns": 6, "vectorbt": 2, "compiled": 3}
"""How often each is repeated; the quickest counts."""


@dataclass(frozen=True)
class Swept:
    """Seconds of the first run and of the quickest, and its processor time; pairs: closed trades, equity, return and drawdown of each."""

    engine: str
    bars: int
    pairs: list[list[float]]
    first_s: float
    warm_s: float
    processor_s: float
    peak_mib: float


def measure_sweep(folder: Path, count: int = BARS, engines: Sequence[str] = tuple(ENGINES)) -> list[Swept]:
    """Every engine that is there, in turn."""
    make_minutes(folder, count)
    return [_swept(name, folder, count) for name in engines if name == "columns" or PEERS.exists()]


def _swept(name: str, folder: Path, count: int) -> Swept:
    python = sys.executable if name == "columns" else str(PEERS)
    _, told = run_process([python, str(ROOT / "tests/benchmarks/sweeping.py"), name, str(folder), str(ENGINES[name])])
    return Swept(name, count, **told)


def strays(found: Sequence[Swept]) -> list[str]:
    """Engines with other results than the product, and of how many pairs: drawdowns to six digits, everything else to the cent."""
    own = found[0].pairs
    others = {one.engine: sum(not _same(*pair) for pair in zip(one.pairs, own, strict=True)) for one in found}
    return [f"{engine}: {count} of {len(own)} pairs" for engine, count in others.items() if count]


def _same(one: Sequence[float], own: Sequence[float]) -> bool:
    return one[:2] == own[:2] and all(abs(a - b) < 1e-6 for a, b in zip(one, own, strict=True))


def show_sweep(found: Sequence[Swept], out: Console) -> None:
    title = f"Sweep of {len(found[0].pairs)} pairs of averages, {found[0].bars:,} bars each"
    table = Table("engine", "first s", "warm s", "pairs/s", "processor s", "peak MiB", "of columns", title=title, title_justify="left")
    own = found[0].warm_s
    for one in found:
        rate = f"{len(one.pairs) / one.warm_s:,.0f}"
        seconds = (f"{one.first_s:.2f}", f"{one.warm_s:.3f}", rate, f"{one.processor_s:.3f}")
        table.add_row(one.engine, *seconds, f"{one.peak_mib:,.0f}", f"{one.warm_s / own:.2f}")
    out.print(table)
    vectorbt = next((one for one in found if one.engine == "vectorbt"), None)
    if vectorbt is not None:
        ratio, worked = vectorbt.warm_s / own, vectorbt.processor_s / found[0].processor_s
        mark = "✓" if ratio >= RATIO_MIN else "✗"
        out.print(
            f"{mark} sweep: {ratio:.1f} times as fast as vectorbt, {worked:.1f} by processor time (wanted: {RATIO_MIN:g})", highlight=False
        )
    mark = "✓" if found[0].peak_mib < MEMORY_MIB_MAX else "✗"
    out.print(f"{mark} sweep: {found[0].peak_mib:.0f} MiB (wanted: under {MEMORY_MIB_MAX})", highlight=False)
    for sentence in strays(found):
        out.print(f"✗ another result: {sentence}", highlight=False)


def main() -> int:
    """Only this part of `make bench`; with `--json`, its figures."""
    with tempfile.TemporaryDirectory(prefix="qm-bench-") as name:
        found = measure_sweep(Path(name))
    show_sweep(found, Console())
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps([{**vars(one), "pairs": len(one.pairs)} for one in found]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
