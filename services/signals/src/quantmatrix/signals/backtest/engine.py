"""The loop of a backtest: orders fill at the open, resting stops inside the bar, decisions are made on the close."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.history import BacktestError, History, check
from quantmatrix.signals.backtest.lanes import Lane, Working
from quantmatrix.signals.backtest.rules import FillRules, touched
from quantmatrix.signals.domain.book import RunFill, cash_after, holding_after, realised_by
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Portfolio, Situation
from quantmatrix.signals.domain.memory import after_fill, closed_at
from quantmatrix.signals.domain.permits import refusal
from quantmatrix.signals.ports import Remembers, Strategy

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. decided_on is the session of the decision; reasons are those of the decision."""

    number: int
    session: date
    decided_on: date
    symbol: str
    side: Side
    kind: SignalKind
    quantity: Quantity
    price: Price
    fee: Money
    held_after: Quantity
    reasons: tuple[str, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that was not filled, or not whole, and why."""

    session: date
    symbol: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Point:
    """The run after a session's close."""

    session: date
    equity: Money
    cash: Money


@dataclass(slots=True)
class Outcome:
    """What happened, in order. both_reached counts bars that reached stop and target; held is what is left at the end."""

    fills: list[Fill] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)
    warnings: list[Decision] = field(default_factory=list)
    both_reached: int = 0
    held: dict[str, Quantity] = field(default_factory=dict)


class Engine:
    """One strategy with one envelope of cash on any number of instruments of one currency."""

    def __init__(self, strategy: Strategy, histories: Sequence[History], cash: Money, rules: FillRules) -> None:
        check(histories, strategy.catalogue.bars_min)
        strange = sorted({one.currency for one in histories} - {cash.currency})
        if strange:
            raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {', '.join(strange)}")
        self._strategy = strategy
        self._memory = strategy if isinstance(strategy, Remembers) else None
        self._base = self._cash = cash
        self._rules = rules
        ordered = sorted(histories, key=lambda one: one.instrument_id)
        self._lanes = [Lane(number, one, strategy) for number, one in enumerate(ordered)]
        self._entries = _by_session(self._lanes) if not strategy.catalogue.sees_portfolio else None
        self._active: list[Lane] = []
        self._reserved = Money.zero(cash.currency)
        self._number = 0
        self._outcome = Outcome()

    def run(self, first: date | None = None, last: date | None = None, on_progress: Progress | None = None) -> Outcome:
        """Every session from `first` to `last`; earlier bars serve as history only."""
        sessions = sorted(set().union(*(lane.history.sessions for lane in self._lanes)))
        chosen = [one for one in sessions if (first is None or one >= first) and (last is None or one <= last)]
        if not chosen:
            raise BacktestError(f"there are no bars between {first} and {last}; the first is of {sessions[0]}, the last of {sessions[-1]}")
        for lane in self._lanes:
            lane.start_before(chosen[0])
        for done, session in enumerate(chosen, start=1):
            self._session(session)
            if on_progress is not None:
                on_progress(done, len(chosen))
        self._outcome.held = {lane.history.symbol: lane.holding.quantity for lane in self._lanes if lane.holding.quantity}
        return self._outcome

    def _session(self, session: date) -> None:
        trading = []
        touched = self._touched(session)
        for lane in touched:
            lane.split_before(session)
            if lane.reach(session):
                trading.append(lane)
        here = set(trading)
        for order, lane in self._orders():
            if lane in here:
                self._at_the_open(order, lane)
            else:
                self._refuse(session, lane, "EXPIRED", f"no bar of {session} to fill {order.decision.kind} of {order.quantity} on")
            lane.working.remove(order)
        if self._rules.inside_bar:
            for lane in trading:
                self._inside(lane)
        equity = self._equity()
        self._outcome.curve.append(Point(session, equity, self._cash))
        self._reserved = Money.zero(equity.currency)
        for lane in trading:
            if not self._is_quiet(lane):
                self._decide(lane, equity)
        self._active = [lane for lane in touched if lane.holding.quantity or lane.working]

    def _touched(self, session: date) -> list[Lane]:
        """The lanes on which something can happen in a session: those that hold or have ordered something, and those that may enter."""
        if self._entries is None:
            return self._lanes
        found = {lane.number: lane for lane in (*self._active, *self._entries.get(session, ()))}
        return [found[number] for number in sorted(found)]

    def _orders(self) -> list[tuple[Working, Lane]]:
        found = [(order, lane) for lane in self._active for order in lane.working]
        return sorted(found, key=lambda one: one[0].number)

    def _equity(self) -> Money:
        units = sum(lane.value_units() for lane in self._active if lane.holding.quantity)
        return self._cash + Money(Decimal(units).scaleb(-FRACTION_DIGITS_MAX), self._cash.currency)

    def _at_the_open(self, order: Working, lane: Lane) -> None:
        side, quantity = order.decision.side, order.quantity
        if side is None:
            return
        if self._rules.volume_pct is not None:
            quantity = self._within_volume(lane, quantity)
        price = self._rules.slippage.worse(side, lane.open, lane.history.tick_size)
        if side is Side.BUY:
            quantity = self._affordable(lane, quantity, price)
        if quantity:
            self._fill(lane, order.decision, order.decided_on, quantity, price)

    def _within_volume(self, lane: Lane, quantity: Quantity) -> Quantity:
        bar = lane.bar
        most = self._rules.most(bar, lane.history.lot_size)
        if most is None or most >= quantity:
            return quantity
        self._refuse(bar.session, lane, "VOLUME", f"{quantity} wanted, {most} is what volume {bar.volume} allows; the rest expired")
        return most

    def _affordable(self, lane: Lane, quantity: Quantity, price: Price) -> Quantity:
        """As many whole lots as the free cash pays, commission included."""
        wanted = quantity
        while quantity:
            value = lane.worth(price, quantity)
            fee = self._rules.commission.of(quantity, value)
            if value + fee <= self._cash:
                break
            fits = min(lane.door().lots(self._cash - fee, price), quantity - lane.history.lot_size)
            quantity = max(fits, Quantity(0))
        if quantity < wanted:
            self._refuse(lane.session, lane, "CASH", f"{wanted} wanted at {price}, {self._cash} pays for {quantity}")
        return quantity

    def _fill(self, lane: Lane, decision: Decision, decided_on: date, quantity: Quantity, price: Price) -> None:
        if decision.side is None:
            return
        fee = self._rules.commission.of(quantity, lane.worth(price, quantity))
        own = RunFill(decision.side, quantity, price, fee, lane.history.multiplier)
        self._cash = cash_after(self._cash, own)
        before = lane.holding
        lane.hold(holding_after(before, own, decision.stop_level))
        if self._memory is not None:
            gained = realised_by(before, lane.holding, own) if decision.side is Side.SELL else None
            lane.memory = after_fill(lane.memory, lane.session, price, gained, flat=lane.holding == FLAT)
        if decision.side is Side.BUY:
            lane.stop_level = decision.stop_level
            lane.target_level = float(decision.targets[0].value) * lane.factor if decision.targets else None
        self._outcome.fills.append(
            Fill(
                number=len(self._outcome.fills) + 1,
                session=lane.session,
                decided_on=decided_on,
                symbol=lane.history.symbol,
                side=decision.side,
                kind=decision.kind,
                quantity=quantity,
                price=price,
                fee=fee,
                held_after=lane.holding.quantity,
                reasons=tuple(f"{because.code}: {because.text}" for because in decision.reasons if because.met),
                strength=decision.strength,
            )
        )

    def _inside(self, lane: Lane) -> None:
        """Resting stop and first target of what is held, on this bar."""
        held = lane.holding.quantity
        if not held:
            return
        door = lane.door()
        stop = door.price(lane.stop_level) if lane.stop_level is not None else None
        target = door.price(lane.target_level) if lane.target_level is not None else None
        reached = touched(lane.bar, stop, target)
        if reached is None:
            return
        self._outcome.both_reached += reached.both
        kind = SignalKind.STOP_LOSS if reached.stopped else SignalKind.TAKE_PROFIT
        price = self._rules.slippage.worse(Side.SELL, reached.price, lane.history.tick_size) if reached.stopped else reached.price
        self._fill(lane, _resting(kind, held, stop if reached.stopped else target), lane.bar.session, held, price)
        lane.working.clear()

    def _decide(self, lane: Lane, equity: Money) -> None:
        for decision in self._decisions(lane, equity):
            if decision.level is not None:
                done = lane.holding.levels_done | {decision.level}
                lane.hold(replace(lane.holding, levels_done=done))
            if decision.side is None or decision.quantity is None:
                self._outcome.warnings.append(decision)
                continue
            if self._allowed(lane, decision.side, decision.quantity):
                self._number += 1
                lane.working.append(Working(self._number, decision, decision.quantity, lane.session))

    def _is_quiet(self, lane: Lane) -> bool:
        try:
            return lane.is_quiet()
        except Exception as error:
            raise self._failed(lane, error) from error

    def _failed(self, lane: Lane, error: Exception) -> BacktestError:
        return BacktestError(f"{self._strategy.name} raised {type(error).__name__} on {lane.place()}: {error}")

    def _decisions(self, lane: Lane, equity: Money) -> Sequence[Decision]:
        try:
            situation = Situation(
                row=lane.row(),
                close=lane.close,
                holding=lane.holding,
                pending=bool(lane.working),
                equity=equity,
                door=lane.door(),
                portfolio=self._portfolio(lane) if self._strategy.catalogue.sees_portfolio else None,
                at=closed_at(lane.session),
                memory=lane.memory,
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
            cash=self._cash,
            values={one.history.symbol: one.value() for one in known},
            prices={one.history.symbol: one.close for one in known},
        )

    def _allowed(self, lane: Lane, side: Side, quantity: Quantity) -> bool:
        """Whether an order may be made, by the rule of live runs; a purchase reserves its cash."""
        selling = Quantity(sum((one.quantity.value for one in lane.working if one.decision.side is Side.SELL), Decimal(0)))
        needed = lane.worth(lane.close, quantity)
        no = refusal(side, quantity, lane.holding.quantity, selling, needed, self._cash - self._reserved)
        if no is not None:
            self._refuse(lane.session, lane, *no)
            return False
        if side is Side.BUY:
            self._reserved += needed
        return True

    def _refuse(self, session: date, lane: Lane, code: str, detail: str) -> None:
        self._outcome.refusals.append(Refusal(session, lane.history.symbol, code, detail))


def _by_session(lanes: Sequence[Lane]) -> dict[date, list[Lane]] | None:
    """Which lanes may enter in which session; None when a lane cannot tell."""
    found: dict[date, list[Lane]] = {}
    for lane in lanes:
        sessions = lane.entries()
        if sessions is None:
            return None
        for session in sessions:
            found.setdefault(session, []).append(lane)
    return found


def _resting(kind: SignalKind, quantity: Quantity, level: Price | None) -> Decision:
    """The sale that a resting order makes."""
    because = Because("RESTING", True, f"the bar reached {level}")
    return Decision(kind, 1.0, 1.0, timedelta(days=1), (because,), side=Side.SELL, quantity=quantity)
