"""What a feed brings: listings, daily bars and corporate actions, as plain values."""

from dataclasses import dataclass
from datetime import date

from quantmatrix.common.ids import derived_id, short_token
from quantmatrix.common.names import ActionId, ActionKind, AssetClass, InstrumentId
from quantmatrix.common.values import Price, Quantity

DAILY = "1d"


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as it came to the market: its identity stays, its symbol is today's name for it."""

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


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One raw daily bar; `session` is the exchange's date."""

    instrument_id: InstrumentId
    session: date
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split (numerator new units for denominator old ones) or a dividend per unit, effective before the open of `effective`."""

    action_id: ActionId
    kind: ActionKind
    instrument_id: InstrumentId
    effective: date
    numerator: int
    denominator: int
    amount: Price | None
    derived: bool
    source: str


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


def split(instrument: InstrumentId, effective: date, numerator: int, denominator: int, source: str) -> CorporateAction:
    """A split of `numerator` new shares for `denominator` old ones."""
    action = ActionId(derived_id("split", instrument, effective, numerator, denominator))
    return CorporateAction(action, ActionKind.SPLIT, instrument, effective, numerator, denominator, None, derived=False, source=source)


def dividend(instrument: InstrumentId, effective: date, amount: Price, *, derived: bool, source: str) -> CorporateAction:
    """A cash dividend per share, by ex-date."""
    action = ActionId(derived_id("dividend", instrument, effective, amount))
    return CorporateAction(action, ActionKind.DIVIDEND, instrument, effective, 1, 1, amount, derived=derived, source=source)
