"""ATR Options: when the ATR Matrix enters a stock, a bought option on it; the signal names direction, days and target.

On bars alone it advises: which contract is bought needs a chain, which comes through the port `OptionChains`. The contract
is chosen by `domain/options/choosing.py` and left by `domain/options/leaving.py`; both take this strategy's rules.
A second preset manages sold premium at 45 days as tastytrade's research does (50 % of the premium, 21 days; blog of
9 March 2015 and 30 March 2021); the two are never mixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import BaseModel, Field, model_validator

from quantmatrix.common.names import SignalKind
from quantmatrix.common.values import Money
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding, Situation
from quantmatrix.signals.domain.options.choosing import BEYOND_HORIZON_DAYS, ChoiceRules, EntrySignal, Skipped, direction_of, move_pct
from quantmatrix.signals.domain.options.leaving import LeavingRules
from quantmatrix.signals.strategies._parameters import StrategyParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix, AtrMatrixParameters

_ANY_DAY = date(2000, 1, 3)


class AtrOptionsParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "short_premium": {"profit_target_pct": 50.0, "max_dte": 60, "leave_dte": 21},
    }

    preset: Literal["long_option", "short_premium"] = Field("long_option", title="Preset", description="Bought options, or sold premium.")
    profit_target_pct: float = Field(20.0, ge=10, le=50, title="Profit target", description="Percent of the premium.")
    stop_loss_pct: float = Field(50.0, ge=5, le=50, title="Stop loss", description="Percent of the premium.")
    max_dte: int = Field(45, ge=7, le=90, title="Most days", description="Days to expiration at the purchase, at most.")
    min_dte: int = Field(7, ge=1, le=14, title="Fewest days", description="Days to expiration at the purchase, at least.")
    leave_dte: int = Field(7, ge=1, le=45, title="Leave before", description="Days to expiration below which it is sold.")
    delta_target: float = Field(0.50, ge=0.30, le=0.70, title="Delta", description="Wanted delta, between 0.30 and 0.70.")
    position_pct: float = Field(5.0, ge=1, le=10, title="Largest position", description="Percent of the run's capital.")
    open_interest_min: int = Field(100, ge=0, le=100_000, title="Open interest", description="Open contracts, at least.")
    spread_max_pct: float = Field(10.0, gt=0, le=100, title="Spread", description="Percent of the mid price, at most.")
    confidence_min: float = Field(0.60, ge=0, le=1, title="Confidence", description="Of the entry signal, at least.")
    move_min_pct: float = Field(2.0, ge=0, le=50, title="Least move", description="Percent from the close to the first target.")
    risk_reward_min: float = Field(2.0, ge=0, le=10, title="Risk to reward", description="Of the entry signal, at least.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_dte >= self.max_dte:
            raise ValueError(f"the fewest days ({self.min_dte}) are below the most ({self.max_dte})")
        return self

    @property
    def choice(self) -> ChoiceRules:
        """The rules by which a contract is chosen."""
        return ChoiceRules(
            confidence_min=self.confidence_min,
            move_min_pct=self.move_min_pct,
            dte_min=self.min_dte,
            dte_max=self.max_dte,
            delta_target=self.delta_target,
            open_interest_min=self.open_interest_min,
            spread_max_pct=self.spread_max_pct,
            position_max_pct=self.position_pct,
        )

    @property
    def leaving(self) -> LeavingRules:
        """The rules by which it is left."""
        return LeavingRules(self.profit_target_pct, self.stop_loss_pct, self.leave_dte)


class AtrOptions:
    """See the module's text."""

    name: ClassVar[str] = "atr_options"
    title: ClassVar[str] = "ATR Options"
    parameters: ClassVar[type[BaseModel]] = AtrOptionsParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.OPTIONS,
        complexity=Complexity.ADVANCED,
        capital_min=Money(10_000, "USD"),
        horizon="days to weeks",
        needs=("daily bars", "splits", "option chains with quotes"),
        bars_min=50,
        summary="Buys an option when the ATR Matrix enters its stock, with limits on premium, delta, spread and size.",
    )

    def __init__(self, parameters: AtrOptionsParameters) -> None:
        self._p = parameters
        self._matrix = AtrMatrix(AtrMatrixParameters.model_validate({"risk_reward_min": parameters.risk_reward_min}))

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return self._matrix.columns()

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self._matrix.screen_columns()

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """The stock itself is never held: whatever the holding, only an entry matters."""
        return self._matrix.nothing_can_happen(row, FLAT)

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """An alert for each entry of the matrix whose target is far enough; it trades nothing of the stock."""
        entries = self._matrix.decide(replace(situation, holding=FLAT, pending=False))
        return tuple(found for entry in entries if (found := self._advice(situation, entry)))

    def _advice(self, situation: Situation, entry: Decision) -> Decision | None:
        signal = EntrySignal(_ANY_DAY, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        kind = direction_of(signal, self._p.choice)
        if isinstance(kind, Skipped):
            return None
        days = min(signal.horizon_days + BEYOND_HORIZON_DAYS, self._p.max_dte)
        told = Because("OPTION", True, f"a {kind}: the target is {move_pct(signal):+.2f} % away, up to {days} days to expiration")
        return Decision(
            kind=SignalKind.ALERT,
            strength=entry.strength,
            confidence=entry.confidence,
            valid_for=timedelta(hours=6),
            reasons=(*entry.reasons, told),
            stop=entry.stop,
            targets=entry.targets,
            risk_reward=entry.risk_reward,
            horizon_days=entry.horizon_days,
            metrics=entry.metrics,
        )


STRATEGY = AtrOptions
