"""The loop of a backtest for strategies that trade options: they decide on a stock's close, contracts fill on their own quotes.

A contract's bar is its quote of the session: purchases pay the ask as far as the cash goes, sales get the bid, a limit fills when that is
no worse. A sale of what is held that finds nobody is settled on the contract's last day, at what it is in the money by; what is still there at the close of
that day is exercised or assigned, or it expires. Puts that were sold bind the cash of their strikes, calls that were sold bind shares. A split of the
stock adjusts what is held and ordered. All orders are day orders, as those of a run are; what is delivered is sold at the stock's open.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from operator import itemgetter

from quantmatrix.common.names import InstrumentId, Side
from quantmatrix.common.option_ends import ends_of
from quantmatrix.common.options import (
    CONTRACT_SIZE,
    calls_covered,
    cash_bound,
    cash_bound_by,
    is_closing,
    price_met,
    shares_bound,
    terms_of,
    worth_at_the_end,
)
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.contracts import ONE, Contract, end_told
from quantmatrix.signals.backtest.engine import Progress
from quantmatrix.signals.backtest.filling import Filling
from quantmatrix.signals.backtest.history import BacktestError, History, bars_needed, broke, check
from quantmatrix.signals.backtest.lanes import Lane, Working
from quantmatrix.signals.backtest.outcome import Fill, Outcome, Point, Refusal
from quantmatrix.signals.backtest.rules import FillRules, affordable
from quantmatrix.signals.domain.book import RunFill, cash_after, end_fills, holding_after
from quantmatrix.signals.domain.decisions import Decision, Leg, Options, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import closed_at
from quantmatrix.signals.domain.permits import refusal, taken
from quantmatrix.signals.ports import OptionStrategy, Remembers

_NONE = Quantity(0)


class OptionEngine:
    """One strategy with one envelope of cash on the options of any number of stocks of one currency."""

    def __init__(self, strategy: OptionStrategy, histories: Sequence[History], cash: Money, rules: FillRules) -> None:
        check(histories, bars_needed(strategy))
        strange = sorted({one.currency for one in histories} - {cash.currency})
        if strange:
            raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {', '.join(strange)}")
        self._strategy, self._rules = strategy, rules
        self._memory = strategy if isinstance(strategy, Remembers) else None
        ordered = sorted(histories, key=lambda one: one.instrument_id)
        self._lanes = [Lane(number, one, strategy) for number, one in enumerate(ordered)]
        self._contracts: dict[InstrumentId, Contract] = {}
        self._reserved = Money.zero(cash.currency)
        self._outcome = Outcome()
        self._venue = Filling(cash, rules, self._outcome, remembers=False)
        self._fills = self._venue.fills
        self._number = 0

    @property
    def _cash(self) -> Money:
        return self._venue.cash

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
        held = [one for one in self._contracts.values() if one.holding.quantity]
        self._outcome.held = {one.quote.contract: one.holding.quantity for one in held}
        self._outcome.held |= {lane.history.symbol: lane.holding.quantity for lane in self._lanes if lane.holding.quantity}
        self._outcome.symbols = {self._outcome.contracts[one.instrument_id]: one.quote.contract for one in held}
        return self._outcome

    def _session(self, session: date) -> None:
        trading = []
        for lane in self._lanes:
            for split in lane.split_before(session):
                for _, contract in sorted(self._contracts.items()):
                    if contract.lane is lane:
                        contract.adjust(split)
            if lane.reach(session):
                trading.append(lane)
        self._quote(session)
        self._trade(session)
        for contract in sorted(self._contracts.values(), key=lambda one: (one.holding.quantity > _NONE, one.instrument_id)):
            self._end(contract, session)
        self._contracts = {own: one for own, one in self._contracts.items() if one.holding.quantity}
        equity = self._equity()
        self._outcome.curve.append(Point(session, equity, self._cash))
        self._reserved = Money.zero(equity.currency)
        for lane in trading:
            self._decide(lane, equity, session)

    def _quote(self, session: date) -> None:
        """What is quoted of the contracts at hand in a session."""
        for own, contract in self._contracts.items():
            quoted = next((one for one in contract.lane.history.chains.get(session, ()) if one.instrument_id == own), None)
            if quoted is not None:
                contract.quote, contract.quoted_on = quoted, session

    def _trade(self, session: date) -> None:
        """Orders of the day before, in the order of their instruments."""
        lanes: dict[InstrumentId, Lane | Contract] = {lane.history.instrument_id: lane for lane in self._lanes if lane.working}
        for _, one in sorted([*lanes.items(), *self._contracts.items()], key=itemgetter(0)):
            if isinstance(one, Lane):
                self._open(one, session)
            elif one.working is not None:
                self._meet(one, one.working, session)
                one.working = None

    def _open(self, lane: Lane, session: date) -> None:
        """Orders for the stock itself meet its open."""
        for order in lane.working:
            if lane.index is not None and lane.session == session:
                self._venue.at_the_open(order, lane)
            else:
                self._venue.expire(session, order, lane)
        lane.working.clear()

    def _end(self, contract: Contract, session: date) -> None:
        """What becomes of a contract whose last day is over: shares change hands at its strike, or it expires."""
        lane, terms = contract.lane, terms_of(contract.quote.contract)
        close = lane.close if lane.index is not None and lane.session == session else None
        inside = worth_at_the_end(terms, session, close, contract.deliverable)
        if inside is None:
            return
        shares = lane.holding.quantity - self._bound_shares(lane) + contract.binds
        for end in ends_of(terms, contract.holding.quantity, inside, contract.deliverable, self._cash - self._bound(), shares):
            fee = self._rules.options.of(end.contracts, _worth(end.price, end.contracts, self._cash.currency))
            closing, delivery = end_fills(end, terms.strike, contract.holding, Money.zero(fee.currency) if end.delivers else fee)
            contract.decided_on = session
            self._fill(contract, end_told(end, contract.quote.contract, shares=False), closing, session)
            if delivery is not None:
                self._venue.fill(lane, end_told(end, contract.quote.contract, shares=True), session, delivery)

    def _bound_shares(self, lane: Lane, *, selling: bool = False) -> Quantity:
        """The shares of a stock that sold calls bind. selling: with those whose sale is under way."""
        total = _NONE
        for one in self._contracts.values():
            held = one.holding.quantity - (one.selling if selling else _NONE)
            total += shares_bound(one.quote.contract, held, one.deliverable) if one.lane is lane else _NONE
        return total

    def _meet(self, contract: Contract, decision: Decision, session: date) -> None:
        """An order of the day before meets today's quote."""
        side, quantity, quote = decision.side, decision.quantity, contract.quote
        if side is None or quantity is None:
            return
        market = (quote.bid, quote.ask) if contract.quoted_on == session else None
        lane = contract.lane
        close = lane.close if lane.index is not None and lane.session == session else None
        closing = is_closing(side, contract.holding.quantity)
        met = price_met(side, market, terms_of(quote.contract), session, close, contract.deliverable, closing=closing)
        if met is not None and not self._rules.slippage.is_none and met:
            met = self._rules.slippage.worse(side, met, quote.tick_size)
        worse = met is not None and decision.limit is not None and (met > decision.limit if side is Side.BUY else met < decision.limit)
        if met is None or worse:
            quoted = f"quoted {quote.bid} to {quote.ask}" if market is not None else "not quoted"
            self._refuse(session, quote.contract, "EXPIRED", f"{quantity} at {decision.limit or 'any price'}, {quoted}")
            return
        paid = self._affordable(contract, quantity, met) if side is Side.BUY else quantity
        if paid < quantity:
            self._refuse(session, quote.contract, "CASH", f"{quantity} wanted at {met}, {self._cash} pays for {paid}")
        if paid:
            fee = self._rules.options.of(paid, _worth(met, paid, self._cash.currency))
            self._fill(contract, decision, RunFill(side, paid, met, fee, CONTRACT_SIZE), session)

    def _affordable(self, contract: Contract, wanted: Quantity, price: Price) -> Quantity:
        """As many contracts as the cash pays; what sold puts bind, with those that are being sold, pays for what closes alone."""
        free = self._cash if wanted <= -contract.holding.quantity else self._cash - self._bound(selling=True)
        return affordable(self._rules.options, free, price, wanted, Door(contract.quote.tick_size, ONE, CONTRACT_SIZE, 1.0))

    def _fill(self, contract: Contract, decision: Decision, own: RunFill, session: date) -> None:
        self._venue.cash = cash_after(self._cash, own)
        contract.holding = holding_after(contract.holding, own, decision.stop_level)
        number, held, symbol = len(self._fills) + 1, contract.holding.quantity, contract.quote.contract
        name = self._name(contract)
        self._fills.append(Fill.of(number, session, symbol, decision, contract.decided_on, own, held, name if name != symbol else ""))

    def _name(self, contract: Contract) -> str:
        """How results name a contract: by the symbol it is first traded under, unless another one was traded under it before a split."""
        names = self._outcome.contracts
        if contract.instrument_id not in names:
            symbol, taken = contract.quote.contract, set(names.values())
            names[contract.instrument_id] = symbol if symbol not in taken else f"{symbol} ({contract.instrument_id})"
        return names[contract.instrument_id]

    def _equity(self) -> Money:
        """Free cash, and what is held at the middle of its latest quotes."""
        equity = self._cash
        for _, one in sorted(self._contracts.items()):
            equity += _worth(one.quote.mid, one.holding.quantity, equity.currency)
        for lane in self._lanes:
            equity += lane.value()
        return equity

    def _bound(self, *, selling: bool = False) -> Money:
        """The cash that sold puts bind. selling: with those whose sale is under way."""
        held = [(one.quote.contract, one.holding.quantity - (one.selling if selling else _NONE)) for one in self._contracts.values()]
        return cash_bound_by(held, self._cash.currency)

    def _decide(self, lane: Lane, equity: Money, session: date) -> None:
        legs = [one for _, one in sorted(self._contracts.items()) if one.lane is lane]
        try:
            if not legs and lane.memory.pursuit is None and lane.is_quiet():
                return
            situation = self._situation(lane, legs, equity, session)
            decisions = self._strategy.decide(situation)
            if self._memory is not None:
                lane.memory = self._memory.remember(situation)
        except Exception as error:
            raise broke(self._strategy.name, lane.place(), error) from error
        for decision in decisions:
            self._take(lane, situation, decision, session)

    def _situation(self, lane: Lane, legs: Sequence[Contract], equity: Money, session: date) -> Situation:
        plain = Situation(
            row=lane.row(), close=lane.close, holding=lane.holding, pending=bool(lane.working), equity=equity, door=lane.door(),
            at=closed_at(session), memory=lane.memory,
        )  # fmt: skip
        if not (legs or lane.memory.pursuit is not None or self._strategy.wants_options(plain)):
            return plain
        shown = [
            Leg(one.instrument_id, one.quote.contract, CONTRACT_SIZE, one.holding, False, one.quote if one.quoted_on == session else None)
            for one in legs
        ]
        return replace(plain, options=Options(session, lane.history.chains.get(session, ()), shown))

    def _take(self, lane: Lane, situation: Situation, decision: Decision, session: date) -> None:
        """Order what may be ordered, by the rule of live runs; what trades nothing is told."""
        if decision.side is None or decision.quantity is None:
            self._outcome.warnings.append(decision)
            return
        if decision.instrument is None or situation.options is None:
            self._take_stock(lane, decision, decision.side, decision.quantity, session)
            return
        contract = self._contracts.get(decision.instrument)
        if contract is None:
            found = next(one for one in situation.options.chain if one.instrument_id == decision.instrument)
            contract = Contract(found, session, lane)
        quote = contract.quote
        needed = _worth(decision.limit or quote.mid, decision.quantity, self._cash.currency)
        held, secures = contract.holding.quantity, cash_bound(quote.contract, decision.quantity, self._cash.currency)
        free = self._cash - self._reserved - self._bound()
        no = refusal(decision.side, decision.quantity, held, _NONE, needed, free, secures, covered=self._covered(lane, contract))
        if no is not None:
            self._refuse(session, quote.contract, *no)
            return
        self._reserved += taken(decision.side, held, needed, secures)
        contract.working, contract.decided_on = decision, session
        self._contracts[quote.instrument_id] = contract

    def _covered(self, lane: Lane, contract: Contract) -> Quantity | None:
        """The calls that the free shares of the stock cover; None where the contract is no call."""
        if terms_of(contract.quote.contract).kind != "call":
            return None
        shares = lane.holding.quantity - self._bound_shares(lane)
        for one in self._contracts.values():
            if one.lane is lane and one is not contract:
                shares -= shares_bound(one.quote.contract, -one.selling, one.deliverable)
        for order in lane.working:
            shares -= order.quantity if order.decision.side is Side.SELL else _NONE
        return calls_covered(shares, contract.deliverable)

    def _take_stock(self, lane: Lane, decision: Decision, side: Side, quantity: Quantity, session: date) -> None:
        """Order the stock itself."""
        needed, held = lane.worth(lane.close, quantity), lane.holding.quantity
        free = self._cash - self._reserved - self._bound()
        no = refusal(side, quantity, held, _NONE, needed, free, bound=self._bound_shares(lane, selling=True))
        if no is not None:
            self._refuse(session, lane.history.symbol, *no)
            return
        self._reserved += taken(side, held, needed, None)
        self._number += 1
        lane.working.append(Working(self._number, decision, quantity, session))

    def _refuse(self, session: date, symbol: str, code: str, detail: str) -> None:
        self._outcome.refusals.append(Refusal(session, symbol, code, detail))


def _worth(price: Price, quantity: Quantity, currency: str) -> Money:
    return notional(price, quantity, CONTRACT_SIZE, currency)
