"""The figures of one session: trades by the orders that closed them, what they brought, how deep it fell on the way. Pure.

Streak and drawdown go by the time at which trades were closed; nothing is a constant, and no percent is a sum of percents.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from msgspec import structs

from quantmatrix.common.contracts.asking.days import BookedDay, DayFigures, DayOfStrategy, DayTrade, Decided, Exit
from quantmatrix.common.names import FillId, SignalId
from quantmatrix.common.statistics import falls_of, trade_figures
from quantmatrix.common.values import Money, Price, Quantity, round_half_even


def figures_of(day: BookedDay, behind: Mapping[FillId, SignalId], decided: Mapping[SignalId, Decided]) -> DayFigures:
    """A booked day with its trades put together.

    behind: the decision that each execution goes back to; executions of one decision are one trade, and those of which nobody knows any
    are a trade each. decided: what those decisions said.
    """
    trades = trades_of(day.exits, behind, decided)
    zero = Money.zero(day.currency)
    net, fees = sum((one.net for one in trades), zero), sum((one.fees for one in trades), zero)
    told = trade_figures([float(one.net.amount) for one in trades], [0] * len(trades))
    staked = float((day.start + day.flows).amount)
    risks = [float(one.risk.amount) for one in trades if one.risk is not None]
    ranked = sorted(trades, key=lambda one: one.net.amount)
    return DayFigures(
        currency=day.currency,
        accounts=day.accounts,
        start=day.start,
        flows=day.flows,
        end=day.end,
        gain=day.gain,
        day_return=_share(day.gain, staked),
        trades=told.trades,
        won=told.won,
        lost=told.lost,
        win_rate=told.win_rate,
        gross=net + fees,
        fees=fees,
        net=net,
        net_return=_share(net, staked),
        drawdown=drawdown_of(staked, trades),
        profit_factor=told.profit_factor,
        expectancy=Money.rounding(net.amount / len(trades), day.currency) if trades else None,
        streak=longest_streak(trades),
        capital_used=_share(day.peak_exposure, staked),
        risk_per_trade=sum(risks) / len(risks) / staked if risks and staked > 0 else None,
        best=ranked[-1] if ranked else None,
        worst=ranked[0] if ranked else None,
        strategies=_strategies(trades, zero),
        positions=day.positions,
        pending=day.pending,
        left_out=day.exits_left_out,
    )


def trades_of(exits: Sequence[Exit], behind: Mapping[FillId, SignalId], decided: Mapping[SignalId, Decided]) -> list[DayTrade]:
    """The executions of each decision as one trade, in the order of their last executions."""

    def key(one: Exit) -> tuple[str, str, str]:
        return one.account_id, one.symbol, str(behind.get(one.closed_by, one.closed_by))

    grouped = [list(own) for _, own in groupby(sorted(exits, key=key), key)]
    found = [_trade(sorted(own, key=lambda one: one.closed_at), behind, decided) for own in grouped]
    return sorted(found, key=lambda one: (one.closed_at, one.account_id, one.symbol))


def _trade(own: Sequence[Exit], behind: Mapping[FillId, SignalId], decided: Mapping[SignalId, Decided]) -> DayTrade:
    first, zero = min(own, key=lambda one: one.opened_at), Money.zero(own[0].net.currency)
    net, staked = sum((one.net for one in own), zero), sum((one.staked for one in own), zero)
    entry, left = (_decided(fill, behind, decided) for fill in (first.opened_by, own[-1].closed_by))
    trade = DayTrade(
        account_id=first.account_id,
        symbol=first.symbol,
        opening=first.opening,
        quantity=Quantity(sum((one.quantity.value for one in own), Decimal(0))),
        opened_at=first.opened_at,
        closed_at=own[-1].closed_at,
        entry=_average([(one.quantity, one.entry) for one in own]),
        exit=_average([(one.quantity, one.exit) for one in own]),
        fees=sum((one.fees for one in own), zero),
        net=net,
        gain=_share(net, float(staked.amount)),
        triggered_by=first.triggered_by,
        entry_reason=entry.why if entry is not None else "",
        exit_reason=left.why if left is not None else "",
    )
    return trade if entry is None else _with_risk(trade, staked, entry)


def _with_risk(trade: DayTrade, staked: Money, entry: Decided) -> DayTrade:
    """What would have been lost at the first stop: its share of the entry price, whatever splits came since."""
    if entry.price is None or entry.stop is None or not entry.price:
        return trade
    distance = abs(entry.price.value - entry.stop.value) / entry.price.value
    return structs.replace(trade, risk=staked.times(distance))


def _decided(fill: FillId, behind: Mapping[FillId, SignalId], decided: Mapping[SignalId, Decided]) -> Decided | None:
    decision = behind.get(fill)
    return None if decision is None else decided.get(decision)


def drawdown_of(start: float, trades: Sequence[DayTrade]) -> float:
    """The deepest fall of the value at the start plus what the trades brought, one after the other: a fraction of zero or less."""
    levels, level = [], start
    for one in trades:
        level += float(one.net.amount)
        levels.append(level)
    return min(falls_of(start, levels), default=0.0)


def longest_streak(trades: Sequence[DayTrade]) -> int:
    """The most trades in a row that won, in the order they were closed."""
    longest = now = 0
    for one in trades:
        now = now + 1 if one.net.amount > 0 else 0
        longest = max(longest, now)
    return longest


def _strategies(trades: Sequence[DayTrade], zero: Money) -> tuple[DayOfStrategy, ...]:
    found = []
    for opener in sorted({one.triggered_by for one in trades}):
        own = [one for one in trades if one.triggered_by == opener]
        found.append(DayOfStrategy(opener, len(own), sum(one.net.amount > 0 for one in own), sum((one.net for one in own), zero)))
    return tuple(sorted(found, key=lambda one: -one.net.amount))


def _average(parts: Sequence[tuple[Quantity, Price]]) -> Price:
    units = sum((quantity.value for quantity, _ in parts), Decimal(0))
    return Price(round_half_even(sum((quantity.value * price.value for quantity, price in parts), Decimal(0)) / units, 6))


def _share(amount: Money, whole: float) -> float | None:
    return float(amount.amount) / whole if whole > 0 else None
