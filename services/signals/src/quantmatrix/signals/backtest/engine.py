"""The loop of a backtest: orders fill at the open, resting stops inside the bar, decisions are made on the close.

An instrument sleeps until something can happen: an order of it is under way, the strategy's screen may say yes, the close has
fallen to the stop of what is held, or a split changes what is held.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from operator import attrgetter, mul

from quantmatrix.common.names import Side
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.filling import Filling
from quantmatrix.signals.backtest.history import BacktestError, Calendar, History, bars_needed, broke, calendars, check
from quantmatrix.signals.backtest.lanes import Lane, Working, closes_on
from quantmatrix.signals.backtest.outcome import Outcome, Point
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.domain.decisions import Decision, Portfolio, Situation
from quantmatrix.signals.domain.memory import closed_at
from quantmatrix.signals.domain.permits import refusal
from quantmatrix.signals.ports import Remembers, ScreeningStrategy, Strategy

Progress = Callable[[int, int], None]
_NOTHING = Quantity(0)
_IN_TURN = attrgetter("number")


def refuse_other_currencies(histories: Sequence[History], cash: Money) -> None:
    """Raises BacktestError unless all instruments are in the currency of the envelope."""
    strange = sorted({one.currency for one in histories} - {cash.currency})
    if strange:
        raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {', '.join(strange)}")


def chosen_sessions(calendars: Sequence[Calendar], first: date | None, last: date | None) -> list[date]:
    """All sessions of these calendars between the two. Raises BacktestError when there are none."""
    sessions = sorted(set().union(*(one.at for one in {id(one): one for one in calendars}.values())))
    chosen = [one for one in sessions if (first is None or one >= first) and (last is None or one <= last)]
    if not chosen:
        raise BacktestError(f"there are no bars between {first} and {last}; the first is of {sessions[0]}, the last of {sessions[-1]}")
    return chosen


class Engine:
    """One strategy with one envelope of cash on any number of instruments of one currency."""

    def __init__(self, strategy: Strategy, histories: Sequence[History], cash: Money, rules: FillRules) -> None:
        check(histories, bars_needed(strategy))
        refuse_other_currencies(histories, cash)
        self._strategy = strategy
        self._memory = strategy if isinstance(strategy, Remembers) else None
        self._base, self._none = cash, Money.zero(cash.currency)
        self._rules = rules
        self._outcome = Outcome()
        self._venue = Filling(cash, rules, self._outcome, remembers=self._memory is not None)
        ordered = sorted(histories, key=lambda one: one.instrument_id)
        known = calendars(ordered)
        self._lanes = [Lane(number, one, strategy, known[number]) for number, one in enumerate(ordered)]
        self._sleeps = isinstance(strategy, ScreeningStrategy) and not strategy.catalogue.sees_portfolio
        self._weights = [0] * len(self._lanes)
        self._inexact: set[Lane] = set()
        self._reserved = self._none
        self._number = 0

    def run(self, first: date | None = None, last: date | None = None, on_progress: Progress | None = None) -> Outcome:
        """Every session from `first` to `last`; earlier bars serve as history only."""
        chosen = chosen_sessions([lane.calendar for lane in self._lanes], first, last)
        closes = zip(*(closes_on(lane.history, lane.calendar, chosen) for lane in self._lanes), strict=True)
        for lane in self._lanes:
            lane.start_before(chosen[0])
        awake = self._walk(chosen)
        for done, (session, units) in enumerate(zip(chosen, closes, strict=True), start=1):
            self._session(session, next(awake), units)
            if on_progress is not None:
                on_progress(done, len(chosen))
        self._outcome.held = {lane.history.symbol: lane.holding.quantity for lane in self._lanes if lane.holding.quantity}
        return self._outcome

    def _walk(self, chosen: Sequence[date]) -> Iterator[list[Lane]]:
        """Session by session the lanes that are awake in it, in turn; asking for the next session sends them to sleep."""
        if not self._sleeps:
            while True:
                yield self._lanes
        due: list[list[Lane]] = [[] for _ in range(len(chosen) + 1)]
        for place in range(-1, len(chosen)):
            awake = sorted(due[place], key=_IN_TURN) if place >= 0 else self._lanes
            if place >= 0:
                yield awake
                due[place] = []
            for lane in awake:
                if lane.working or (lane.holding.quantity and (self._rules.inside_bar or lane.weight is None)):
                    due[place + 1].append(lane)
                    continue
                until = lane.sleeps_until()
                if until is not None:
                    due[bisect_left(chosen, until, place + 1)].append(lane)

    def _session(self, session: date, awake: Sequence[Lane], units: Sequence[int]) -> None:
        orders = sorted([(order.number, order, lane) for lane in awake for order in lane.working])
        trading = []
        for lane in awake:
            if lane.split_before(session):
                self._weigh(lane)
            if lane.reach(session):
                trading.append(lane)
        here = set(trading)
        for _, order, lane in orders:
            if lane in here:
                self._venue.at_the_open(order, lane)
                self._weigh(lane)
            else:
                self._venue.expire(session, order, lane)
            lane.working.remove(order)
        if self._rules.inside_bar:
            for lane in trading:
                self._venue.inside(lane)
                self._weigh(lane)
        equity = self._equity(units)
        self._outcome.curve.append(Point(session, equity, self._venue.cash))
        self._reserved = self._none
        for lane in trading:
            if not self._is_quiet(lane):
                self._decide(lane, equity)

    def _weigh(self, lane: Lane) -> None:
        self._weights[lane.number] = lane.weight or 0
        if lane.weight is None:
            self._inexact.add(lane)
        elif self._inexact:
            self._inexact.discard(lane)

    def _equity(self, units: Sequence[int]) -> Money:
        """Cash and what is held at the latest closes; units: those closes in whole numbers, lane by lane."""
        worth = sum(map(mul, self._weights, units)) + sum(lane.value_units() for lane in self._inexact)
        return self._venue.cash + Money(Decimal(worth).scaleb(-FRACTION_DIGITS_MAX), self._base.currency)

    def _decide(self, lane: Lane, equity: Money) -> None:
        close = lane.close
        for decision in self._decisions(lane, equity, close):
            if decision.level is not None:
                done = lane.holding.levels_done | {decision.level}
                lane.hold(replace(lane.holding, levels_done=done))
            if decision.side is None or decision.quantity is None:
                self._outcome.warnings.append(decision)
                continue
            if self._allowed(lane, decision.side, decision.quantity, close):
                self._number += 1
                lane.working.append(Working(self._number, decision, decision.quantity, lane.session))

    def _is_quiet(self, lane: Lane) -> bool:
        try:
            return lane.is_quiet()
        except Exception as error:
            raise self._failed(lane, error) from error

    def _failed(self, lane: Lane, error: Exception) -> BacktestError:
        return broke(self._strategy.name, lane.place(), error)

    def _decisions(self, lane: Lane, equity: Money, close: Price) -> Sequence[Decision]:
        try:
            situation = Situation(
                row=lane.row(),
                close=close,
                holding=lane.holding,
                pending=bool(lane.working),
                equity=equity,
                door=lane.door(),
                portfolio=self._portfolio(lane) if self._strategy.catalogue.sees_portfolio else None,
                at=closed_at(lane.session),
                memory=lane.memory,
                filled_at=self._venue.filled_at,
            )
            decisions = self._strategy.decide(situation)
            if self._memory is not None:
                lane.memory = self._memory.remember(situation)
            return decisions
        except Exception as error:
            raise self._failed(lane, error) from error

    def _portfolio(self, lane: Lane) -> Portfolio:
        known = [one for one in self._lanes if one.index is not None]
        return Portfolio(
            symbol=lane.history.symbol,
            base=self._base,
            cash=self._venue.cash,
            values={one.history.symbol: one.value() for one in known},
            prices={one.history.symbol: one.close for one in known},
        )

    def _allowed(self, lane: Lane, side: Side, quantity: Quantity, close: Price) -> bool:
        """Whether an order may be made, by the rule of live runs; a purchase reserves its cash."""
        buys, selling = side is Side.BUY, _NOTHING
        for one in lane.working:
            if one.decision.side is Side.SELL:
                selling += one.quantity
        needed = lane.worth(close, quantity) if buys else self._none
        no = refusal(side, quantity, lane.holding.quantity, selling, needed, self._venue.cash - self._reserved)
        if no is not None:
            self._venue.refuse(lane.session, lane, *no)
            return False
        if buys:
            self._reserved += needed
        return True
