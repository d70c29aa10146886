"""Bars on their way from the service to whoever computes: a line of JSON for each instrument, packed in pieces that fit a message."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.names import ActionKind
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals import strategies
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import Strategy

PIECE_BYTES = 600_000
"""A message holds 1 MB, and bytes grow by a third in JSON."""


class Given(msgspec.Struct, frozen=True):
    """One instrument with its raw bars; sizes as decimal strings."""

    symbol: str
    currency: str
    tick_size: str
    lot_size: str
    multiplier: str
    bars: BarColumns


def histories_of(lines: Iterable[bytes]) -> list[History]:
    """The bars as a backtest takes them."""
    return [_history(decode_as(Given, line)) for line in lines]


def _history(given: Given) -> History:
    columns = given.bars
    rows = zip(columns.sessions, columns.open, columns.high, columns.low, columns.close, columns.volume, strict=True)
    price = Price.parse
    bars = tuple(
        PastBar(session, price(opened), price(high), price(low), price(close), Quantity.parse(volume))
        for session, opened, high, low, close, volume in rows
    )
    splits = tuple(
        Split(one.action_id, one.effective, one.numerator, one.denominator) for one in columns.actions if one.kind is ActionKind.SPLIT
    )
    sizes = (Price.parse(given.tick_size), Quantity.parse(given.lot_size), Quantity.parse(given.multiplier))
    return History(columns.instrument_id, given.symbol, given.currency, *sizes, bars, splits)


def strategy_in_slot(name: str) -> type[Strategy]:
    """The strategy with this name. Raises BacktestError when the slot has none."""
    for module in names_in(strategies):
        found: type[Strategy] = load(strategies, module).STRATEGY
        if found.name == name:
            return found
    raise BacktestError(f"there is no strategy {name!r} any more")


class Packing:
    """Lines one after the other become pieces; `digest` names what all of them hold, as SHA-256 in hexadecimal."""

    def __init__(self) -> None:
        self._squeezed, self._seen, self._held = zlib.compressobj(6), hashlib.sha256(), b""

    @property
    def digest(self) -> str:
        return self._seen.hexdigest()

    def add(self, line: bytes) -> list[bytes]:
        """The pieces that are full with this line."""
        self._seen.update(line + b"\n")
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


def lines_of(pieces: Sequence[bytes]) -> list[bytes]:
    """The lines that were packed. Raises zlib.error when a piece is missing or damaged."""
    return zlib.decompress(b"".join(pieces)).splitlines()
