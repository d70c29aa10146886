"""A slot with strategies that break on a bar, for whatever runs Python in a folder."""

from collections.abc import Mapping
from pathlib import Path

SPOILED = "import quantmatrix.signals.strategies as slot\n\nslot.__path__.append({folder!r})\n"
STRATEGY = """
import polars as pl

from quantmatrix.signals.strategies.moving_average_cross import MovingAverageCross


class Broken(MovingAverageCross):
    name = {name!r}

    def columns(self, *, held=False):
        return {{**super().columns(), "number": pl.int_range(1, pl.len() + 1).cast(pl.Float64)}}

    screen_columns = columns
    may_enter = may_leave = None

    def nothing_can_happen(self, row, holding):
        return False

    def decide(self, situation):
        if situation.row["number"] == {bar}:
            {what}
        return super().decide(situation)


STRATEGY = Broken
"""
PEEK = """
import polars as pl

from quantmatrix.signals.strategies.moving_average_cross import MovingAverageCross


class Peeks(MovingAverageCross):
    name = "peeks"

    def columns(self, *, held=False):
        return {**super().columns(), "tomorrow": pl.col("close").shift(-1)}


STRATEGY = Peeks
"""
"""A strategy whose column `tomorrow` is the next bar's close."""
RAISE = "raise LookupError('no such level')"
LOOP = "while True: pass"


def spoil_slot(folder: Path, broken: Mapping[str, tuple[int, str]]) -> None:
    """Add strategies by name, each with the bar on which it breaks and how, and one that peeks; they are in the slot where PYTHONPATH has the folder."""
    slot = folder / "slot"
    slot.mkdir(exist_ok=True)
    for name, (bar, what) in broken.items():
        (slot / f"{name}.py").write_text(STRATEGY.format(name=name, bar=bar, what=what), encoding="utf-8")
    (slot / "peeks.py").write_text(PEEK, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(SPOILED.format(folder=str(slot)), encoding="utf-8")
