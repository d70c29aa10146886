"""Moving-average cross: buy when the fast average crosses above the slow one, sell when it is below. The simplest example."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import BaseModel, Field, model_validator

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.crossing import Crossing
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.indicators import ema, sma
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.strategies._parameters import StrategyParameters


class MovingAverageCrossParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    fast: int = Field(20, ge=1, le=400, title="Fast average", description="Bars of the fast average.")
    slow: int = Field(50, ge=2, le=1_000, title="Slow average", description="Bars of the slow average; more than the fast one has.")
    average: Literal["simple", "exponential"] = Field("simple", title="Average", description="How the closes are averaged.")
    units: int | None = Field(None, ge=1, title="Units", description="Units of each purchase; the position's percentage when left out.")
    position_pct: float = Field(20.0, gt=0, le=100, title="Position", description="Percent of the run's equity in one instrument.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"the fast average ({self.fast}) has fewer bars than the slow one ({self.slow})")
        return self


class MovingAverageCross:
    """See the module's text."""

    name: ClassVar[str] = "moving_average_cross"
    title: ClassVar[str] = "Moving-average cross"
    parameters: ClassVar[type[BaseModel]] = MovingAverageCrossParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.STOCKS,
        complexity=Complexity.BEGINNER,
        capital_min=Money(1_000, "USD"),
        horizon="weeks to months",
        needs=("daily bars",),
        bars_min=51,
        summary="Follows a trend from the bar on which a fast average crosses above a slow one to the bar on which it falls below.",
    )

    def __init__(self, parameters: MovingAverageCrossParameters) -> None:
        self._p = parameters

    @property
    def bars_needed(self) -> int:
        """Both averages on a bar and on the one before."""
        return self._p.slow + 1

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        average = sma if self._p.average == "simple" else ema
        fast, slow = average(self._p.fast), average(self._p.slow)
        now = {"fast": fast, "slow": slow}
        return now if held else now | {"fast_before": fast.shift(1), "slow_before": slow.shift(1)}

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self.columns(held=True)

    @property
    def looks_back(self) -> int:
        """The bar before."""
        return 1

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """Flat, only a fast average above the slow one can buy; holding, only one below it can sell."""
        fast, slow = row["fast"], row["slow"]
        return fast is None or slow is None or (fast >= slow if holding.quantity else fast <= slow)

    @property
    def crossing(self) -> Crossing:
        return Crossing("fast", "slow")

    def may_enter(self) -> pl.Expr:
        return self.crossing.enters()

    def may_leave(self) -> pl.Expr:
        return self.crossing.leaves()

    def decide(self, situation: Situation) -> Sequence[Decision]:
        fast, slow = situation.row["fast"], situation.row["slow"]
        if fast is None or slow is None or situation.pending:
            return ()
        if situation.holding.quantity:
            return (self._sell(situation),) if fast < slow else ()
        before, slow_before = situation.row["fast_before"], situation.row["slow_before"]
        if fast <= slow or before is None or slow_before is None or before > slow_before:
            return ()
        return self._buy(situation)

    @property
    def sizing(self) -> Sizing:
        return Sizing(self._p.units, Decimal(str(self._p.position_pct)) / 100)

    def _buy(self, situation: Situation) -> Sequence[Decision]:
        quantity = self.sizing.of(situation.equity, situation.close, situation.door)
        if not quantity:
            return ()
        reasons = self.why_enter(situation.row, quantity)
        return (Decision(SignalKind.ENTRY, 1.0, 1.0, timedelta(hours=24), reasons, side=Side.BUY, quantity=quantity),)

    def _sell(self, situation: Situation) -> Decision:
        reasons = self.why_leave(situation.row)
        return Decision(SignalKind.EXIT, 1.0, 1.0, timedelta(hours=24), reasons, side=Side.SELL, quantity=situation.holding.quantity)

    def why_enter(self, row: Mapping[str, float | None], quantity: Quantity) -> tuple[Because, ...]:
        text = f"the {self._p.fast}-bar average {row['fast']:.4f} crossed above the {self._p.slow}-bar {row['slow']:.4f}"
        size = f"{quantity} units" if self._p.units else f"{quantity} units: {self._p.position_pct:g} % of equity"
        return Because("CROSSED_UP", True, text), Because("SIZE", True, size)

    def why_leave(self, row: Mapping[str, float | None]) -> tuple[Because, ...]:
        text = f"the {self._p.fast}-bar average {row['fast']:.4f} is below the {self._p.slow}-bar {row['slow']:.4f}"
        return (Because("CROSSED_DOWN", True, text),)


STRATEGY = MovingAverageCross
