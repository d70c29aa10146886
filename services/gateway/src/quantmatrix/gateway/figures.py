"""Figures that pages and the older shapes show, worked out from services' answers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from quantmatrix.common.contracts.asking.portfolio import AccountValue, SnapshotPoint
from quantmatrix.common.values import Money, round_half_even

PERCENT_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Totals:
    """All accounts of one person in one currency. day: change of equity since the session before the last snapshot's."""

    equity: Money
    cash: Money
    market_value: Money
    realised: Money
    unrealised: Money
    opening: Money
    total: Money
    total_pct: Decimal | None
    exposure_pct: Decimal | None
    day: Money | None
    day_pct: Decimal | None
    positions: int


def totals(accounts: Sequence[AccountValue], recent: Sequence[Sequence[SnapshotPoint]], positions: int) -> Totals | None:
    """Sums over the accounts that share the first one's currency; None without an account."""
    if not accounts:
        return None
    currency = accounts[0].equity.currency
    pairs = [(one, last) for one, last in zip(accounts, recent, strict=True) if one.equity.currency == currency]
    zero = Money.zero(currency)
    equity = sum((one.equity for one, _ in pairs), zero)
    opening = sum((one.opening_cash for one, _ in pairs), zero)
    market_value = sum((one.market_value for one, _ in pairs), zero)
    before = sum((last[0].equity if len(last) > 1 else one.opening_cash for one, last in pairs), zero)
    day = equity - before if any(last for _, last in pairs) else None
    return Totals(
        equity=equity,
        cash=sum((one.cash for one, _ in pairs), zero),
        market_value=market_value,
        realised=sum((one.realised for one, _ in pairs), zero),
        unrealised=sum((one.unrealised for one, _ in pairs), zero),
        opening=opening,
        total=equity - opening,
        total_pct=percent(equity - opening, opening),
        exposure_pct=percent(market_value, equity),
        day=day,
        day_pct=percent(day, before) if day is not None else None,
        positions=positions,
    )


def percent(part: Money, whole: Money) -> Decimal | None:
    """100 × part / whole, rounded once to six digits; None when the whole is nothing."""
    if not whole:
        return None
    return round_half_even(part.amount * 100 / whole.amount, PERCENT_DIGITS)
