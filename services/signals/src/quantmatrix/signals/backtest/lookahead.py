"""Whether a strategy sees the future: its history is cut at every bar, and the past must not change, bit for bit.

Two things are compared at every cut with what the whole history gives: the value of each column on the last bar, and what
is decided there, flat and holding. A fresh strategy decides at each cut, so that nothing is remembered from later bars. A strategy
that spreads capital is shown a portfolio of this one symbol, one that trades options the chain of the session and a contract of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import polars as pl

from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import BacktestError, History, broke
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Leg, Options, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import closed_at
from quantmatrix.signals.domain.series import series_from
from quantmatrix.signals.ports import OptionStrategy, SellsPremium, Strategy

EQUITY = Decimal(100_000)
FINDINGS_MAX = 50
_SCREEN = "screen "
_NONE = "no value"
Make = Callable[[], Strategy]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that changed when later bars were known. where: a column's name, or `decide`."""

    strategy: str
    symbol: str
    session: date
    where: str
    known_then: str
    known_later: str

    def __str__(self) -> str:
        return (
            f"{self.strategy} looks ahead in {self.where} on {self.symbol}, {self.session}: "
            f"{self.known_then} then, {self.known_later} with later bars"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """cuts: how many histories were tried; decided: at how many of them something was decided, so that decisions were compared at all.

    Only the first findings are kept, of each column and of decisions.
    """

    strategy: str
    cuts: int
    decided: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        return not self.findings


def look_ahead(make: Make, histories: Sequence[History], cuts_max: int | None = None) -> Verdict:
    """Cut every history at every bar, or at the last `cuts_max` of them, and name what changed. Raises BacktestError as `looked_at` does."""
    findings: list[Finding] = []
    cuts = decided = 0
    for history in histories:
        if not history.bars:
            raise BacktestError(f"{history.symbol} has no bars")
        last = len(history.bars)
        first = max(1, last - cuts_max + 1) if cuts_max is not None else 1
        looked = looked_at(make, history, first, last)
        findings += looked.findings
        cuts += last - first + 1
        decided += looked.decided
    return Verdict(make().name, cuts, decided, tuple(findings[:FINDINGS_MAX]))


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen at some cuts of one history. decided: at how many of them something was; the first finding of each column and of decisions."""

    decided: int
    findings: tuple[Finding, ...]


def looked_at(
    make: Make, history: History, first: int, last: int, *, equity: Decimal = EQUITY, moved: Callable[[], None] = lambda: None
) -> Looked:
    """Cut one history at its bars from number `first` to number `last`, counted from one; moved is called at each bar.

    Raises BacktestError with symbol, bar and session when the strategy raises something or does not come back.
    """
    whole = make()
    view = _View(history, equity, history.factors(), moved)
    with _place(whole, history, len(history.bars)):
        later = _rows(whole, history.frame)
    # One strategy object walks the whole history first, as a backtest does; then fresh ones see only what was known.
    decided = [view.decisions(whole, index, row) for index, row in enumerate(later)]
    findings: dict[str, Finding] = {}
    for index in range(first - 1, last):
        fresh = make()
        with _place(fresh, history, index + 1):
            known = _rows(fresh, _cut(history, index))[-1]
        for name, value in known.items():
            column = name.removeprefix(_SCREEN)
            if column not in findings and not _same(value, later[index].get(name)):
                findings[column] = _finding(whole, history, index, f"the column {column}", value, later[index].get(name))
        then = view.decisions(fresh, index, known)
        if "decide" not in findings and then != decided[index]:
            findings["decide"] = _finding(whole, history, index, "decide", _told(then), _told(decided[index]))
    return Looked(sum(any(each) for each in decided[first - 1 : last]), tuple(findings.values()))


def _finding(strategy: Strategy, history: History, index: int, where: str, then: object, later: object) -> Finding:
    return Finding(
        strategy.name, history.symbol, history.bars[index].session, where, *(_NONE if one is None else str(one) for one in (then, later))
    )


@contextmanager
def _place(strategy: Strategy, history: History, number: int) -> Iterator[None]:
    """Whatever a strategy raises inside is told with the bar, counted from one."""
    try:
        yield
    except BacktestError:
        raise
    except Exception as error:  # a strategy runs any code of its own
        place = f"{history.symbol}, bar {number} of {len(history.bars)} ({history.bars[number - 1].session})"
        raise broke(strategy.name, place, error) from error


def _rows(strategy: Strategy, frame: pl.DataFrame) -> Sequence[Mapping[str, float | None]]:
    columns = {f"{_SCREEN}{name}": expression for name, expression in strategy.screen_columns().items()}
    return frame.select(**strategy.columns(), **columns).rows(named=True)


def _cut(history: History, index: int) -> pl.DataFrame:
    bars = history.raw[: index + 1]
    return series_from(bars, [split for split in history.splits if split.effective <= bars[-1].session]).frame


@dataclass(frozen=True, slots=True)
class _View:
    """How a strategy is shown the bars of one history."""

    history: History
    equity: Decimal
    factors: Sequence[float]
    moved: Callable[[], None]

    def decisions(self, strategy: Strategy, index: int, row: Mapping[str, float | None]) -> tuple[tuple[Decision, ...], ...]:
        """What is decided on one bar: flat, freshly bought, and sold down; and with a contract of the chain, where it is shown."""
        self.moved()
        with _place(strategy, self.history, index + 1):
            return tuple(self._decided(strategy, index, row))

    def _decided(self, strategy: Strategy, index: int, row: Mapping[str, float | None]) -> Iterator[tuple[Decision, ...]]:
        history, bar = self.history, self.history.bars[index]
        screen = {name.removeprefix(_SCREEN): value for name, value in row.items() if name.startswith(_SCREEN)}
        door = Door(history.tick_size, history.lot_size, history.multiplier, self.factors[index])
        equity = Money(self.equity, history.currency)
        for holding in _holdings(float(bar.close.value) * door.factor):
            if strategy.nothing_can_happen(screen, holding):
                yield ()
                continue
            shown = Situation(row, bar.close, holding, pending=False, equity=equity, door=door, at=closed_at(bar.session))
            if strategy.catalogue.sees_portfolio:
                shown = replace(shown, portfolio=_portfolio(history, equity, bar.close, holding))
            yield tuple(strategy.decide(shown))
            if isinstance(strategy, OptionStrategy) and holding is FLAT:
                sells = isinstance(strategy, SellsPremium) and strategy.sells
                for situation in _with_options(shown, history, bar.session, sells=sells):
                    yield tuple(strategy.decide(situation))


def _portfolio(history: History, base: Money, close: Price, holding: Holding) -> Portfolio:
    worth = notional(close, holding.quantity, history.multiplier, history.currency)
    return Portfolio(history.symbol, base, base - worth, {history.symbol: worth}, {history.symbol: close})


def _with_options(flat: Situation, history: History, session: date, *, sells: bool) -> Iterator[Situation]:
    """The chain of a session alone, and with two of its first contract held; where the strategy sells, with two of its first put sold,
    and with shares that an assignment brought, to sell calls on.
    """
    chain = history.chains.get(session, ())
    alone = replace(flat, options=Options(session, chain, ()))
    yield alone
    two = Quantity(-2 if sells else 2)
    for quote in [one for one in chain if not sells or one.kind == "put"][:1]:
        held = Holding(two, two, None, frozenset(), notional(quote.mid, two, CONTRACT_SIZE, history.currency))
        leg = Leg(quote.instrument_id, quote.contract, CONTRACT_SIZE, held, False, quote)
        yield replace(flat, options=Options(session, chain, (leg,)))
    if sells:
        yield replace(alone, holding=Holding(CONTRACT_SIZE, CONTRACT_SIZE, None))


def _holdings(level: float) -> tuple[Holding, ...]:
    return (FLAT, Holding(Quantity(40), Quantity(40), level * 0.9), Holding(Quantity(10), Quantity(40), level * 1.1, frozenset({7, 8})))


def _same(one: float | None, other: float | None) -> bool:
    """Equal to the last bit; a NaN equals a NaN."""
    return one == other or (one is not None and other is not None and one != one and other != other)


def _told(decided: tuple[tuple[Decision, ...], ...]) -> str:
    return "; ".join(", ".join(f"{one.kind} {one.quantity or ''}".strip() for one in each) or "nothing" for each in decided)
