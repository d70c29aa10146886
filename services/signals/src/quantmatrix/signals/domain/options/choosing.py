"""Which option to buy on an entry signal, how many and at what limit; or why none. Selling and leaving: `leaving.py`.

Prices of options are exact; deltas and scores are statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.options import Kind, terms_of
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.options.pricing import DAYS_A_YEAR, black76, forward_of, implied_volatility

EXPIRATIONS_LOOKED_AT = 3
BEYOND_HORIZON_DAYS = 7
UNLISTED = InstrumentId("")
CENT = Price(Decimal("0.01"))
DELTA_WEIGHT, STRIKE_WEIGHT = 0.7, 0.3


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """One listed contract with its market. contract is its symbol; delta is the broker's, None where it gives none."""

    contract: str
    kind: Kind
    expires: date
    strike: Price
    bid: Price
    ask: Price
    open_interest: int
    delta: float | None = None
    instrument_id: InstrumentId = UNLISTED
    tick_size: Price = CENT

    @property
    def is_adjusted(self) -> bool:
        """Whether a split changed how many shares it delivers, so that neither its delta nor its strike is that of a hundred."""
        return terms_of(self.contract).adjustments > 0

    @property
    def mid(self) -> Price:
        """The middle of bid and ask: what the contract is valued at."""
        return Price((self.bid.value + self.ask.value) / 2)


@dataclass(frozen=True, slots=True)
class ChoiceRules:
    """Bounds of what is bought. percentages are percent; delta bounds are absolute values."""

    confidence_min: float = 0.60
    move_min_pct: float = 2.0
    dte_min: int = 7
    dte_max: int = 45
    delta_min: float = 0.30
    delta_max: float = 0.70
    delta_target: float = 0.50
    open_interest_min: int = 100
    spread_max_pct: float = 10.0
    position_max_pct: float = 5.0
    contract_size: int = 100


@dataclass(frozen=True, slots=True)
class EntrySignal:
    """What the underlying's strategy said: close, first target, horizon in days, confidence."""

    session: date
    close: Price
    target: Price
    horizon_days: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why nothing is bought: a code and its figures."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contract that passed every test, with the delta that was used and its score."""

    quote: OptionQuote
    mid: Price
    delta: float
    score: float
    spread_pct: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Buy this many contracts at this limit."""

    candidate: Candidate
    contracts: Quantity
    limit: Price


def direction_of(signal: EntrySignal, rules: ChoiceRules) -> Kind | Skipped:
    """A long call when the target is far enough above, a long put when below."""
    if signal.confidence < rules.confidence_min:
        return Skipped("CONFIDENCE_LOW", f"{signal.confidence:.2f}, at least {rules.confidence_min:.2f}")
    move = move_pct(signal)
    if abs(move) <= rules.move_min_pct:
        return Skipped("MOVE_SMALL", f"the target is {move:+.2f} % away, more than {rules.move_min_pct:g} % are wanted")
    return "call" if move > 0 else "put"


def move_pct(signal: EntrySignal) -> float:
    """How far the first target lies from the close, in percent."""
    return float((signal.target.value - signal.close.value) / signal.close.value * 100)


def expirations_of(chain: Sequence[OptionQuote], signal: EntrySignal, rules: ChoiceRules) -> list[date]:
    """The three expirations closest to a week after the horizon, within the bounds of days to expiration."""
    wanted = signal.horizon_days + BEYOND_HORIZON_DAYS
    last = min(wanted, rules.dte_max)
    days = {quote.expires: (quote.expires - signal.session).days for quote in chain}
    fitting = [expires for expires, count in days.items() if rules.dte_min <= count <= last]
    return sorted(fitting, key=lambda expires: (abs(days[expires] - wanted), expires))[:EXPIRATIONS_LOOKED_AT]


def choose(
    chain: Sequence[OptionQuote],
    signal: EntrySignal,
    capital: Money,
    rules: ChoiceRules,
    *,
    size_multiplier: float = 1.0,
    tick_size: Price,
    rate: float = 0.0,
) -> Choice | Skipped:
    """The best contract of a chain, or the first reason why none is bought.

    size_multiplier scales the position by volatility (`volatility.OPTIONS_MULTIPLIER`). Zero contracts are a reason, never rounded up to one.
    """
    kind = direction_of(signal, rules)
    if isinstance(kind, Skipped):
        return kind
    dates = expirations_of(chain, signal, rules)
    if not dates:
        return Skipped(
            "NO_EXPIRATION", f"none from {rules.dte_min} to {min(signal.horizon_days + BEYOND_HORIZON_DAYS, rules.dte_max)} days away"
        )
    candidates = [
        found for quote in chain if quote.kind == kind and quote.expires in dates and (found := candidate_of(quote, signal, rules, rate))
    ]
    if not candidates:
        return Skipped("NO_CONTRACT", f"no {kind} of {', '.join(map(str, dates))} passes delta, open interest and spread")
    best = min(candidates, key=lambda one: (-one.score, one.spread_pct, one.quote.contract))
    contracts = contracts_for(capital, best.mid, rules, size_multiplier)
    if not contracts:
        cost = best.mid.value * rules.contract_size
        return Skipped("TOO_DEAR", f"one contract costs {cost}, {rules.position_max_pct:g} % of {capital} are allowed")
    return Choice(best, contracts, limit_of(best.quote, tick_size))


def candidate_of(quote: OptionQuote, signal: EntrySignal, rules: ChoiceRules, rate: float = 0.0) -> Candidate | None:
    """The contract with its score if it passes every test, else None."""
    if quote.bid.value <= 0 or quote.ask < quote.bid or quote.open_interest < rules.open_interest_min or quote.is_adjusted:
        return None
    mid = quote.mid
    spread = float((quote.ask.value - quote.bid.value) / mid.value * 100)
    delta = quote.delta if quote.delta is not None else solved_delta(quote, mid, signal, rate)
    if spread > rules.spread_max_pct or delta is None or not rules.delta_min <= abs(delta) <= rules.delta_max:
        return None
    close, strike = float(signal.close.value), float(quote.strike.value)
    score = DELTA_WEIGHT * (1 - abs(abs(delta) - rules.delta_target) / rules.delta_target) + STRIKE_WEIGHT * (
        1 - abs(strike - close) / close
    )
    return Candidate(quote, mid, delta, score, spread)


def solved_delta(quote: OptionQuote, mid: Price, signal: EntrySignal, rate: float = 0.0) -> float | None:
    """Black's delta at the volatility that the mid price implies; None when it implies none."""
    years = (quote.expires - signal.session).days / DAYS_A_YEAR
    if years <= 0:
        return None
    forward, strike = forward_of(float(signal.close.value), years, rate), float(quote.strike.value)
    volatility = implied_volatility(quote.kind, float(mid.value), forward, strike, years, rate)
    return None if volatility is None else black76(quote.kind, forward, strike, years, volatility, rate).delta


def contracts_for(capital: Money, mid: Price, rules: ChoiceRules, size_multiplier: float = 1.0) -> Quantity:
    """How many whole contracts the allowed share of the capital buys at the mid price."""
    allowed = capital.amount * Decimal(str(rules.position_max_pct)) / 100 * Decimal(str(size_multiplier))
    return Quantity((allowed / (mid.value * rules.contract_size)).to_integral_value(rounding=ROUND_FLOOR))


def limit_of(quote: OptionQuote, tick_size: Price) -> Price:
    """A quarter of the spread above the mid price, on a tick, at most the ask."""
    wanted = Price(quote.mid.value + (quote.ask.value - quote.bid.value) / 4)
    return min(quote.ask, wanted.snapped_to(tick_size))


def limit_to_leave(quote: OptionQuote, tick_size: Price) -> Price:
    """A quarter of the spread below the mid price, on a tick, at least the bid."""
    wanted = Price(quote.mid.value - (quote.ask.value - quote.bid.value) / 4)
    return max(quote.bid, wanted.snapped_to(tick_size))
