"""The strategies of runs, made once for as long as their parameters stay the same, with the run's own exits around them."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.ports import Judges, OptionStrategy, Remembers, Strategy
from quantmatrix.signals.strategies._exits import make_strategy, without_exits


@dataclass(frozen=True, slots=True)
class Made:
    """A strategy and its columns: for the screen, for deciding when flat, for deciding when something is held."""

    strategy: Strategy
    screen: Mapping[str, pl.Expr]
    flat: Mapping[str, pl.Expr]
    held: Mapping[str, pl.Expr]
    memory: Remembers | None
    options: OptionStrategy | None = None
    judge: Judges | None = None


class Engines:
    """The strategies of the slot by name, and what was made of them."""

    def __init__(self, strategies: Mapping[str, type[Strategy]]) -> None:
        self.strategies = strategies
        self._made: dict[tuple[str, str], Made] = {}

    def of(self, run: Run) -> Made:
        """The run's strategy with its parameters. Raises KeyError for one that is not in the slot any more."""
        key = (run.strategy, repr(sorted(run.parameters.items())))
        if key not in self._made:
            one = make_strategy(self.strategies[run.strategy], run.parameters)
            memory = one if isinstance(one, Remembers) else None
            options, inner = one if isinstance(one, OptionStrategy) else None, without_exits(one)
            judge = inner if isinstance(inner, Judges) else None
            self._made[key] = Made(one, one.screen_columns(), one.columns(), one.columns(held=True), memory, options, judge)
        return self._made[key]
