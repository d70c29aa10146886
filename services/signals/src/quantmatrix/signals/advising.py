"""What a person may set of the advisory rules: a model with bounds, which draws its own form."""

from pydantic import Field

from quantmatrix.signals.domain.advice import Frequency
from quantmatrix.signals.strategies._parameters import StrategyParameters


class AdviceParameters(StrategyParameters):
    """Bounds around the advice of every style. Without any of them set, a rule says what its table says."""

    rebalance_frequency: Frequency = Field(Frequency.MONTHLY, title="Looked at", description="How often an advice is looked at again.")
    max_position_increase: float = Field(
        15.0, ge=5, le=25, title="Largest increase, %", description="A purchase is advised of at most so many percent of the position."
    )
    profit_taking: float = Field(
        50.0, ge=20, le=100, title="Profit taken from, %", description="No profit is taken below a gain of so many percent on the cost."
    )
