"""What a person may choose of ATR Matrix."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from quantmatrix.signals.strategies._parameters import StrategyParameters

Target = Annotated[float, Field(gt=0, le=100)]
Level = Annotated[int, Field(ge=1, le=100)]
EXTENDED_AT = {"v1": 10.0, "v2": 12.0}


class AtrMatrixParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {name: {"extended_at": at} for name, at in EXTENDED_AT.items()}

    preset: Literal["v1", "v2"] = Field("v2", title="Preset", description="Weights and thresholds of the entry conditions.")
    alignment: Literal["ema10", "ema21"] = Field(
        "ema10", title="Alignment", description="The shortest two averages: 10 and 20, or 21 and 21."
    )
    distance_max: float = Field(4.0, ge=0.5, le=7.0, title="Furthest entry", description="ATRs above the 50-day average, at most.")
    position_min: float = Field(50.0, ge=0, le=100, title="20-day position", description="Percent of the 20-day range, more than.")
    atr_pct_min: float = Field(3.0, ge=0, le=20, title="Least movement", description="ATR in percent of the price, at least.")
    risk_reward_min: float = Field(2.0, ge=0, le=10, title="Risk to reward", description="First target over stop distance, at least.")
    quality_min: float = Field(0.65, ge=0, le=1, title="Data quality", description="Share of the wanted history that is there, at least.")
    stop_atr: float = Field(1.5, ge=0.25, le=6, title="Stop distance", description="ATRs below the close.")
    stop_floor_pct: float = Field(90.0, ge=50, le=99.5, title="Stop floor", description="Percent of the close below which no stop lies.")
    target_levels: tuple[Target, Target, Target] = Field((7.0, 10.0, 12.0), title="Targets", description="ATRs above the 50-day average.")
    scale_out_levels: tuple[Level, ...] = Field(
        (7, 8, 9, 10), max_length=20, title="Scale-out levels", description="ATRs above the 50-day average."
    )
    scale_out_pct: float = Field(25.0, gt=0, le=100, title="Scale-out size", description="Percent of the initial quantity at each level.")
    extended_at: float = Field(12.0, ge=5, le=30, title="Extended", description="ATRs above the average from which a warning is given.")
    max_position_pct: float = Field(5.0, gt=0, le=100, title="Largest position", description="Percent of the run's equity.")
    risk_pct: float = Field(1.0, gt=0, le=10, title="Risk per trade", description="Percent of the run's equity between entry and stop.")

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        for name, levels in (("target_levels", self.target_levels), ("scale_out_levels", self.scale_out_levels)):
            if any(high <= low for low, high in itertools.pairwise(levels)):
                raise ValueError(f"{name} rise, each once, got {', '.join(f'{one:g}' for one in levels)}")
        return self
