"""DCA aggressive: contributes every month to growth, US and foreign stocks, and keeps their weights."""

from typing import ClassVar

from pydantic import BaseModel, Field

from quantmatrix.common.values import Money
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.strategies._contributions import ContributionParameters, Contributions

WEIGHTS = {"QQQ": 0.50, "VTI": 0.30, "VXUS": 0.20}


class AggressiveContributionsParameters(ContributionParameters):
    """Bounds and defaults; forms are drawn from this model."""

    weights: dict[str, float] = Field(
        default_factory=lambda: dict(WEIGHTS), title="Weights", description="Share of each symbol; they sum to 1."
    )


class AggressiveContributions(Contributions):
    """See the module's text; the rules are in `domain/allocation.py`."""

    name: ClassVar[str] = "dca_aggressive"
    title: ClassVar[str] = "DCA aggressive"
    parameters: ClassVar[type[BaseModel]] = AggressiveContributionsParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.STOCKS,
        complexity=Complexity.BEGINNER,
        capital_min=Money(5_000, "USD"),
        horizon="years",
        needs=("daily bars", "a price of every symbol of the weights"),
        bars_min=1,
        summary="Contributes every month to growth, US and foreign stocks, and keeps their weights.",
        sees_portfolio=True,
    )


STRATEGY = AggressiveContributions
