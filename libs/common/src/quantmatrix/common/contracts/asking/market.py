"""Questions to market: instruments, history, the state of the replay."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant
from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.options import Kind
from quantmatrix.common.values import Price, Quantity


class ListedInstrument(msgspec.Struct, frozen=True):
    instrument: Instrument
    name: str
    calendar: str
    tick_size: Price
    lot_size: Quantity
    aliases: tuple[str, ...]


class Instruments(msgspec.Struct, frozen=True):
    instruments: tuple[ListedInstrument, ...]


class InstrumentsAsked(Question[Instruments], frozen=True, kw_only=True):
    """Every instrument, or the one that carries this symbol today."""

    VERB = "instruments"
    ANSWER = Instruments

    symbol: str | None = None


class BarColumns(msgspec.Struct, frozen=True):
    """Raw bars of one instrument as columns of equal length, oldest first, and the actions effective in that time.

    sessions are exchange dates; prices and volumes are decimal strings. Nothing lies after what has been published.
    """

    instrument_id: InstrumentId
    timeframe: str
    sessions: tuple[date, ...]
    open: tuple[str, ...]
    high: tuple[str, ...]
    low: tuple[str, ...]
    close: tuple[str, ...]
    volume: tuple[str, ...]
    actions: tuple[CorporateActionAnnounced, ...]


class BarsAsked(Question[BarColumns], frozen=True, kw_only=True):
    """The last `limit` bars of an instrument up to and including `until` (exchange date)."""

    VERB = "bars"
    ANSWER = BarColumns

    instrument_id: InstrumentId
    timeframe: str = "1d"
    until: date | None = None
    limit: int = 4_000


class ContractQuote(msgspec.Struct, frozen=True):
    """One listed option with its market at the close. iv and delta are statistics, none where nobody told them."""

    instrument: Instrument
    kind: Kind
    expires: date
    strike: Price
    tick_size: Price
    bid: Price
    ask: Price
    open_interest: int
    volume: int
    iv: float | None = None
    delta: float | None = None


class OptionChain(msgspec.Struct, frozen=True):
    """Contracts ordered by expiration, strike and right; none when there are none, or when the session was not published yet."""

    underlying_id: InstrumentId
    session: date
    quotes: tuple[ContractQuote, ...]


class ChainAsked(Question[OptionChain], frozen=True, kw_only=True):
    """Every option on an instrument that was quoted in a session (exchange date)."""

    VERB = "chain"
    ANSWER = OptionChain

    underlying_id: InstrumentId
    session: date


class QuotedContract(msgspec.Struct, frozen=True):
    """What an option is, without its market."""

    instrument: Instrument
    kind: Kind
    expires: date
    strike: Price
    tick_size: Price


class PastChains(msgspec.Struct, frozen=True):
    """Quotes of the options on one instrument as columns of equal length, by session and contract.

    contracts: each that is quoted here, once; contract: the place of a quote's own in there, from zero; bid and ask are decimal
    strings; next_session: from where to ask on, none when nothing comes after it.
    """

    underlying_id: InstrumentId
    contracts: tuple[QuotedContract, ...]
    sessions: tuple[date, ...]
    contract: tuple[int, ...]
    bid: tuple[str, ...]
    ask: tuple[str, ...]
    open_interest: tuple[int, ...]
    delta: tuple[float | None, ...]
    next_session: date | None = None


class PastChainsAsked(Question[PastChains], frozen=True, kw_only=True):
    """The options on an instrument in whole sessions from `since` on (exchange date), as many as fit; nothing that was not published."""

    VERB = "past_chains"
    ANSWER = PastChains

    underlying_id: InstrumentId
    since: date


class ReplayStatus(msgspec.Struct, frozen=True):
    """Where the replay stands. pace_s: seconds between moments, 0 is as fast as possible."""

    feed: str
    state: str
    pace_s: float
    session: date | None
    settled: date | None
    first: date | None
    last: date | None
    sessions_done: int
    sessions_total: int
    bars_published: int
    as_of: Instant | None


class ReplayStatusAsked(Question[ReplayStatus], frozen=True, kw_only=True):
    VERB = "replay.status"
    ANSWER = ReplayStatus


class ReplayControlAsked(Question[ReplayStatus], frozen=True, kw_only=True):
    """Pause, resume, or change the pace; what is left out stays as it is."""

    VERB = "replay.control"
    ANSWER = ReplayStatus

    paused: bool | None = None
    pace_s: float | None = None
