"""What a feed brings: listings, daily bars and corporate actions, as plain values."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from quantmatrix.common.ids import derived_id, short_token
from quantmatrix.common.names import ActionId, ActionKind, AssetClass, InstrumentId
from quantmatrix.common.options import CONTRACT_SIZE, OptionTerms
from quantmatrix.common.values import Price, Quantity

DAILY = "1d"


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as it came to the market: its identity stays, its symbol is today's name for it.

    underlying: of an option, what it is on. It stands in no digest, because the option's symbol says it too.
    """

    instrument_id: InstrumentId
    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    multiplier: Quantity
    tick_size: Price
    lot_size: Quantity
    calendar: str
    listed_on: date
    underlying: InstrumentId | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One raw daily bar; `session` is the exchange's date. bid and ask: of an instrument whose bar is a quote."""

    instrument_id: InstrumentId
    session: date
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity
    bid: Price | None = field(default=None, repr=False)
    ask: Price | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Quote:
    """The market of one option at the close of a session. iv: a year, as a fraction; delta: the broker's; both may be missing.

    symbol: the contract's in that session; it stands in no digest, because the contract and the splits of its stock say it too.
    """

    instrument_id: InstrumentId
    session: date
    bid: Price
    ask: Price
    open_interest: int
    volume: int
    iv: float | None = None
    delta: float | None = None
    symbol: str = field(default="", repr=False, compare=False)

    @property
    def bar(self) -> DailyBar:
        """The quote as a bar: every price is the middle of bid and ask."""
        mid = Price((self.bid.value + self.ask.value) / 2)
        return DailyBar(self.instrument_id, self.session, mid, mid, mid, mid, Quantity(self.volume), self.bid, self.ask)


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split (numerator new units for denominator old ones) or a dividend per unit, effective before the open of `effective`.

    becomes: the symbol from then on, empty where it stays; deliverable: what a contract delivers from then on, where that is not 100.
    """

    action_id: ActionId
    kind: ActionKind
    instrument_id: InstrumentId
    effective: date
    numerator: int
    denominator: int
    amount: Price | None
    derived: bool
    source: str
    becomes: str = field(default="", repr=False)
    deliverable: Quantity | None = field(default=None, repr=False)


@lru_cache(maxsize=4_096)
def instrument_id(calendar: str, first_symbol: str) -> InstrumentId:
    """The lasting id of what was first listed under this symbol; later renames do not change it."""
    return InstrumentId(short_token("instrument", calendar, first_symbol, length=12))


def us_stock(symbol: str, name: str, listed_on: date) -> Listing:
    """A US stock: dollars, cents, whole shares, New York sessions."""
    return Listing(
        instrument_id=instrument_id("XNYS", symbol),
        symbol=symbol,
        name=name,
        asset_class=AssetClass.STOCK,
        currency="USD",
        multiplier=Quantity(1),
        tick_size=Price.parse("0.01"),
        lot_size=Quantity(1),
        calendar="XNYS",
        listed_on=listed_on,
    )


def us_option(own: InstrumentId, terms: OptionTerms, underlying: Listing, listed_on: date) -> Listing:
    """A US equity option: dollars a share, cents, whole contracts of 100 shares, the sessions of its underlying."""
    return Listing(
        instrument_id=own,
        symbol=terms.symbol,
        name=option_name(terms),
        asset_class=AssetClass.OPTION,
        currency=underlying.currency,
        multiplier=CONTRACT_SIZE,
        tick_size=Price.parse("0.01"),
        lot_size=Quantity(1),
        calendar=underlying.calendar,
        listed_on=listed_on,
        underlying=underlying.instrument_id,
    )


def option_name(terms: OptionTerms) -> str:
    """What people call a contract."""
    return f"{terms.root} {terms.expires:%d %b %Y} {terms.strike} {terms.kind}"


def split(instrument: InstrumentId, effective: date, numerator: int, denominator: int, source: str) -> CorporateAction:
    """A split of `numerator` new shares for `denominator` old ones."""
    action = ActionId(derived_id("split", instrument, effective, numerator, denominator))
    return CorporateAction(action, ActionKind.SPLIT, instrument, effective, numerator, denominator, None, derived=False, source=source)


def dividend(instrument: InstrumentId, effective: date, amount: Price, *, derived: bool, source: str) -> CorporateAction:
    """A cash dividend per share, by ex-date."""
    action = ActionId(derived_id("dividend", instrument, effective, amount))
    return CorporateAction(action, ActionKind.DIVIDEND, instrument, effective, 1, 1, amount, derived=derived, source=source)
