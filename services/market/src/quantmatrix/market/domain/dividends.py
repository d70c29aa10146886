"""Dividends derived from a column of adjusted closes. They are marked as derived: nobody announced them to us."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Price, round_half_even
from quantmatrix.market.domain.listing import CorporateAction, DailyBar, dividend

SMALLEST = Decimal("0.01")
"""A smaller amount per share is the rounding of the adjusted column, not a dividend."""


def derive_dividends(
    instrument: InstrumentId,
    bars: Sequence[DailyBar],
    adjusted: Mapping[date, Decimal],
    splits: Sequence[CorporateAction],
    source: str,
) -> list[CorporateAction]:
    """The amounts that the adjustment of closes must have been made for.

    A vendor multiplies every close before an ex-date by (1 - dividend / close of the day before), and by
    denominator / numerator at a split (CRSP's method of adjusting prices); both are undone here.
    """
    by_date = {action.effective: action for action in splits}
    found = []
    for before, bar in itertools.pairwise(bars):
        factor_before = adjusted[before.session] / before.close.value
        factor_after = adjusted[bar.session] / bar.close.value
        ratio = factor_before / factor_after
        if bar.session in by_date:
            action = by_date[bar.session]
            ratio = ratio * action.numerator / action.denominator
        amount = round_half_even(before.close.value * (1 - ratio), 3)
        if amount >= SMALLEST:
            found.append(dividend(instrument, bar.session, Price(amount), derived=True, source=source))
    return found
