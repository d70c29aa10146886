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
        self._passed: set[int] = set()
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
        """The same as `check`, once. Raises BacktestError."""
        if bars_min not in self._passed:
            check([self._history], bars_min)
            self._passed.add(bars_min)

    @cached_property
    def data_digest(self) -> str:
        return digest_of([self._history])

    def columns(self, strategy: Strategy, wanted: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """The same as `computed`, to the last bit. Raises BacktestError as it does."""
        return pl.DataFrame([self._column(strategy, name, one).alias(name) for name, one in wanted.items()])

    def _column(self, strategy: Strategy, name: str, wanted: pl.Expr) -> pl.Series:
        try:
            key = wanted.meta.serialize(format="binary")
        except pl.exceptions.PolarsError:  # a column that runs Python code of the strategy cannot be told from another
            return computed(strategy, self._history, {name: wanted})[name]
        with self._lock:
            known = self._kept.pop(key, None)
            if known is not None:
                self._kept[key] = known
                return known
        made = computed(strategy, self._history, {name: wanted})[name]
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += int(made.estimated_size())
            while self._bytes > self._bytes_max and len(self._kept) > 1:
                self._bytes -= int(self._kept.pop(next(iter(self._kept))).estimated_size())
        return made
