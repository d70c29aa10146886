"""Listed options as identities: root, expiration, right and strike, and the symbol that the OCC writes them as."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from quantmatrix.common.names import Side
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity, notional, round_half_even

Kind = Literal["call", "put"]
STRIKE_MAX = Decimal(100_000)
CONTRACT_SIZE = Quantity(100)
"""Shares that a contract delivers unless it was adjusted, and always the multiplier of its premium and its strike."""
ADJUSTED_MAX = 9
_CENT = Decimal("0.01")
_LAST_DIGIT = Quantity(Decimal(1).scaleb(-FRACTION_DIGITS_MAX))
_DIGITS = "0123456789"
_THOUSANDTHS = Decimal(1_000)
_SYMBOL = re.compile(r"(?P<root>[A-Z][A-Z0-9.]{0,5}) *(?P<expires>\d{6})(?P<kind>[CP])(?P<strike>\d{8})")
_LETTERS: dict[Kind, str] = {"call": "C", "put": "P"}


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """What makes a contract this one and no other. expires: the last exchange date on which it can be traded."""

    root: str
    expires: date
    kind: Kind
    strike: Price

    def __post_init__(self) -> None:
        """Raises ValueError for a strike or a root that the symbol has no place for."""
        thousandths = self.strike.value * _THOUSANDTHS
        if not 0 < self.strike.value < STRIKE_MAX or thousandths != thousandths.to_integral_value():
            raise ValueError(f"a strike lies between 0 and {STRIKE_MAX} and has at most three digits after the point, got {self.strike}")
        if not 1 <= len(self.root) <= 6:
            raise ValueError(f"a root has one to six characters, got {self.root[:20]!r}")

    @property
    def underlying(self) -> str:
        """The symbol of what it is on: the root without the digit that an adjustment put behind it."""
        return self.root.rstrip(_DIGITS)

    @property
    def adjustments(self) -> int:
        """The digit behind the root: how many splits changed what the contract delivers; none of one that delivers 100 shares."""
        return int(self.root[len(self.underlying) :] or 0)

    @property
    def last_weekday(self) -> date:
        """The expiration, or the Friday before one on a weekend, as monthly contracts had until 2015."""
        return self.expires - timedelta(days=max(0, self.expires.weekday() - 4))

    @property
    def symbol(self) -> str:
        """The OCC's 21 characters: root, YYMMDD, C or P, and the strike in thousandths (Options Symbology Initiative, 2008)."""
        thousandths = int(self.strike.value * _THOUSANDTHS)
        return f"{self.root:<6}{self.expires:%y%m%d}{_LETTERS[self.kind]}{thousandths:08d}"


def terms_of(symbol: str) -> OptionTerms:
    """The contract that an OCC symbol names. Raises ValueError when it names none."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        raise ValueError(f"{symbol[:40]!r} is no symbol of an option such as 'AAPL  240621C00195000'")
    try:
        expires = datetime.strptime(match["expires"], "%y%m%d").date()  # noqa: DTZ007 - a date alone has no zone
        kind: Kind = "call" if match["kind"] == "C" else "put"
        return OptionTerms(match["root"], expires, kind, Price(Decimal(match["strike"]) / _THOUSANDTHS))
    except ValueError as error:
        raise ValueError(f"{symbol!r} names no contract: {error}") from error


def is_option(symbol: str) -> bool:
    """Whether a symbol is spelled as that of a contract."""
    return _SYMBOL.fullmatch(symbol) is not None


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What a split makes of a contract: its terms, numerator new contracts for denominator old ones, and what each delivers."""

    terms: OptionTerms
    numerator: int
    denominator: int
    deliverable: Quantity


def adjusted(terms: OptionTerms, deliverable: Quantity, numerator: int, denominator: int) -> Adjusted:
    """A contract after a split of what it is on, numerator new shares for denominator old ones (OCC By-Laws, article VI, section 11A).

    For each share a whole number of them: contracts multiply likewise, the strike is divided and rounded to the cent, and what a
    contract delivers stays. Any other split, and every reverse one: contracts, strike and multiplier stay, each delivers as many
    more or fewer shares, and a digit behind the root tells it from standard contracts (SR-OCC-2006-01, in force since 2007). Of a
    fraction without an end the 12 digits are cut off and not rounded: shares that covered calls cover them after the split.
    Raises ValueError for a strike that becomes nothing, and for a root that has no place for a digit.
    """
    times, rest = divmod(numerator, denominator)
    if not rest:
        strike = Price((terms.strike.value / times).quantize(_CENT, ROUND_HALF_UP))
        return Adjusted(OptionTerms(terms.root, terms.expires, terms.kind, strike), times, 1, deliverable)
    count = terms.adjustments + 1
    if count > ADJUSTED_MAX:
        raise ValueError(f"{terms.symbol} was adjusted {ADJUSTED_MAX} times already")
    after = OptionTerms(f"{terms.underlying}{count}", terms.expires, terms.kind, terms.strike)
    return Adjusted(after, 1, 1, Quantity.in_lots(deliverable.value * numerator / denominator, _LAST_DIGIT))


def price_met(
    side: Side,
    market: tuple[Price, Price] | None,
    terms: OptionTerms,
    session: date,
    close: Price | None,
    deliverable: Quantity = CONTRACT_SIZE,
    *,
    closing: bool,
) -> Price | None:
    """What an order for a contract meets in a session: a purchase pays the ask, a sale gets the bid. None when it finds nobody.

    market: bid and ask, where it is quoted; close: of what it is on, where that trades; closing: whether the order leaves what is
    held, bought or sold. On the contract's last day and after it a sale of what is held that finds nobody is settled instead: its
    holder does without an exercise. Whoever has sold a contract has no such choice (`option_ends.py`).
    """
    met = market[0 if side is Side.SELL else 1] if market is not None else None
    if met or not closing or side is Side.BUY:
        return met or None
    return worth_at_the_end(terms, session, close, deliverable)


def worth_at_the_end(terms: OptionTerms, session: date, close: Price | None, deliverable: Quantity = CONTRACT_SIZE) -> Price | None:
    """What a contract is in the money by at its end, or nothing; a sale of it is settled at that, in cash.

    A price of the premium: a hundredth of what the shares that it delivers are worth beyond a hundred times the strike. None before
    its last day, and without a close of what it is on.
    """
    if session < terms.last_weekday or close is None:
        return None
    shares = close.value if deliverable == CONTRACT_SIZE else close.value * deliverable.value / CONTRACT_SIZE.value
    inside = shares - terms.strike.value if terms.kind == "call" else terms.strike.value - shares
    return Price(round_half_even(max(inside, Decimal(0))))


def is_closing(side: Side, held: Quantity) -> bool:
    """Whether an order leaves what is held; a quantity below zero was sold."""
    return held.value < 0 if side is Side.BUY else held.value > 0


def cash_bound(symbol: str, contracts: Quantity, currency: str) -> Money | None:
    """The cash that sold puts bind, as many contracts: a hundred times the strike of each, what an assignment costs at most.

    An adjustment that changes what a contract delivers does not change that. None for calls and for everything that is no option:
    cash does not secure them.
    """
    if not is_option(symbol) or (terms := terms_of(symbol)).kind != "put":
        return None
    return notional(terms.strike, contracts, CONTRACT_SIZE, currency)


def cash_bound_by(positions: Iterable[tuple[str, Quantity]], currency: str) -> Money:
    """What these positions, by symbol, bind together; only sold puts (below zero) bind anything."""
    total = Money.zero(currency)
    for symbol, quantity in positions:
        if quantity < Quantity(0):
            total += cash_bound(symbol, -quantity, currency) or Money.zero(currency)
    return total


def shares_bound(symbol: str, quantity: Quantity, deliverable: Quantity = CONTRACT_SIZE) -> Quantity:
    """The shares that sold calls bind (a quantity below zero), which their assignment takes; none for everything else."""
    if quantity >= Quantity(0) or not is_option(symbol) or terms_of(symbol).kind != "call":
        return Quantity(0)
    return Quantity(-quantity.value * deliverable.value)


def calls_covered(shares: Quantity, deliverable: Quantity = CONTRACT_SIZE) -> Quantity:
    """How many whole calls these shares cover, none where there are none."""
    if shares.value <= 0 or not deliverable:
        return Quantity(0)
    return Quantity.in_lots(shares.value / deliverable.value, Quantity(1))
