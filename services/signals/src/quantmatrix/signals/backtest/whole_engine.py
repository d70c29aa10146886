"""The loop of a backtest in whole numbers: many instruments, one envelope, a strategy that plans before it makes words.

The same sessions, orders, fills and refusals as those of `engine`; a test holds the two together. Objects are made of what is read.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import repeat
from operator import attrgetter, itemgetter, mul

from quantmatrix.common.names import Side
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.column_run import NotInColumnsError
from quantmatrix.signals.backtest.engine import Progress, chosen_sessions, refuse_other_currencies
from quantmatrix.signals.backtest.history import History, bars_needed, broke, calendars, check
from quantmatrix.signals.backtest.lanes import Row, Screening, closes_on
from quantmatrix.signals.backtest.outcome import Outcome, Point, Refusal
from quantmatrix.signals.backtest.rules import FillRules, WholeCommission
from quantmatrix.signals.backtest.whole_book import affordable, goes_in_whole_numbers
from quantmatrix.signals.backtest.whole_fills import WholeFill, WholeFills
from quantmatrix.signals.backtest.whole_lanes import Order, Way, WholeLane, ways
from quantmatrix.signals.domain.decisions import Decision
from quantmatrix.signals.domain.permits import refusal
from quantmatrix.signals.domain.planning import PICO, Plan, exact, pico
from quantmatrix.signals.ports import PlanningStrategy, Remembers, Strategy

THREADS = 2
_IN_TURN = attrgetter("number")


def plans_in_whole_numbers(strategy: Strategy, histories: Sequence[History], rules: FillRules) -> bool:
    """Whether this loop makes exactly what the general engine makes."""
    return (
        isinstance(strategy, PlanningStrategy)
        and not isinstance(strategy, Remembers)
        and not strategy.catalogue.sees_portfolio
        and all(goes_in_whole_numbers(history, rules) for history in histories)
    )


class WholeEngine:
    """Money is in 10^-12, quantities are in units. Ask `plans_in_whole_numbers` first."""

    def __init__(self, strategy: PlanningStrategy, histories: Sequence[History], cash: Money, rules: FillRules) -> None:
        check(histories, bars_needed(strategy))
        refuse_other_currencies(histories, cash)
        ordered = sorted(histories, key=lambda one: one.instrument_id)
        self._strategy, self._currency = strategy, cash.currency
        asked = Screening.of(strategy)
        # Polars computes one instrument while Python prepares another.
        with ThreadPoolExecutor(THREADS) as threads:
            self._lanes = list(threads.map(WholeLane, range(len(ordered)), ordered, repeat(asked), calendars(ordered)))
        self._fees = WholeCommission(rules.commission)
        self._cash, self._reserved, self._number = pico(cash.amount), 0, 0
        self._weights = [0] * len(self._lanes)
        self._fills: list[WholeFill] = []
        self._refusals: list[Refusal] = []
        self._warnings: list[Decision] = []

    def run(self, first: date | None = None, last: date | None = None, on_progress: Progress | None = None) -> Outcome:
        """Every session from `first` to `last`; earlier bars serve as history only.

        Raises NotInColumnsError when the strategy wants a part of a unit: then the general engine has to run it.
        """
        own = [lane.calendar for lane in self._lanes]
        chosen = chosen_sessions(own, first, last)
        paths = ways(own, chosen)
        for lane, way in zip(self._lanes, paths, strict=True):
            lane.bar = way.first - 1
        closes = zip(*(closes_on(lane.history, lane.calendar, chosen) for lane in self._lanes), strict=True)
        due: list[list[WholeLane]] = [[] for _ in range(len(chosen) + 1)]
        self._send_to_sleep(-1, self._lanes, due, paths)
        curve = []
        for place, (session, units) in enumerate(zip(chosen, closes, strict=True)):
            awake, due[place] = sorted(due[place], key=_IN_TURN), []
            equity = self._session(session, [(lane, paths[lane.number].bars[place]) for lane in awake], units)
            curve.append(Point(session, self._money(equity), self._money(self._cash)))
            self._send_to_sleep(place, awake, due, paths)
            if on_progress is not None:
                on_progress(place + 1, len(chosen))
        held = {lane.history.symbol: Quantity(lane.held) for lane in self._lanes if lane.held}
        return Outcome(WholeFills(self._strategy, self._lanes, self._fills), self._refusals, curve, self._warnings, held=held)

    def _send_to_sleep(self, place: int, awake: Sequence[WholeLane], due: list[list[WholeLane]], paths: Sequence[Way]) -> None:
        for lane in awake:
            if lane.orders:
                due[place + 1].append(lane)
                continue
            bar = lane.next_look()
            way = paths[lane.number]
            if bar is not None and bar - way.first < len(way.places):
                due[way.places[bar - way.first]].append(lane)

    def _session(self, session: date, awake: Sequence[tuple[WholeLane, int]], units: Sequence[int]) -> int:
        """Fill, then decide; the equity at the closes, which `units` tells lane by lane."""
        orders = [(order.number, order, lane, bar) for lane, bar in awake for order in lane.orders]
        for _, order, own, bar in sorted(orders, key=itemgetter(0)):
            own.orders.remove(order)
            if bar < 0:
                what = f"no bar of {session} to fill {order.plan.kind} of {order.units} on"
                self._refusals.append(Refusal(session, own.history.symbol, "EXPIRED", what))
            else:
                own.bar = bar
                self._fill(own, order)
        equity: int = self._cash + sum(map(mul, self._weights, units))
        self._reserved = 0
        for lane, bar in awake:
            if bar >= 0:
                lane.bar = bar
                self._look(lane, equity)
        return equity

    def _fill(self, lane: WholeLane, order: Order) -> None:
        """At the open, a purchase as far as the cash pays for it."""
        opened, quantity, plan = lane.opens[lane.bar], order.units, order.plan
        buys = plan.side is Side.BUY
        if buys:
            quantity, value, fee = affordable(self._fees, self._cash, opened * lane.unit, quantity, lane.lot)
            if quantity < order.units:
                price = Price(exact(opened, lane.history.digits))
                what = f"{order.units} wanted at {price}, {self._money(self._cash)} pays for {quantity}"
                self._refusals.append(Refusal(lane.session, lane.history.symbol, "CASH", what))
        else:
            value = opened * lane.unit * quantity
            fee = self._fees.of(quantity, value)
        if not quantity:
            return
        self._cash += -value - fee if buys else value - fee
        lane.hold_after(plan, quantity if buys else -quantity)
        self._weights[lane.number] = lane.held * lane.unit
        self._fills.append(WholeFill(lane.number, lane.bar, order.bar, order.row, plan, quantity, opened, fee, lane.held))

    def _look(self, lane: WholeLane, equity: int) -> None:
        try:
            if lane.is_quiet():
                return
            row = lane.row(lane.bar)
            plans = self._strategy.plans(row, lane.standing(equity), lane.door)
            self._warnings += [self._strategy.told(row, plan, lane.exact_door) for plan in plans if plan.side is None]
        except Exception as error:
            raise broke(self._strategy.name, lane.place(), error) from error
        for plan in plans:
            if plan.level is not None:
                lane.levels_done |= {plan.level}
            if plan.side is not None:
                self._order(lane, row, plan, plan.side)

    def _order(self, lane: WholeLane, row: Row, plan: Plan, side: Side) -> None:
        """Put an order on its way to the next open if it may be, by the rule of live runs; a purchase reserves its cash."""
        units, rest = divmod(plan.quantity, PICO)
        if rest:
            raise NotInColumnsError(f"{self._strategy.name} wants a part of a unit of {lane.history.symbol}")
        needed = lane.closes[lane.bar] * lane.unit * units if side is Side.BUY else 0
        selling = sum([one.units for one in lane.orders if one.plan.side is Side.SELL])
        free = self._cash - self._reserved
        if needed > free if side is Side.BUY else selling + units > lane.held:
            told = (Quantity(units), Quantity(lane.held), Quantity(selling), self._money(needed), self._money(free))
            code, detail = refusal(side, *told) or ("", "")
            self._refusals.append(Refusal(lane.session, lane.history.symbol, code, detail))
            return
        self._reserved += needed
        self._number += 1
        lane.orders.append(Order(self._number, lane.bar, row, plan, units))

    def _money(self, units: int) -> Money:
        return Money(exact(units, FRACTION_DIGITS_MAX), self._currency)
