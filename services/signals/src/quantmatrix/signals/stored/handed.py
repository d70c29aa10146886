"""Bars on their way to whoever computes: a line of JSON for each instrument, packed in pieces that fit a message."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.market import BarColumns, PastChains, QuotedContract
from quantmatrix.common.contracts.codec import decode_as, encode_hook
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionId, ActionKind, AssetClass, InstrumentId
from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.common.values import Price, Quantity, plain
from quantmatrix.signals import strategies
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.store import KnownInstrument

PIECE_BYTES = 600_000
"""A message holds 1 MB, and bytes grow by a third in JSON."""
_LINES = msgspec.json.Encoder(enc_hook=encode_hook)


class GivenSplit(msgspec.Struct, frozen=True):
    """A split as it is handed on."""

    action_id: ActionId
    effective: date
    numerator: int
    denominator: int


class GivenBars(msgspec.Struct, frozen=True):
    """Raw bars as columns of equal length, oldest first; prices and volumes as decimal strings."""

    sessions: tuple[date, ...]
    open: tuple[str, ...]
    high: tuple[str, ...]
    low: tuple[str, ...]
    close: tuple[str, ...]
    volume: tuple[str, ...]


class Given(msgspec.Struct, frozen=True):
    """One instrument with its raw bars and the options on it; sizes as decimal strings."""

    instrument_id: InstrumentId
    symbol: str
    currency: str
    tick_size: str
    lot_size: str
    multiplier: str
    bars: GivenBars
    splits: tuple[GivenSplit, ...] = ()
    chains: tuple[PastChains, ...] = ()


def line_of(given: Given) -> bytes:
    """An instrument as one line of JSON, however long: it travels in pieces."""
    return _LINES.encode(given)


def given_of_market(one: KnownInstrument, bars: BarColumns, chains: Sequence[PastChains]) -> Given:
    """What market told of an instrument."""
    splits = (
        GivenSplit(action.action_id, action.effective, action.numerator, action.denominator)
        for action in bars.actions
        if action.kind is ActionKind.SPLIT
    )
    own = one.instrument
    sizes = (str(one.tick_size), str(one.lot_size), plain(own.multiplier.value))
    columns = GivenBars(bars.sessions, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return Given(own.instrument_id, own.symbol, own.currency, *sizes, columns, tuple(splits), tuple(chains))


def given_of(past: History) -> Given:
    """The past of an instrument as a command has read it."""
    told = [tuple(str(getattr(bar, name)) for bar in past.bars) for name in ("open", "high", "low", "close", "volume")]
    columns = GivenBars(tuple(past.sessions), *told)
    splits = tuple(GivenSplit(one.action_id, one.effective, one.numerator, one.denominator) for one in past.splits)
    sizes = (str(past.tick_size), str(past.lot_size), str(past.multiplier))
    chains = (_chains_of(past),) if past.chains else ()
    return Given(past.instrument_id, past.symbol, past.currency, *sizes, columns, splits, chains)


def _chains_of(past: History) -> PastChains:
    known: dict[tuple[str, str], OptionQuote] = {}
    quotes = [(session, quote) for session, chain in sorted(past.chains.items()) for quote in chain]
    for _, quote in quotes:
        known.setdefault((quote.instrument_id, quote.contract), quote)
    place = {key: number for number, key in enumerate(known)}
    return PastChains(
        underlying_id=past.instrument_id,
        contracts=tuple(
            QuotedContract(
                Instrument(one.instrument_id, one.contract, AssetClass.OPTION, past.currency, CONTRACT_SIZE),
                one.kind,
                one.expires,
                one.strike,
                one.tick_size,
            )
            for one in known.values()
        ),
        sessions=tuple(session for session, _ in quotes),
        contract=tuple(place[quote.instrument_id, quote.contract] for _, quote in quotes),
        bid=tuple(str(quote.bid) for _, quote in quotes),
        ask=tuple(str(quote.ask) for _, quote in quotes),
        open_interest=tuple(quote.open_interest for _, quote in quotes),
        delta=tuple(quote.delta for _, quote in quotes),
    )


def histories_of(lines: Iterable[bytes]) -> list[History]:
    """The bars as a backtest takes them."""
    return [_history(decode_as(Given, line)) for line in lines]


def sessions_in(lines: Iterable[bytes]) -> dict[str, tuple[date, ...]]:
    """The sessions of each instrument's bars, by symbol."""
    read = (decode_as(_Sessions, line) for line in lines)
    return {one.symbol: one.bars.sessions for one in read}


class _OnlySessions(msgspec.Struct, frozen=True):
    sessions: tuple[date, ...]


class _Sessions(msgspec.Struct, frozen=True):
    """A line of which nothing else is read."""

    symbol: str
    bars: _OnlySessions


def _history(given: Given) -> History:
    columns = given.bars
    rows = zip(columns.sessions, columns.open, columns.high, columns.low, columns.close, columns.volume, strict=True)
    price = Price.parse
    bars = tuple(
        PastBar(session, price(opened), price(high), price(low), price(close), Quantity.parse(volume))
        for session, opened, high, low, close, volume in rows
    )
    splits = tuple(Split(one.action_id, one.effective, one.numerator, one.denominator) for one in given.splits)
    sizes = (Price.parse(given.tick_size), Quantity.parse(given.lot_size), Quantity.parse(given.multiplier))
    return History(given.instrument_id, given.symbol, given.currency, *sizes, bars, splits, _quotes(given.chains))


def _quotes(pages: Sequence[PastChains]) -> Mapping[date, tuple[OptionQuote, ...]]:
    """The options by session, as a running service is shown them."""
    found: dict[date, list[OptionQuote]] = {}
    for page in pages:
        columns = (page.sessions, page.contract, page.bid, page.ask, page.open_interest, page.delta)
        for session, place, bid, ask, open_interest, delta in zip(*columns, strict=True):
            one = page.contracts[place]
            quote = OptionQuote(
                contract=one.instrument.symbol,
                kind=one.kind,
                expires=one.expires,
                strike=one.strike,
                bid=Price.parse(bid),
                ask=Price.parse(ask),
                open_interest=open_interest,
                delta=delta,
                instrument_id=one.instrument.instrument_id,
                tick_size=one.tick_size,
            )
            found.setdefault(session, []).append(quote)
    return {session: tuple(sorted(own, key=lambda one: (one.expires, one.strike, one.kind))) for session, own in found.items()}


def strategy_in_slot(name: str) -> type[Strategy]:
    """The strategy with this name. Raises BacktestError when the slot has none."""
    for module in names_in(strategies):
        found: type[Strategy] = load(strategies, module).STRATEGY
        if found.name == name:
            return found
    raise BacktestError(f"there is no strategy {name!r} any more")


class Packing:
    """Lines one after the other become pieces."""

    def __init__(self) -> None:
        self._squeezed, self._held = zlib.compressobj(6), b""

    def add(self, line: bytes) -> list[bytes]:
        """The pieces that are full with this line."""
        self._held += self._squeezed.compress(line + b"\n")
        return list(self._full())

    def rest(self) -> Iterator[bytes]:
        """The pieces that are left after the last line."""
        self._held += self._squeezed.flush()
        yield from self._full()
        if self._held:
            yield self._held

    def _full(self) -> Iterator[bytes]:
        while len(self._held) >= PIECE_BYTES:
            yield self._held[:PIECE_BYTES]
            self._held = self._held[PIECE_BYTES:]


def packed(past: Sequence[History]) -> list[bytes]:
    """The pieces of everything that a command has read, by symbol."""
    packing, pieces = Packing(), list[bytes]()
    for one in sorted(past, key=lambda history: history.symbol):
        pieces += packing.add(line_of(given_of(one)))
    return [*pieces, *packing.rest()]


def lines_of(pieces: Sequence[bytes]) -> list[bytes]:
    """The lines that were packed. Raises zlib.error when a piece is missing or damaged."""
    return zlib.decompress(b"".join(pieces)).splitlines()


def name_of(pieces: Sequence[bytes]) -> str:
    """What stands for exactly these pieces: SHA-256 in hexadecimal."""
    seen = hashlib.sha256()
    for piece in pieces:
        seen.update(piece)
    return seen.hexdigest()
