"""One column against another: to buy where it comes above, and to sell where it is below."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Crossing:
    """over, under: names of columns of doubles that are null before their first value and a number from there on."""

    over: str
    under: str

    def enters(self) -> pl.Expr:
        """Whether the one is above the other, and was not on the bar before; null where that is not known."""
        is_above = pl.col(self.over) > pl.col(self.under)
        return is_above & ~is_above.shift(1)

    def leaves(self) -> pl.Expr:
        """Whether the one is below the other."""
        return pl.col(self.over) < pl.col(self.under)
