"""Listed options as identities: root, expiration, right and strike, and the symbol that the OCC writes them as."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from quantmatrix.common.names import Side
from quantmatrix.common.values import Price

Kind = Literal["call", "put"]
STRIKE_MAX = Decimal(100_000)
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


def price_met(side: Side, market: tuple[Price, Price] | None, terms: OptionTerms, session: date, close: Price | None) -> Price | None:
    """What an order for a contract meets in a session: a purchase pays the ask, a sale gets the bid. None when it finds nobody.

    market: bid and ask, where it is quoted; close: of what it is on, where that trades. On the contract's last day and after it
    a sale without a bid is settled instead.
    """
    if side is Side.BUY:
        return market[1] if market is not None else None
    return market[0] if market is not None and market[0] else worth_at_the_end(terms, session, close)


def worth_at_the_end(terms: OptionTerms, session: date, close: Price | None) -> Price | None:
    """What a contract that is left to its end is settled at, in cash: what it is in the money by, or nothing (OCC rule 805, exercise by exception).

    None before its last day, and without a close of what it is on.
    """
    if session < terms.last_weekday or close is None:
        return None
    inside = close.value - terms.strike.value if terms.kind == "call" else terms.strike.value - close.value
    return Price(max(inside, Decimal(0)))
