"""The lots that a person chose for one trade, as the broker's letters beside it tell."""

from collections.abc import Sequence

from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.domain.methods import LotMethod
from quantmatrix.portfolio.domain.statements import Entry

_ELECTED = {
    "HC": LotMethod.HIGHEST_COST,
    "ML": LotMethod.HIGHEST_COST,
    "LI": LotMethod.LIFO,
    "MLG": LotMethod.MAX_LT_GAIN,
    "MLL": LotMethod.MAX_LT_LOSS,
    "MSG": LotMethod.MAX_ST_GAIN,
    "MSL": LotMethod.MAX_ST_LOSS,
}
"""Highest cost takes the largest loss first, which is what maximising losses does. SL names lots that are printed nowhere."""


def elected(entry: Entry, lots: Sequence[Lot], method: LotMethod) -> LotMethod:
    """The method of a trade: the elected one, else that of its day.

    By cost lots are chosen only while each has a known one: what the others cost decides which lots the broker took.
    """
    codes = entry.printed.codes if entry.printed is not None else ()
    chosen = next((_ELECTED[code] for code in codes if code in _ELECTED), None)
    if chosen is None or (chosen is not LotMethod.LIFO and any(lot.basis is None or not lot.dated for lot in lots)):
        return method
    return chosen
