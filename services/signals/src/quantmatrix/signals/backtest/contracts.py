"""The contracts of a backtest: what is held of each, what its end is called, and its past as bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from quantmatrix.common.names import ContractEnding, InstrumentId, Side, SignalKind
from quantmatrix.common.option_ends import ContractEnd
from quantmatrix.common.options import CONTRACT_SIZE, adjusted, shares_bound, terms_of
from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.lanes import Lane
from quantmatrix.signals.backtest.outcome import Outcome
from quantmatrix.signals.domain.book import after_split
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding
from quantmatrix.signals.domain.memory import after_adjustment
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.series import Split

ONE = Quantity(1)
_NONE = Quantity(0)
_ENDED = {
    ContractEnding.EXERCISE: "exercised",
    ContractEnding.ASSIGNMENT: "assigned",
    ContractEnding.EXPIRY: "expired",
    ContractEnding.SETTLEMENT: "settled",
}


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

    @property
    def selling(self) -> Quantity:
        """What an order under way sells."""
        order = self.working
        return order.quantity if order is not None and order.quantity is not None and order.side is Side.SELL else _NONE

    @property
    def binds(self) -> Quantity:
        """The shares that calls bind which were sold."""
        return shares_bound(self.quote.contract, self.holding.quantity, self.deliverable)

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


def end_told(end: ContractEnd, symbol: str, *, shares: bool) -> Decision:
    """The fill that nobody ordered: of the contracts, or of the shares that they deliver."""
    more = f", {end.shares} shares for {end.paid}" if end.delivers else ""
    because = Because(end.how.upper(), True, f"{end.contracts} {symbol} {_ENDED[end.how]}{more}")
    side = end.share_side if shares else end.side
    kind = SignalKind.ENTRY if shares and side is Side.BUY else SignalKind.EXIT
    return Decision(kind, 1.0, 1.0, timedelta(days=1), (because,), side=side)


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
        if fill.name in named:
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
