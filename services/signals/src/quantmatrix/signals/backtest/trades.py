"""Trades of a run: from flat to flat, per instrument. A trade that is still open is told apart and counted nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.signals.backtest.outcome import Fill


@dataclass(frozen=True, slots=True)
class Trade:
    """From the first fill out of nothing to the one that left nothing, either way round. Money is after commissions.

    bought: what the fills on the opening side come to, below zero when it was sold first, in the units of the time of each; cost and
    proceeds: of purchases and of sales; closed_on, closed_by and profit belong to the last fill so far.
    """

    symbol: str
    opened_on: date
    closed_on: date
    is_open: bool
    bought: Quantity
    cost: Money
    proceeds: Money
    fees: Money
    profit: Money
    sessions: int
    opened_because: tuple[str, ...]
    closed_by: str

    @property
    def gain_pct(self) -> Decimal:
        """Profit in percent of what was paid, or of the premium received where it was sold first."""
        staked = self.proceeds if self.bought < Quantity(0) else self.cost
        return self.profit.amount / staked.amount * 100 if staked else Decimal(0)


@dataclass(slots=True)
class OfSymbol:
    """What the trades of one instrument come to. trades, won and profit are of those that are closed; fees of all its fills."""

    profit: Money
    fees: Money
    trades: int = 0
    won: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run's fills come to. profits, sessions: of closed trades in the order of their opening; traded: the value of all fills."""

    trades: Sequence[Trade]
    profits: list[float]
    sessions: list[int]
    fees: Money
    traded: float
    by_symbol: Mapping[str, OfSymbol] = field(default_factory=dict)


def tally_of(
    fills: Sequence[Fill], multipliers: Mapping[str, Quantity], sessions: Mapping[str, Mapping[date, int]], currency: str
) -> Tally:
    """The trades of these fills, and their sums. multipliers and sessions: see `trades_of`."""
    trades, zero, traded = trades_of(fills, multipliers, sessions), Money.zero(currency), 0.0
    own = {symbol: OfSymbol(zero, zero) for symbol in multipliers}
    closed = [one for one in trades if not one.is_open]
    for trade in closed:
        of = own[trade.symbol]
        of.trades, of.won, of.profit = of.trades + 1, of.won + (trade.profit.amount > 0), of.profit + trade.profit
    fees = zero
    for fill in fills:
        own[fill.name].fees += fill.fee
        fees += fill.fee
        traded += float(notional(fill.price, fill.quantity, multipliers[fill.name], currency).amount)
    return Tally(trades, [float(one.profit.amount) for one in closed], [one.sessions for one in closed], fees, traded, own)


def trades_of(fills: Sequence[Fill], multipliers: Mapping[str, Quantity], sessions: Mapping[str, Mapping[date, int]]) -> list[Trade]:
    """Trades in the order of their opening. sessions: the number of each session per name, to count how long."""
    running: dict[str, list[Fill]] = {}
    done: list[tuple[int, Trade]] = []
    for fill in fills:
        own = running.setdefault(fill.name, [])
        own.append(fill)
        if not fill.held_after:
            done.append((own[0].number, _trade(own, multipliers[fill.name], sessions[fill.name])))
            running[fill.name] = []
    done += [(own[0].number, _trade(own, multipliers[symbol], sessions[symbol])) for symbol, own in running.items() if own]
    return [trade for _, trade in sorted(done, key=lambda one: one[0])]


def _trade(own: Sequence[Fill], multiplier: Quantity, sessions: Mapping[date, int]) -> Trade:
    first, last = own[0], own[-1]
    zero = Money.zero(first.fee.currency)
    cost = proceeds = fees = zero
    bought = Quantity(0)
    for fill in own:
        value = notional(fill.price, fill.quantity, multiplier, fill.fee.currency)
        carried = fill.carried or zero
        fees += fill.fee
        if fill.side is first.side:
            bought += fill.quantity
        if fill.side is Side.BUY:
            cost += value + carried
        else:
            proceeds += value - carried
    return Trade(
        symbol=first.name,
        opened_on=first.session,
        closed_on=last.session,
        is_open=bool(last.held_after),
        bought=bought if first.side is Side.BUY else -bought,
        cost=cost,
        proceeds=proceeds,
        fees=fees,
        profit=proceeds - cost - fees,
        sessions=sessions[last.session] - sessions[first.session],
        opened_because=first.reasons,
        closed_by=last.kind,
    )
