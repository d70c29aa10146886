"""The `prices` family, said by market: instruments, bars, quotes, sessions, corporate actions, data quality."""

from datetime import date
from typing import Annotated

import msgspec

from quantmatrix.common.contracts.message import Instant, Message, Token, Watermark
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import TOKEN, ActionId, ActionKind, InstrumentId, SessionPhase
from quantmatrix.common.values import Price, Quantity

_MOMENTS = "prices.moments.{m.calendar}"
"""Actions, bars and watermarks of a calendar are one sequence: a split is always heard before the bars it changes."""
_Id = Annotated[InstrumentId, msgspec.Meta(pattern=TOKEN)]


class _Prices(Message, frozen=True, kw_only=True):
    OWNER = "market"
    FAMILY = "prices"


class InstrumentListed(_Prices, frozen=True, kw_only=True, tag="InstrumentListed"):
    """An instrument is known. Its id stays for good; the symbol is an alias valid from `valid_from` (exchange date).

    underlying: of an option, what it is on; its own symbol is the OCC's, which says expiration, right and strike.
    """

    SUBJECT = "prices.instrument.{m.instrument.instrument_id}"
    KEY = "prices.instrument.{m.instrument.instrument_id}"

    instrument: Instrument
    name: str
    calendar: Token
    tick_size: Price
    lot_size: Quantity
    valid_from: date
    underlying: _Id | None = None


class CorporateActionAnnounced(_Prices, frozen=True, kw_only=True, tag="CorporateActionAnnounced"):
    """A split or a dividend, effective before the open of `effective` (exchange date).

    Split: `numerator` new units for `denominator` old ones. Dividend: `amount` per unit. derived: computed from an
    adjusted price column, not announced by anyone. becomes: the symbol from then on, empty where it stays. deliverable: of an
    option that a split of its stock adjusts, the shares that a contract delivers from then on; none where it always delivered 100.
    """

    SUBJECT = "prices.action.{m.instrument.instrument_id}"
    KEY = _MOMENTS

    action_id: ActionId
    kind: ActionKind
    instrument: Instrument
    calendar: Token
    effective: date
    numerator: int = 1
    denominator: int = 1
    amount: Price | None = None
    derived: bool = False
    source: str = ""
    becomes: str = ""
    deliverable: Quantity | None = None


class Bar(msgspec.Struct, frozen=True, omit_defaults=True):
    """One instrument's raw (never adjusted) open, high, low, close and volume.

    bid and ask: the market of an instrument that is quoted instead of traded all day, such as an option; its prices are then
    the middle of the two, purchases pay the ask and sales get the bid, which is zero when nobody buys.
    """

    instrument_id: _Id
    symbol: str
    currency: str
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity
    bid: Price | None = None
    ask: Price | None = None


class BarsClosed(_Prices, frozen=True, kw_only=True, tag="BarsClosed"):
    """The bars of one moment, together: `part` of `parts`. session is the exchange's date, the instants are UTC."""

    SUBJECT = "prices.bars.{m.calendar}.{m.timeframe}"
    KEY = _MOMENTS

    calendar: Token
    timeframe: Token
    session: date
    opened_at: Instant
    closed_at: Instant
    part: int
    parts: int
    bars: tuple[Bar, ...]


class QuoteChanged(_Prices, frozen=True, kw_only=True, tag="QuoteChanged"):
    """The latest bid, ask or last trade. Ephemeral: never stored, lost on restart on purpose, nothing that trades needs it."""

    SUBJECT = "prices.quote.{m.instrument.instrument_id}"
    KEY = "prices.quote.{m.instrument.instrument_id}"

    instrument: Instrument
    bid: Price | None = None
    ask: Price | None = None
    last: Price | None = None


class SessionPhaseChanged(_Prices, frozen=True, kw_only=True, tag="SessionPhaseChanged"):
    """An exchange entered a phase of its day: what the jobs of a day hang on. session: while DARK the next one."""

    SUBJECT = "prices.phase.{m.calendar}"
    KEY = "prices.phase.{m.calendar}"

    calendar: Token
    phase: SessionPhase
    session: date
    opens_at: Instant
    closes_at: Instant
    early_close: bool


class DataQualityAlerted(_Prices, frozen=True, kw_only=True, tag="DataQualityAlerted"):
    """A bar or quote looked wrong, and why."""

    SUBJECT = "prices.quality.{m.instrument.instrument_id}"
    KEY = "prices.quality.{m.instrument.instrument_id}"

    instrument: Instrument
    session: date
    code: str
    detail: str


class PricesWatermark(Watermark, frozen=True, kw_only=True, tag="PricesWatermark"):
    """All bars, actions and phases of this moment are out."""

    OWNER = "market"
    FAMILY = "prices"
    SUBJECT = "prices.watermark.{m.calendar}"
    KEY = _MOMENTS
