"""Spreading capital over fixed weights: contributions go where most is missing, and only a broken band makes one sell.

Bands after Swedroe's 5/25 rule: an asset is out of its band when its weight is off by 5 points or by a quarter of its target,
whichever is less. Money is exact; what cannot be bought in whole lots stays cash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

import polars as pl

from quantmatrix.common.values import Money, Price, Quantity

Frequency = Literal["weekly", "monthly"]
BAND_POINTS, BAND_SHARE = Decimal("0.05"), Decimal("0.25")
ORDER_LEAST = Decimal(10)
CENTS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """Money to move per symbol: positive buys, negative sells. rebalanced: whether a band was broken and everything goes to its target."""

    amounts: Mapping[str, Money]
    rebalanced: bool


def contribution_of(capital: Money) -> Money:
    """A tenth of the capital, unless something else was agreed."""
    return capital.times(Decimal("0.1")).rounded(CENTS)


def plan(
    weights: Mapping[str, Decimal],
    values: Mapping[str, Money],
    contribution: Money,
    *,
    no_sell: bool = False,
    threshold: Decimal = BAND_POINTS,
) -> Plan:
    """What to move so that `values` plus `contribution` come closer to `weights`.

    The contribution is spread by what is missing: need = max(0, target - value), bought = contribution × need / all needs.
    Only if a band is still broken afterwards, and selling is allowed, everything is brought to its target.
    Raises ValueError when the weights do not sum to one.
    """
    if sum(weights.values()) != 1 or any(weight <= 0 for weight in weights.values()):
        raise ValueError(f"weights are above zero and sum to one, got {dict(weights)}")
    zero = Money.zero(contribution.currency)
    held = {symbol: values.get(symbol, zero) for symbol in weights}
    total = contribution
    for value in held.values():
        total += value
    targets = {symbol: total.times(weight) for symbol, weight in weights.items()}
    bought = _by_need(held, targets, contribution)
    after = {symbol: held[symbol] + bought[symbol] for symbol in weights}
    if no_sell or not total or not broken(weights, after, threshold):
        return Plan(bought, rebalanced=False)
    return Plan({symbol: (targets[symbol] - held[symbol]).rounded(CENTS) for symbol in weights}, rebalanced=True)


def broken(weights: Mapping[str, Decimal], values: Mapping[str, Money], threshold: Decimal = BAND_POINTS) -> tuple[str, ...]:
    """The symbols whose weight is out of its band."""
    total = sum(value.amount for value in values.values())
    if not total:
        return ()
    return tuple(
        symbol for symbol, weight in weights.items() if abs(values[symbol].amount / total - weight) >= min(threshold, BAND_SHARE * weight)
    )


def _by_need(held: Mapping[str, Money], targets: Mapping[str, Money], contribution: Money) -> dict[str, Money]:
    zero = Money.zero(contribution.currency)
    needs = {symbol: max(zero, targets[symbol] - held[symbol]) for symbol in held}
    all_needs = sum(need.amount for need in needs.values())
    if not all_needs:
        return dict.fromkeys(held, zero)
    shares = {symbol: contribution.times(need.amount / all_needs).rounded(CENTS) for symbol, need in needs.items()}
    spread = zero
    for share in shares.values():
        spread += share
    most = max(needs, key=lambda symbol: (needs[symbol], symbol))
    shares[most] += contribution - spread
    return shares


def whole_lots(amounts: Mapping[str, Money], prices: Mapping[str, Price], lot_size: Quantity) -> dict[str, Quantity]:
    """Purchases in whole lots by largest remainder: everyone gets what fits, the cash left buys one more lot where the fraction was largest.

    Amounts below 10 are skipped; residual cash is kept. Sales (negative amounts) are rounded down to whole lots too.
    """
    wanted = {symbol: amount for symbol, amount in amounts.items() if abs(amount.amount) >= ORDER_LEAST and symbol in prices}
    lots, remainders, left = {}, {}, Decimal(0)
    for symbol, amount in wanted.items():
        cost = prices[symbol].value * lot_size.value
        exact = abs(amount.amount) / cost
        whole = exact.to_integral_value(rounding=ROUND_FLOOR)
        lots[symbol] = whole if amount.amount > 0 else -whole
        if amount.amount > 0:
            remainders[symbol] = exact - whole
            left += amount.amount - whole * cost
    for symbol in sorted(remainders, key=lambda one: (-remainders[one], one)):
        cost = prices[symbol].value * lot_size.value
        if remainders[symbol] and cost <= left:
            lots[symbol] += 1
            left -= cost
    return {symbol: Quantity(count * lot_size.value) for symbol, count in lots.items() if count}


def due(day_of_month: int, frequency: Frequency) -> pl.Expr:
    """Whether a bar's session is the first on or after the agreed day, from the column `session`; the first bar always is.

    Weekly is the first session of a calendar week. A month that is too short has the agreed day on its last day.
    """
    session, before = pl.col("session"), pl.col("session").shift(1)
    if frequency == "weekly":
        passed = session.dt.truncate("1w") > before
    else:
        later = session.dt.truncate("1mo") > before.dt.truncate("1mo")
        skipped = session.dt.truncate("1mo") > before.dt.truncate("1mo").dt.offset_by("1mo")
        agreed = _agreed(session, day_of_month)
        passed = ((agreed > before) & (agreed <= session)) | (later & (_agreed(before, day_of_month) > before)) | skipped
    return passed.fill_null(value=True)


def _agreed(day: pl.Expr, day_of_month: int) -> pl.Expr:
    first = day.dt.month_start()
    return pl.min_horizontal(first.dt.offset_by(f"{day_of_month - 1}d"), day.dt.month_end())
