"""The end-of-day summary in words: a title that says what the day brought, and a line for each group of figures."""

from collections.abc import Iterator, Sequence
from datetime import date

from quantmatrix.common.contracts.asking.days import DayFigures, DayTrade
from quantmatrix.common.names import Side

SHOWN_MAX = 3


def title_of(session: date, days: Sequence[DayFigures]) -> str:
    """One line: the session, and what closed trades brought in each currency."""
    told = [f"{one.net} in {_count(one.trades, 'trade')}" for one in days if one.trades]
    return f"{session}: {', '.join(told) or 'no trades'}"


def text_of(days: Sequence[DayFigures], signals: int, orders: int, accepted: int, alerts: int) -> str:
    """The letter: for each currency its trades, or that there were none, and its value; then what was decided and told."""
    lines = [line for one in days for line in _lines(one)]
    taken = f", {accepted} of {orders} orders accepted ({_percent(accepted / orders)})" if orders else ""
    lines.append(f"{_count(signals, 'signal')}{taken}. {_count(alerts, 'notification')}.")
    return "\n".join(lines)


def _lines(one: DayFigures) -> Iterator[str]:
    if one.trades:
        yield (
            f"{_count(one.trades, 'trade')} closed, {one.won} won, {one.lost} lost, win rate {_percent(one.win_rate)}. "
            f"Gross {one.gross}, fees {one.fees}, net {one.net} ({_percent(one.net_return, signed=True)})."
        )
        yield (
            f"Profit factor {_number(one.profit_factor)}, expectancy {one.expectancy}, deepest fall {_percent(abs(one.drawdown))}, "
            f"most wins in a row {one.streak}, risk per trade {_percent(one.risk_per_trade)}."
        )
        if one.best is not None and one.worst is not None:
            yield f"Best: {_trade(one.best)}."
            yield f"Worst: {_trade(one.worst)}."
        for own in one.strategies:
            yield f"{own.triggered_by}: {_count(own.trades, 'trade')}, win rate {_percent(own.won / own.trades)}, net {own.net}."
    else:
        yield "No trades were closed."
    yield (
        f"Worth {one.end}: {one.gain} ({_percent(one.day_return, signed=True)}) of {one.start}, flows {one.flows}. "
        f"Capital used {_percent(one.capital_used)}. {_positions(one)}"
    )
    if one.pending or one.left_out:
        yield f"Not in these figures: {one.pending} closings that wait for a basis, {one.left_out} beyond what an answer holds."


def _positions(one: DayFigures) -> str:
    if not one.positions:
        return "Nothing is held."
    shown = ", ".join(f"{held.quantity} {held.symbol}" for held in one.positions[:SHOWN_MAX])
    more = f" and {len(one.positions) - SHOWN_MAX} more" if len(one.positions) > SHOWN_MAX else ""
    return f"Held: {shown}{more}."


def _trade(one: DayTrade) -> str:
    side = "long" if one.opening is Side.BUY else "short"
    because = "".join(f", {what} for {why}" for what, why in (("in", one.entry_reason), ("out", one.exit_reason)) if why)
    held = one.closed_at - one.opened_at
    length = _count(held.days, "day") if held.days else f"{held.seconds // 60} minutes"
    return (
        f"{one.symbol} {side} {one.net} ({_percent(one.gain, signed=True)}) in {length}, {one.entry} on "
        f"{one.opened_at:%Y-%m-%d %H:%M} to {one.exit} on {one.closed_at:%Y-%m-%d %H:%M} UTC{because}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: float | None, *, signed: bool = False) -> str:
    if share is None:
        return "not known"
    return f"{100 * share:+.2f} %" if signed else f"{100 * share:.2f} %"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"
