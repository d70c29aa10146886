"""The loop of a backtest for strategies that trade options: they decide on a stock's close, contracts fill on their own quotes.

A contract's bar is its quote of the session: purchases pay the ask, sales get the bid, a limit fills when that is no worse. A sale
without a bid is settled from the contract's last day on, at what it is in the money by. A split of the stock adjusts what is held and
ordered. All orders are day orders, as those of a run are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from quantmatrix.common.names import InstrumentId, Side
from quantmatrix.common.options import CONTRACT_SIZE, adjusted, price_met, terms_of
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.engine import Progress
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar, bars_needed, broke, check
from quantmatrix.signals.backtest.lanes import Lane
from quantmatrix.signals.backtest.outcome import Fill, Outcome, Point, Refusal
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.domain.book import RunFill, after_split, cash_after, holding_after
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Leg, Options, Situation
from quantmatrix.signals.domain.memory import after_adjustment, closed_at
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.permits import refusal
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import OptionStrategy, Remembers

ONE = Quantity(1)


@dataclass(slots=True)
class Contract:
    """A contract that the run holds or has ordered, with its latest quote, the day on which that was made, and what it delivers."""

    quote: OptionQuote
    quoted_on: date
    lane: Lane
    holding: Holding = FLAT
    working: Decision | None = None
    decided_on: date = date.min
    deliverable: Quantity = CONTRACT_SIZE

    @property
    def instrument_id(self) -> InstrumentId:
        return self.quote.instrument_id

    def adjust(self, split: Split) -> None:
        """What a split of the stock makes of the contract, of what is held of it, and of an order for it."""
        before, quote = self.quote.contract, self.quote
        to = adjusted(terms_of(before), self.deliverable, split.numerator, split.denominator)
        new, old = to.numerator, to.denominator
        self.quote = replace(
            quote, contract=to.terms.symbol, strike=to.terms.strike, bid=quote.bid.scaled(old, new), ask=quote.ask.scaled(old, new)
        )
        self.deliverable = to.deliverable
        self.holding = after_split(self.holding, new, old)
        if self.working is not None and self.working.quantity is not None:
            limit = self.working.limit.scaled(old, new) if self.working.limit is not None else None
            self.working = replace(self.working, quantity=self.working.quantity.scaled(new, old), limit=limit)
        pursuit = self.lane.memory.pursuit
        if pursuit is not None and pursuit.contract == before:
            self.lane.memory = after_adjustment(self.lane.memory, to.terms.symbol, new, old)


class OptionEngine:
    """One strategy with one envelope of cash on the options of any number of stocks of one currency."""

    def __init__(self, strategy: OptionStrategy, histories: Sequence[History], cash: Money, rules: FillRules) -> None:
        check(histories, bars_needed(strategy))
        strange = sorted({one.currency for one in histories} - {cash.currency})
        if strange:
            raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {', '.join(strange)}")
        self._strategy, self._cash, self._rules = strategy, cash, rules
        self._memory = strategy if isinstance(strategy, Remembers) else None
        ordered = sorted(histories, key=lambda one: one.instrument_id)
        self._lanes = [Lane(number, one, strategy) for number, one in enumerate(ordered)]
        self._contracts: dict[InstrumentId, Contract] = {}
        self._reserved = Money.zero(cash.currency)
        self._fills: list[Fill] = []
        self._outcome = Outcome(self._fills)

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
        for _, contract in sorted(self._contracts.items()):
            own = contract.instrument_id
            quoted = next((one for one in contract.lane.history.chains.get(session, ()) if one.instrument_id == own), None)
            if quoted is not None:
                contract.quote, contract.quoted_on = quoted, session
            if contract.working is not None:
                self._meet(contract, contract.working, session)
                contract.working = None
        self._contracts = {own: one for own, one in self._contracts.items() if one.holding.quantity}
        equity = self._equity()
        self._outcome.curve.append(Point(session, equity, self._cash))
        self._reserved = Money.zero(equity.currency)
        for lane in trading:
            self._decide(lane, equity, session)

    def _meet(self, contract: Contract, decision: Decision, session: date) -> None:
        """An order of the day before meets today's quote."""
        side, quantity, quote = decision.side, decision.quantity, contract.quote
        if side is None or quantity is None:
            return
        market = (quote.bid, quote.ask) if contract.quoted_on == session else None
        lane = contract.lane
        close = lane.close if lane.index is not None and lane.session == session else None
        met = price_met(side, market, terms_of(quote.contract), session, close, contract.deliverable)
        if met is not None and not self._rules.slippage.is_none and met:
            met = self._rules.slippage.worse(side, met, quote.tick_size)
        worse = met is not None and decision.limit is not None and (met > decision.limit if side is Side.BUY else met < decision.limit)
        if met is None or worse:
            quoted = f"quoted {quote.bid} to {quote.ask}" if market is not None else "not quoted"
            self._refuse(session, quote.contract, "EXPIRED", f"{quantity} at {decision.limit or 'any price'}, {quoted}")
            return
        fee = self._rules.options.of(quantity, _worth(met, quantity, self._cash.currency))
        own = RunFill(side, quantity, met, fee, CONTRACT_SIZE)
        if side is Side.BUY and cash_after(self._cash, own) < Money.zero(self._cash.currency):
            self._refuse(session, quote.contract, "CASH", f"{quantity} wanted at {met}, {self._cash} does not pay for it")
            return
        self._fill(contract, decision, own, session)

    def _fill(self, contract: Contract, decision: Decision, own: RunFill, session: date) -> None:
        self._cash = cash_after(self._cash, own)
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
        return equity

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
            row=lane.row(), close=lane.close, holding=lane.holding, pending=False, equity=equity, door=lane.door(),
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
        if decision.side is None or decision.quantity is None or decision.instrument is None or situation.options is None:
            self._outcome.warnings.append(decision)
            return
        contract = self._contracts.get(decision.instrument)
        if contract is None:
            found = next(one for one in situation.options.chain if one.instrument_id == decision.instrument)
            contract = Contract(found, session, lane)
        quote = contract.quote
        needed = _worth(decision.limit or quote.mid, decision.quantity, self._cash.currency)
        no = refusal(decision.side, decision.quantity, contract.holding.quantity, Quantity(0), needed, self._cash - self._reserved)
        if no is not None:
            self._refuse(session, quote.contract, *no)
            return
        if decision.side is Side.BUY:
            self._reserved += needed
        contract.working, contract.decided_on = decision, session
        self._contracts[quote.instrument_id] = contract

    def _refuse(self, session: date, symbol: str, code: str, detail: str) -> None:
        self._outcome.refusals.append(Refusal(session, symbol, code, detail))


def traded_contracts(outcome: Outcome, histories: Sequence[History]) -> list[History]:
    """The past of every contract that was traded, made of its quotes and its settlement: what results count and draw it by."""
    named = {name: own for own, name in outcome.contracts.items()}
    found: dict[InstrumentId, dict[date, Price]] = {own: {} for own in named.values()}
    about: dict[InstrumentId, tuple[History, OptionQuote]] = {}
    for history in histories if named else ():
        for session, quotes in sorted(history.chains.items()):
            for quote in quotes:
                if quote.instrument_id in found:
                    about.setdefault(quote.instrument_id, (history, quote))
                    found[quote.instrument_id][session] = quote.mid
    for fill in outcome.fills if named else ():
        found[named[fill.name]].setdefault(fill.session, fill.price)
    return [_contract_history(name, *about[own], found[own]) for name, own in sorted(named.items())]


def _contract_history(name: str, history: History, quote: OptionQuote, prices: dict[date, Price]) -> History:
    """A contract's prices as bars. On the day of a split it has one in its new terms, whoever quotes it."""
    splits = []
    for split in sorted(history.splits, key=lambda one: one.effective):
        before = [session for session in prices if session < split.effective]
        if split.numerator % split.denominator or not before or split.effective > quote.expires:
            continue
        times = split.numerator // split.denominator
        splits.append(replace(split, numerator=times, denominator=1))
        prices.setdefault(split.effective, prices[max(before)].scaled(1, times))
    bars = tuple(_flat(session, price) for session, price in sorted(prices.items()))
    return History(quote.instrument_id, name, history.currency, quote.tick_size, ONE, CONTRACT_SIZE, bars, tuple(splits))


def _flat(session: date, price: Price) -> PastBar:
    return PastBar(session, price, price, price, price, Quantity(0))


def _worth(price: Price, quantity: Quantity, currency: str) -> Money:
    return notional(price, quantity, CONTRACT_SIZE, currency)
