"""The strategies of runs, made once for as long as their parameters stay the same, with the run's own exits around them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.domain.series import Series
from quantmatrix.signals.domain.tails import Tails
from quantmatrix.signals.ports import Judges, LooksBack, OptionStrategy, Remembers, Strategy
from quantmatrix.signals.strategies._exits import make_strategy, without_exits


class Columns(StrEnum):
    """What a strategy's columns are wanted for: the screen, deciding when flat, deciding when something is held."""

    SCREEN = "screen"
    FLAT = "flat"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Made:
    """A strategy, its columns, and the last bars that these are computed from; none for a strategy that needs all bars."""

    strategy: Strategy
    columns: Mapping[Columns, Mapping[str, pl.Expr]]
    tails: Tails | None
    memory: Remembers | None
    options: OptionStrategy | None = None
    judge: Judges | None = None

    async def advance(self, fresh: Mapping[InstrumentId, Series]) -> None:
        """Go on to the latest bars of these series; other tasks have their turn while many of them take up their past."""
        if self.tails is not None:
            for _ in self.tails.parts(fresh):
                await asyncio.sleep(0)

    def row(self, which: Columns, instrument: InstrumentId, series: Series) -> Mapping[str, float | None]:
        """Columns on the latest bar of a series, to which the tails have been advanced."""
        row = self.tails.row(which, instrument) if self.tails is not None else None
        return row if row is not None else series.latest(self.columns[which])


def made_of(strategy: Strategy) -> Made:
    """A strategy with what it decides from."""
    makers: dict[str, Callable[[], Mapping[str, pl.Expr]]] = {
        Columns.SCREEN: strategy.screen_columns,
        Columns.FLAT: strategy.columns,
        Columns.HELD: lambda: strategy.columns(held=True),
    }
    inner = without_exits(strategy)
    back = strategy.looks_back if isinstance(strategy, LooksBack) else None
    return Made(
        strategy,
        {Columns(which): make() for which, make in makers.items()},
        Tails(makers, back) if back is not None else None,
        strategy if isinstance(strategy, Remembers) else None,
        strategy if isinstance(strategy, OptionStrategy) else None,
        inner if isinstance(inner, Judges) else None,
    )


class Engines:
    """The strategies of the slot by name, and what was made of them."""

    def __init__(self, strategies: Mapping[str, type[Strategy]]) -> None:
        self.strategies = strategies
        self._made: dict[tuple[str, str], Made] = {}

    def of(self, run: Run) -> Made:
        """The run's strategy with its parameters. Raises KeyError for one that is not in the slot any more."""
        key = (run.strategy, repr(sorted(run.parameters.items())))
        if key not in self._made:
            self._made[key] = made_of(make_strategy(self.strategies[run.strategy], run.parameters))
        return self._made[key]
