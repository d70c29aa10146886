"""Which put to sell on a bullish entry signal, how many and at what limit; or why none. Buying: `choosing.py`, leaving: `leaving.py`.

A put is sold one and a half ATRs below the close, on the nearest listed strike, about 45 days before its end. Of the tests that
what is bought passes, bid, open interest, spread and the refusal of adjusted contracts hold as they stand. Its delta has no least value, as
little of it is what one sells, and is at most one half: a put nearer to the money than that is no longer out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.domain.options.choosing import (
    EXPIRATIONS_LOOKED_AT,
    Choice,
    ChoiceRules,
    EntrySignal,
    OptionQuote,
    Skipped,
    candidate_of,
    direction_of,
    limit_to_leave,
)
from quantmatrix.signals.domain.volatility import STRIKE_ATRS, nearest_strike

ONE = Quantity(1)


@dataclass(frozen=True, slots=True)
class SaleRules:
    """Bounds of what is sold. secured_max_pct: percent of the run's capital that the strikes of sold puts may come to, at most."""

    confidence_min: float = 0.60
    move_min_pct: float = 2.0
    dte_min: int = 22
    dte_max: int = 60
    dte_target: int = 45
    delta_max: float = 0.50
    open_interest_min: int = 100
    spread_max_pct: float = 10.0
    secured_max_pct: float = 100.0

    @property
    def passing(self) -> ChoiceRules:
        """The tests that it shares with what is bought."""
        return ChoiceRules(
            confidence_min=self.confidence_min,
            move_min_pct=self.move_min_pct,
            delta_min=0.0,
            delta_max=self.delta_max,
            open_interest_min=self.open_interest_min,
            spread_max_pct=self.spread_max_pct,
        )


def choose_put(
    chain: Sequence[OptionQuote], signal: EntrySignal, moves: float, capital: Money, rules: SaleRules, *, size_multiplier: float = 1.0
) -> Choice | Skipped:
    """The put to sell, or the first reason why none is. moves: the ATR of the stock. Zero contracts are a reason."""
    direction = direction_of(signal, rules.passing)
    if isinstance(direction, Skipped):
        return direction
    if direction == "put":
        return Skipped("NOT_BULLISH", "puts are sold on a target above the close")
    puts = [quote for quote in chain if quote.kind == "put" and quote.strike < signal.close and not quote.is_adjusted]
    dates = nearest_dates(puts, signal.session, rules)
    if not dates:
        return Skipped("NO_EXPIRATION", f"no put below the close from {rules.dte_min} to {rules.dte_max} days away")
    level = float(signal.close.value) + STRIKE_ATRS["otm_put"] * moves
    for expires in dates:
        of_day = {float(quote.strike.value): quote for quote in puts if quote.expires == expires}
        found = candidate_of(of_day[nearest_strike(of_day, level)], signal, rules.passing)
        if found is not None:
            contracts = secured_contracts(capital, found.quote.strike, rules, size_multiplier)
            if not contracts:
                return Skipped("TOO_DEAR", _too_dear(found.quote.strike, capital, rules, size_multiplier))
            return Choice(found, contracts, limit_to_leave(found.quote, found.quote.tick_size))
    days = ", ".join(map(str, dates))
    return Skipped("NO_CONTRACT", f"the put nearest to {level:.2f} of {days} passes not all of delta, open interest, bid and spread")


def secured_contracts(capital: Money, strike: Price, rules: SaleRules, size_multiplier: float = 1.0) -> Quantity:
    """How many whole contracts the allowed share of the capital secures: a hundred times the strike each."""
    allowed = capital.amount * _share(rules, size_multiplier)
    each = notional(strike, ONE, CONTRACT_SIZE, capital.currency).amount
    return Quantity(max((allowed / each).to_integral_value(rounding=ROUND_FLOOR), Decimal(0)))


def _share(rules: SaleRules, size_multiplier: float) -> Decimal:
    """Never more than all of it: what is calm is not sold on credit."""
    return min(Decimal(str(rules.secured_max_pct)) / 100 * Decimal(str(size_multiplier)), Decimal(1))


def _too_dear(strike: Price, capital: Money, rules: SaleRules, size_multiplier: float) -> str:
    each, share = notional(strike, ONE, CONTRACT_SIZE, capital.currency), _share(rules, size_multiplier) * 100
    return f"one put at {strike} binds {each}, {share.normalize():f} % of {capital} may be bound"


def nearest_dates(quotes: Sequence[OptionQuote], session: date, rules: SaleRules) -> list[date]:
    """The three expirations closest to the wanted number of days, the earlier one of two."""
    days = {quote.expires: (quote.expires - session).days for quote in quotes}
    fitting = [expires for expires, count in days.items() if rules.dte_min <= count <= rules.dte_max]
    return sorted(fitting, key=lambda one: (abs(days[one] - rules.dte_target), one))[:EXPIRATIONS_LOOKED_AT]
