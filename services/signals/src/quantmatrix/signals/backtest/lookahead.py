"""Whether a strategy sees the future: its history is cut at every bar, and the past must not change, bit for bit.

Two things are compared at every cut with what the whole history gives: the value of each column on the last bar, and what
is decided there, flat and holding. A fresh strategy decides at each cut, so that nothing is remembered from later bars. A strategy
that spreads capital is shown a portfolio of this one symbol, one that trades options the chain of the session and a contract of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Leg, Options, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import closed_at
from quantmatrix.signals.domain.series import series_from
from quantmatrix.signals.ports import OptionStrategy, Strategy

EQUITY = 100_000
FINDINGS_MAX = 50
_SCREEN = "screen "
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
    """Cut every history at every bar, or at the last `cuts_max` of them, and name what changed."""
    findings: list[Finding] = []
    cuts = decided = 0
    for history in histories:
        if not history.bars:
            raise BacktestError(f"{history.symbol} has no bars")
        found, tried, with_decisions = _of_one(make, history, cuts_max)
        findings += found
        cuts += tried
        decided += with_decisions
    return Verdict(make().name, cuts, decided, tuple(findings[:FINDINGS_MAX]))


def _of_one(make: Make, history: History, cuts_max: int | None) -> tuple[list[Finding], int, int]:
    whole = make()
    later = _rows(whole, history.frame)
    # One strategy object walks the whole history first, as a backtest does; then fresh ones see only what was known.
    factors = history.factors()
    decided = [_decisions(whole, history, index, row, factors[index]) for index, row in enumerate(later)]
    first = max(0, len(history.bars) - cuts_max) if cuts_max is not None else 0
    findings: dict[str, Finding] = {}
    for index in range(first, len(history.bars)):
        fresh = make()
        known = _rows(fresh, _cut(history, index))[-1]
        for name, value in known.items():
            column = name.removeprefix(_SCREEN)
            if column not in findings and not _same(value, later[index].get(name)):
                findings[column] = _finding(whole, history, index, f"the column {column}", value, later[index].get(name))
        then = _decisions(fresh, history, index, known, factors[index])
        if "decide" not in findings and then != decided[index]:
            findings["decide"] = _finding(whole, history, index, "decide", _told(then), _told(decided[index]))
    return list(findings.values()), len(history.bars) - first, sum(any(each) for each in decided[first:])


def _finding(strategy: Strategy, history: History, index: int, where: str, then: object, later: object) -> Finding:
    return Finding(strategy.name, history.symbol, history.bars[index].session, where, str(then), str(later))


def _rows(strategy: Strategy, frame: pl.DataFrame) -> Sequence[Mapping[str, float | None]]:
    columns = {f"{_SCREEN}{name}": expression for name, expression in strategy.screen_columns().items()}
    return frame.select(**strategy.columns(), **columns).rows(named=True)


def _cut(history: History, index: int) -> pl.DataFrame:
    bars = history.raw[: index + 1]
    return series_from(bars, [split for split in history.splits if split.effective <= bars[-1].session]).frame


def _decisions(
    strategy: Strategy, history: History, index: int, row: Mapping[str, float | None], factor: float
) -> tuple[tuple[Decision, ...], ...]:
    """What is decided on one bar: flat, freshly bought, and sold down; and with a contract of the chain, where it is shown."""
    bar = history.bars[index]
    screen = {name.removeprefix(_SCREEN): value for name, value in row.items() if name.startswith(_SCREEN)}
    door = Door(history.tick_size, history.lot_size, history.multiplier, factor)
    found: list[tuple[Decision, ...]] = []
    for holding in _holdings(float(bar.close.value) * door.factor):
        if strategy.nothing_can_happen(screen, holding):
            found.append(())
            continue
        equity = Money(EQUITY, history.currency)
        shown = Situation(row, bar.close, holding, pending=False, equity=equity, door=door, at=closed_at(bar.session))
        if strategy.catalogue.sees_portfolio:
            shown = replace(shown, portfolio=_portfolio(history, bar.close, holding))
        found.append(tuple(strategy.decide(shown)))
        if isinstance(strategy, OptionStrategy) and holding is FLAT:
            found += [tuple(strategy.decide(replace(shown, options=options))) for options in _options(history, bar.session)]
    return tuple(found)


def _portfolio(history: History, close: Price, holding: Holding) -> Portfolio:
    base = Money(EQUITY, history.currency)
    worth = notional(close, holding.quantity, history.multiplier, history.currency)
    return Portfolio(history.symbol, base, base - worth, {history.symbol: worth}, {history.symbol: close})


def _options(history: History, session: date) -> Iterator[Options]:
    """The chain of a session alone, and with its first contract held."""
    chain = history.chains.get(session, ())
    yield Options(session, chain, ())
    for quote in chain[:1]:
        held = Holding(Quantity(2), Quantity(2), None, frozenset(), notional(quote.mid, Quantity(200), Quantity(1), history.currency))
        yield Options(session, chain, (Leg(quote.instrument_id, quote.contract, Quantity(100), held, False, quote),))


def _holdings(level: float) -> tuple[Holding, ...]:
    return (FLAT, Holding(Quantity(40), Quantity(40), level * 0.9), Holding(Quantity(10), Quantity(40), level * 1.1, frozenset({7, 8})))


def _same(one: float | None, other: float | None) -> bool:
    """Equal to the last bit; a NaN equals a NaN."""
    return one == other or (one is not None and other is not None and one != one and other != other)


def _told(decided: tuple[tuple[Decision, ...], ...]) -> str:
    return "; ".join(", ".join(f"{one.kind} {one.quantity or ''}".strip() for one in each) or "nothing" for each in decided)
