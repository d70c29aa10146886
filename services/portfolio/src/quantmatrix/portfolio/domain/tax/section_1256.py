"""Section 1256 contracts: futures and broad-based index options, marked to market at year's end, 60 % long-term (IRC 1256)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.tax.holdings import Holding

LONG_TERM_SHARE = Decimal("0.6")


@dataclass(frozen=True, slots=True)
class Marked:
    """The gain of one holding in one year, divided into its long-term and short-term part. Wash-sale rules do not apply."""

    holding: Holding
    year: int
    gain: Money
    long_term: Money
    short_term: Money


class MissingMarkError(LookupError):
    """The value of a contract at the end of a year is needed and not known."""

    def __init__(self, security: InstrumentId, year: int) -> None:
        super().__init__(f"the market value of {security} at the end of {year} is needed and was not given")


def section_1256(holdings: Iterable[Holding], year: int, marks: Mapping[tuple[InstrumentId, int], Money]) -> list[Marked]:
    """What contracts earned in a year: sold or marked at its end, less cost or the mark of the year before.

    marks: the value of one contract (multiplier inside) at the end of a year. Holdings whose basis or date is unknown are
    left out: they are pending. Raises MissingMarkError.
    """
    found = []
    for one in holdings:
        if one.acquired_on is None or one.acquired_on.year > year or (one.disposed_on is not None and one.disposed_on.year < year):
            continue
        start = one.basis if one.acquired_on.year == year else _marked(one, year - 1, marks)
        closed = one.disposed_on is not None and one.disposed_on.year == year
        end = one.proceeds if closed else _marked(one, year, marks)
        if start is None or end is None:
            continue
        gain = end - start
        long_term = gain.times(LONG_TERM_SHARE)
        found.append(Marked(one, year, gain, long_term, gain - long_term))
    return found


def _marked(holding: Holding, year: int, marks: Mapping[tuple[InstrumentId, int], Money]) -> Money:
    mark = marks.get((holding.security, year))
    if mark is None:
        raise MissingMarkError(holding.security, year)
    value = mark.times(holding.quantity.value)
    return -value if holding.is_short else value
