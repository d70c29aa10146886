"""Which call to sell against shares that a run holds, how many and at what limit; or why none.

As `selling.py` chooses a put below the close, the call lies one and a half ATRs above it, and not below what the shares cost: an
assignment then never loses on them. Of the tests those of sold puts hold.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from quantmatrix.common.options import calls_covered
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.options.choosing import Choice, EntrySignal, OptionQuote, Skipped, candidate_of, limit_to_leave
from quantmatrix.signals.domain.options.selling import SaleRules, nearest_dates
from quantmatrix.signals.domain.volatility import STRIKE_ATRS, nearest_strike


def choose_call(
    chain: Sequence[OptionQuote], session: date, close: Price, shares: Quantity, cost: Money | None, moves: float, rules: SaleRules
) -> Choice | Skipped:
    """The call to sell, or the first reason why none is. cost: of these shares; moves: the ATR of the stock, in today's raw prices."""
    contracts = calls_covered(shares)
    if not contracts:
        return Skipped("FEW_SHARES", f"{shares} shares cover no call")
    each = cost.amount / shares.value if cost is not None else Decimal(0)
    least = max(close.value, each)
    calls = [quote for quote in chain if quote.kind == "call" and quote.strike.value >= least and not quote.is_adjusted]
    dates = nearest_dates(calls, session, rules)
    if not dates:
        return Skipped("NO_EXPIRATION", f"no call from {least:.2f} on, {rules.dte_min} to {rules.dte_max} days away")
    level, signal = float(close.value) + STRIKE_ATRS["otm_call"] * moves, EntrySignal(session, close, close, 0, 1.0)
    for expires in dates:
        of_day = {float(quote.strike.value): quote for quote in calls if quote.expires == expires}
        found = candidate_of(of_day[nearest_strike(of_day, level)], signal, rules.passing)
        if found is not None:
            return Choice(found, contracts, limit_to_leave(found.quote, found.quote.tick_size))
    days = ", ".join(map(str, dates))
    return Skipped("NO_CONTRACT", f"the call nearest to {level:.2f} of {days} passes not all of delta, open interest, bid and spread")
