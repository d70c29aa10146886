"""What a person is told about a strategy before choosing it. No claims of returns: those are shown by backtests or not at all."""

from dataclasses import dataclass
from enum import StrEnum

from quantmatrix.common.values import Money


class Category(StrEnum):
    """What a strategy trades."""

    STOCKS = "stocks"
    OPTIONS = "options"
    CRYPTO = "crypto"


class Complexity(StrEnum):
    """How much a person should know before running it."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """needs: the data a run cannot do without, in words. bars_min: how many bars it wants before it can decide anything.

    sees_portfolio: whether a decision on one instrument depends on what the run holds of the others.
    """

    category: Category
    complexity: Complexity
    capital_min: Money
    horizon: str
    needs: tuple[str, ...]
    bars_min: int
    summary: str
    sees_portfolio: bool = False
