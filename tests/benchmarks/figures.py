"""Latencies as percentiles, and processes as memory and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds of `count` measurements."""

    count: int
    p50: float
    p99: float
    mean: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        ordered = sorted(seconds)
        last = len(ordered) - 1
        return cls(len(ordered), ordered[last // 2] * 1e3, ordered[round(last * 0.99)] * 1e3, sum(ordered) / len(ordered) * 1e3)


def family(pid: int) -> list[int]:
    """A process and everything it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def resident_mib(pid: int, *, alone: bool = False) -> float:
    """Proportional set size of a process, and of its children unless alone: pages that are shared count once over those who share them."""
    total = 0
    for one in [pid] if alone else family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / KIB
