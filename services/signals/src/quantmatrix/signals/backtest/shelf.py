"""What runs on the same bars have in common, computed once: columns of strategies, and the digest of the bars."""

import threading
from collections.abc import Mapping
from functools import cached_property
from weakref import ref

import polars as pl

from quantmatrix.signals.backtest.history import History, check, computed, digest_of
from quantmatrix.signals.ports import Strategy

BYTES_MAX = 128 * 2**20
_NAME = "shelf"


def shelf_of(history: History) -> "Shelf":
    """The shelf of these bars, kept with them as long as they are."""
    shelf: Shelf = history.__dict__.setdefault(_NAME, Shelf(history))
    return shelf


class Shelf:
    """Columns stay, those used last the longest, up to `bytes_max`. Several threads may use it."""

    def __init__(self, history: History, bytes_max: int = BYTES_MAX) -> None:
        # The bars keep their shelf; if it kept them too, both would stay until Python looks for rings.
        self._of, self._bytes_max = ref(history), bytes_max
        self._kept: dict[bytes, pl.Series] = {}
        self._bytes = 0
        self._making: dict[bytes, threading.Event] = {}
        self._passed = False
        self._lock = threading.Lock()

    @property
    def _history(self) -> History:
        history = self._of()
        if history is None:
            raise ReferenceError("the bars of this shelf are gone")
        return history

    def __reduce__(self) -> "tuple[type[Shelf], tuple[History, int]]":
        return Shelf, (self._history, self._bytes_max)

    def check(self, bars_min: int) -> None:
        """The same as `check`; bars that passed once are not looked through again unless they are too few. Raises BacktestError."""
        if not self._passed or len(self._history.bars) < bars_min:
            check([self._history], bars_min)
            self._passed = True

    @cached_property
    def data_digest(self) -> str:
        return digest_of([self._history])

    def columns(self, strategy: Strategy, wanted: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """The same as `computed`, to the last bit. Raises BacktestError as it does."""
        keys = {name: _key(one) for name, one in wanted.items()}
        # What another thread is making comes last; it may be there by then.
        later = sorted(wanted, key=lambda name: keys[name] in self._making)
        found = {name: self._column(strategy, name, wanted[name], keys[name]) for name in later}
        return pl.DataFrame([found[name].alias(name) for name in wanted])

    def _column(self, strategy: Strategy, name: str, wanted: pl.Expr, key: bytes | None) -> pl.Series:
        if key is None:
            return computed(strategy, self._history, {name: wanted})[name]
        known = self._known_or_mine(key)
        if known is not None:
            return known
        try:
            made = computed(strategy, self._history, {name: wanted})[name]
            with self._lock:
                self._keep(key, made)
        finally:
            self._making.pop(key).set()
        return made

    def _known_or_mine(self, key: bytes) -> pl.Series | None:
        """The column, once whoever is making it has done so; None where the caller has to make it."""
        while True:
            with self._lock:
                known = self._kept.pop(key, None)
                if known is not None:
                    self._kept[key] = known
                    return known
                making = self._making.get(key)
                if making is None:
                    self._making[key] = threading.Event()
                    return None
            making.wait()

    def _keep(self, key: bytes, made: pl.Series) -> None:
        self._kept[key] = made
        self._bytes += int(made.estimated_size())
        while self._bytes > self._bytes_max and len(self._kept) > 1:
            self._bytes -= int(self._kept.pop(next(iter(self._kept))).estimated_size())


def _key(wanted: pl.Expr) -> bytes | None:
    """What tells a column from others; None for one that runs Python code of the strategy."""
    try:
        return wanted.meta.serialize(format="binary")
    except pl.exceptions.PolarsError:
        return None
