"""DCA conservative: contributes every month to US stocks, foreign stocks and bonds, and keeps their weights."""

from typing import ClassVar

from pydantic import BaseModel, Field

from quantmatrix.common.values import Money
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.strategies._contributions import ContributionParameters, Contributions

WEIGHTS = {"VTI": 0.60, "VXUS": 0.30, "BND": 0.10}


class ConservativeContributionsParameters(ContributionParameters):
    """Bounds and defaults; forms are drawn from this model."""

    weights: dict[str, float] = Field(
        default_factory=lambda: dict(WEIGHTS), title="Weights", description="Share of each symbol; they sum to 1."
    )


class ConservativeContributions(Contributions):
    """See the module's text; the rules are in `domain/allocation.py`."""

    name: ClassVar[str] = "dca_conservative"
    title: ClassVar[str] = "DCA conservative"
    parameters: ClassVar[type[BaseModel]] = ConservativeContributionsParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.STOCKS,
        complexity=Complexity.BEGINNER,
        capital_min=Money(5_000, "USD"),
        horizon="years",
        needs=("daily bars", "a price of every symbol of the weights"),
        bars_min=1,
        summary="Contributes every month to US stocks, foreign stocks and bonds, and keeps their weights.",
        sees_portfolio=True,
    )


STRATEGY = ConservativeContributions
