"""Orders become fills on the bar that a lane stands on: at its open, or where a resting stop or target is reached inside it."""

from datetime import date, datetime, timedelta

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.lanes import Lane, Working
from quantmatrix.signals.backtest.outcome import Fill, Outcome, Refusal
from quantmatrix.signals.backtest.rules import FillRules, affordable, touched
from quantmatrix.signals.domain.book import RunFill, holding_after, realised_by
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision
from quantmatrix.signals.domain.memory import after_fill


class Filling:
    """The venue of a backtest and the cash of its run. remembers: whether lanes keep what their fills gained.

    filled_at: the latest fill of any lane, where they remember.
    """

    def __init__(self, cash: Money, rules: FillRules, outcome: Outcome, *, remembers: bool) -> None:
        self.cash = cash
        self._rules = rules
        self._outcome = outcome
        self.fills: list[Fill] = []
        outcome.fills = self.fills
        self._remembers = remembers
        self.filled_at: datetime | None = None

    def at_the_open(self, order: Working, lane: Lane) -> None:
        """Fill an order at the open, as far as the bar's volume and the cash allow."""
        side, quantity = order.decision.side, order.quantity
        if side is None:
            return
        if self._rules.volume_pct is not None:
            quantity = self._within_volume(lane, quantity)
        price = self._rules.slippage.worse(side, lane.open, lane.history.tick_size)
        if side is Side.BUY:
            quantity = self._affordable(lane, quantity, price)
        if quantity:
            fee = self._rules.commission.of(quantity, lane.worth(price, quantity))
            self.fill(lane, order.decision, order.decided_on, RunFill(side, quantity, price, fee, lane.history.multiplier))

    def expire(self, session: date, order: Working, lane: Lane) -> None:
        """There is no bar to fill an order on."""
        self.refuse(session, lane, "EXPIRED", f"no bar of {session} to fill {order.decision.kind} of {order.quantity} on")

    def inside(self, lane: Lane) -> None:
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
        fee = self._rules.commission.of(held, lane.worth(price, held))
        own = RunFill(Side.SELL, held, price, fee, lane.history.multiplier)
        self.fill(lane, _resting(kind, held, stop if reached.stopped else target), lane.session, own)
        lane.working.clear()

    def refuse(self, session: date, lane: Lane, code: str, detail: str) -> None:
        """Put on record that an order was not filled, or not whole."""
        self._outcome.refusals.append(Refusal(session, lane.history.symbol, code, detail))

    def _within_volume(self, lane: Lane, quantity: Quantity) -> Quantity:
        bar = lane.bar
        most = self._rules.most(bar, lane.history.lot_size)
        if most is None or most >= quantity:
            return quantity
        self.refuse(bar.session, lane, "VOLUME", f"{quantity} wanted, {most} is what volume {bar.volume} allows; the rest expired")
        return most

    def _affordable(self, lane: Lane, wanted: Quantity, price: Price) -> Quantity:
        """As many whole lots as the free cash pays, commission included."""
        quantity = affordable(self._rules.commission, self.cash, price, wanted, lane.door())
        if quantity < wanted:
            self.refuse(lane.session, lane, "CASH", f"{wanted} wanted at {price}, {self.cash} pays for {quantity}")
        return quantity

    def fill(self, lane: Lane, decision: Decision, decided_on: date, own: RunFill) -> None:
        """Book a fill of a lane: cash, what is held, and the list of fills."""
        self.cash += own.paid
        before = lane.holding
        lane.hold(holding_after(before, own, decision.stop_level))
        if self._remembers:
            gained = realised_by(before, lane.holding, own) if own.side is Side.SELL else None
            lane.memory = after_fill(lane.memory, lane.session, own.price, gained, flat=lane.holding == FLAT)
            self.filled_at = lane.memory.track.last_fill_at
        if own.side is Side.BUY:
            lane.stop_level = decision.stop_level
            lane.target_level = float(decision.targets[0].value) * lane.factor if decision.targets else None
        number, held = len(self.fills) + 1, lane.holding.quantity
        self.fills.append(Fill.of(number, lane.session, lane.history.symbol, decision, decided_on, own, held))


def _resting(kind: SignalKind, quantity: Quantity, level: Price | None) -> Decision:
    """The sale that a resting order makes."""
    because = Because("RESTING", True, f"the bar reached {level}")
    return Decision(kind, 1.0, 1.0, timedelta(days=1), (because,), side=Side.SELL, quantity=quantity)
