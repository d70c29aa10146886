"""What a person may choose of ATR Options, bought or sold."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from quantmatrix.signals.domain.options.choosing import ChoiceRules
from quantmatrix.signals.domain.options.leaving import LeavingRules
from quantmatrix.signals.domain.options.selling import SaleRules
from quantmatrix.signals.strategies._parameters import StrategyParameters

SOLD_BEFORE_DAYS = 5
"""Calendar days: as many as lie between two sessions at most, so that an order reaches a session before the contract ends."""


class AtrOptionsParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "short_premium": {"profit_target_pct": 50.0, "max_dte": 60, "leave_dte": 21},
    }

    preset: Literal["long_option", "short_premium"] = Field(
        "long_option", title="Preset", description="Bought options, or sold puts that cash secures."
    )
    profit_target_pct: float = Field(20.0, ge=10, le=50, title="Profit target", description="Percent of the premium.")
    stop_loss_pct: float = Field(50.0, ge=5, le=50, title="Stop loss", description="Percent of a premium that was paid.")
    short_stop_pct: float = Field(
        200.0, ge=50, le=500, title="Stop loss when sold", description="Percent of the premium received that may be lost."
    )
    max_dte: int = Field(45, ge=7, le=90, title="Most days", description="Days to expiration at the entry, at most.")
    min_dte: int = Field(7, ge=1, le=14, title="Fewest days", description="Days to expiration at the entry, at least.")
    dte_target: int = Field(45, ge=7, le=90, title="Days when sold", description="Days to expiration that a put is sold at, about.")
    leave_dte: int = Field(7, ge=1, le=45, title="Leave before", description="Days to expiration below which it is left.")
    delta_target: float = Field(0.50, ge=0.30, le=0.70, title="Delta", description="Wanted delta, between 0.30 and 0.70.")
    position_pct: float = Field(
        5.0, ge=1, le=10, title="Largest position", description="Percent of the run's capital that is paid for options."
    )
    secured_pct: float = Field(
        100.0, ge=1, le=100, title="Most bound", description="Percent of the run's capital that sold puts of a stock bind."
    )
    wheel: bool = Field(
        False, title="Wheel", description="Let sold puts run to their end, and sell covered calls on the shares that come; for sold puts."
    )
    open_interest_min: int = Field(100, ge=0, le=100_000, title="Open interest", description="Open contracts, at least.")
    spread_max_pct: float = Field(10.0, gt=0, le=100, title="Spread", description="Percent of the mid price, at most.")
    confidence_min: float = Field(0.60, ge=0, le=1, title="Confidence", description="Of the entry signal, at least.")
    move_min_pct: float = Field(2.0, ge=0, le=50, title="Least move", description="Percent from the close to the first target.")
    risk_reward_min: float = Field(2.0, ge=0, le=10, title="Risk to reward", description="Of the entry signal, at least.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_dte >= self.max_dte:
            raise ValueError(f"the fewest days ({self.min_dte}) are below the most ({self.max_dte})")
        if self.sells and self.leave_dte >= self.max_dte:
            raise ValueError(f"the days below which a put is left ({self.leave_dte}) are below the most at its sale ({self.max_dte})")
        if self.wheel and not self.sells:
            raise ValueError("the wheel begins with sold puts: choose the preset short_premium with it")
        return self

    @property
    def leave_before(self) -> int:
        """Days to expiration below which it is left. What is bought is sold before its last day whatever was chosen: no run exercises."""
        return self.leave_dte if self.sells else max(self.leave_dte, SOLD_BEFORE_DAYS)

    @property
    def sells(self) -> bool:
        """Whether premium is sold instead of bought."""
        return self.preset == "short_premium"

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
    def sale(self) -> SaleRules:
        """The rules by which a put or a covered call to sell is chosen; none that would have to be left at once."""
        return SaleRules(
            confidence_min=self.confidence_min,
            move_min_pct=self.move_min_pct,
            dte_min=self.min_dte if self.wheel else max(self.min_dte, self.leave_dte + 1),
            dte_max=self.max_dte,
            dte_target=self.dte_target,
            open_interest_min=self.open_interest_min,
            spread_max_pct=self.spread_max_pct,
            secured_max_pct=self.secured_pct,
        )

    @property
    def leaving(self) -> LeavingRules:
        """The rules by which it is left."""
        return LeavingRules(self.profit_target_pct, self.short_stop_pct if self.sells else self.stop_loss_pct, self.leave_before)
