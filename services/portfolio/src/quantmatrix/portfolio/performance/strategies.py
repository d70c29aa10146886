"""What each strategy brought: a lot's result belongs to who opened it, whoever closed it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.performance.returns import xirr


@dataclass(frozen=True, slots=True)
class OpenedLot:
    """A lot as its opener is judged by it. quantity, basis and value are of what is left; value is None while no price is known."""

    lot_id: str
    triggered_by: str
    opened_on: date
    quantity: Quantity
    basis: Money
    value: Money | None


@dataclass(frozen=True, slots=True)
class ClosedPart:
    """What one closing of a lot brought, and the basis it used up, fees inside both."""

    lot_id: str
    closed_on: date
    proceeds: Money
    basis: Money

    @property
    def gain(self) -> Money:
        return self.proceeds - self.basis


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """realised and unrealised of the lots a strategy opened. unpriced: open lots taken at cost because no price is known.

    cost: the basis of everything it opened, without sign. simple: gain over cost. yearly: the money-weighted rate (XIRR)
    with its purchases and sales as flows; None where no rate solves it. won and lost count closings.
    """

    triggered_by: str
    realised: Money
    unrealised: Money
    cost: Money
    lots: int
    open_lots: int
    unpriced: int
    won: int
    lost: int
    first: date
    simple: float | None
    yearly: float | None

    @property
    def gain(self) -> Money:
        return self.realised + self.unrealised


def results_of(lots: Iterable[OpenedLot], closings: Iterable[ClosedPart], today: date) -> list[StrategyResult]:
    """One result for each opener, by name. Their gains sum to everything that was realised and is unrealised.

    Raises KeyError for a closing of a lot that is not among the lots, CurrencyMismatchError for several currencies.
    """
    parts: defaultdict[str, list[ClosedPart]] = defaultdict(list)
    for part in closings:
        parts[part.lot_id].append(part)
    by_opener: defaultdict[str, list[OpenedLot]] = defaultdict(list)
    for lot in lots:
        by_opener[lot.triggered_by].append(lot)
    known = {lot.lot_id for own in by_opener.values() for lot in own}
    strangers = sorted(set(parts) - known)
    if strangers:
        raise KeyError(f"closings of unknown lots: {', '.join(strangers[:3])}")
    return [
        _result(name, own, [part for lot in own for part in parts.get(lot.lot_id, [])], today) for name, own in sorted(by_opener.items())
    ]


def _result(name: str, lots: Sequence[OpenedLot], closings: Sequence[ClosedPart], today: date) -> StrategyResult:
    currency = lots[0].basis.currency
    realised = unrealised = cost = Money.zero(currency)
    used: defaultdict[str, Money] = defaultdict(lambda: Money.zero(currency))
    flows: list[tuple[date, float]] = []
    for part in closings:
        realised += part.gain
        used[part.lot_id] += part.basis
        flows.append((part.closed_on, float(part.proceeds.amount)))
    for lot in lots:
        opened = lot.basis + used[lot.lot_id]
        cost += abs(opened)
        flows.append((lot.opened_on, -float(opened.amount)))
        if lot.quantity:
            kept = lot.basis if lot.value is None else lot.value
            unrealised += kept - lot.basis
            flows.append((today, float(kept.amount)))
    gain = realised + unrealised
    return StrategyResult(
        triggered_by=name,
        realised=realised,
        unrealised=unrealised,
        cost=cost,
        lots=len(lots),
        open_lots=sum(1 for lot in lots if lot.quantity),
        unpriced=sum(1 for lot in lots if lot.quantity and lot.value is None),
        won=sum(1 for part in closings if part.gain.amount > 0),
        lost=sum(1 for part in closings if part.gain.amount < 0),
        first=min(lot.opened_on for lot in lots),
        simple=float(gain.amount) / float(cost.amount) if cost else None,
        yearly=xirr(flows),
    )
