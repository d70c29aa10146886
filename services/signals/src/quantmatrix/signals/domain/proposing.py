"""From what a person said to the parameters of a strategy: each word of the sentence has one place, or is refused by name."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quantmatrix.signals.domain.sentence import SOLD_PREMIUM, NotUnderstood, RunForm

REINVEST = Decimal("0.80")
"""How much of a cycle's profit joins the base when a sentence names a profit and no reinvestment."""
ALLOCATED: Mapping[str, Mapping[str, float]] = {
    "conservative": {"VTI": 0.60, "VXUS": 0.30, "BND": 0.10},
    "balanced": {"VTI": 0.45, "VXUS": 0.25, "BND": 0.30},
    "growth": {"QQQ": 0.50, "VTI": 0.30, "VXUS": 0.20},
    "aggressive": {"QQQ": 0.50, "VTI": 0.30, "VXUS": 0.20},
    "income": {"VTI": 0.25, "VXUS": 0.15, "BND": 0.60},
}
"""What the allocations of sentences are made of."""
_SIZES = ("max_position_pct", "position_pct")
_SALE_STOP, _SALE_SIZES = "short_stop_pct", ("secured_pct",)
"""The parameters of a strategy that sells premium as well, for that."""


def parameters_from(form: RunForm, fields: Sequence[str], *, spreads: bool) -> dict[str, Any] | NotUnderstood:
    """The parameters that a form chooses. fields: those the strategy has; spreads: whether it spreads capital over fixed weights.

    A profit and a stop that the strategy has no parameter for become exits of the run, in percent of the cost; a strategy that
    spreads capital leaves no position for profit, so there a profit ends cycles only.
    """
    sells = form.preset == SOLD_PREMIUM
    if sells and _SALE_STOP not in fields:
        return NotUnderstood(form.strategy, form.sentence().find(form.strategy), f"{form.strategy} sells no premium", ("atr_options",))
    found: dict[str, Any] = {"preset": form.preset} if sells else {}
    exits: dict[str, Any] = {}
    for value, own, exit_ in (
        (form.profit_target, "profit_target_pct", "take_profit_pct"),
        (form.stop_loss, _SALE_STOP if sells else "stop_loss_pct", "stop_loss_pct"),
    ):
        if value is None or (spreads and exit_ == "take_profit_pct"):
            continue
        if own in fields:
            found[own] = _percent(value)
        else:
            exits[exit_] = _percent(value)
    chosen: tuple[tuple[str, Any, Sequence[str]], ...] = (
        ("position", _percent(form.max_position) if form.max_position is not None else None, _SALE_SIZES if sells else _SIZES),
        ("rebalancing", form.rebalancing, ("frequency",)),
        ("allocation", dict(ALLOCATED[form.allocation]) if form.allocation else None, ("weights",)),
    )
    for word, told, names in chosen:
        if told is None:
            continue
        name = next((name for name in names if name in fields), None)
        if name is None:
            return NotUnderstood(word, form.sentence().find(word), f"{form.strategy} has no {word} to set", tuple(fields))
        found[name] = told
    return {**found, "exits": exits} if exits else found


def _percent(fraction: Decimal) -> float:
    return float(fraction * 100)
