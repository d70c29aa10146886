"""A run's capital as a ledger: every booking has two equal sides, and the rows together are the state.

    cash + invested + reserve  =  base + reserve + realised

cash: free capital; invested: what was paid for what is held; realised: profit of the running cycle. A purchase moves cash to
invested, a sale moves it back and books the gain, the end of a cycle moves the gain to base and reserve.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.values import Money
from quantmatrix.signals.domain.envelope import CycleCompleted, Envelope, complete_cycle


class EntryKind(StrEnum):
    """Why a booking was made."""

    OPENED = "opened"
    CARRIED = "carried"
    BOUGHT = "bought"
    SOLD = "sold"
    CYCLE = "cycle"
    CORRECTED = "corrected"
    ENDED = "ended"
    FUNDED = "funded"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one booking changes. Raises ValueError when its sides are not equal. cycle: the number of the cycle that it ends."""

    kind: EntryKind
    cash: Money
    invested: Money
    base: Money
    reserve: Money
    realised: Money
    cycle: int | None = None

    def __post_init__(self) -> None:
        if self.cash + self.invested != self.base + self.realised:
            raise ValueError(
                f"{self.kind}: cash {self.cash} and invested {self.invested} are not base {self.base} and realised {self.realised}"
            )


@dataclass(frozen=True, slots=True)
class Capital:
    """What a run owns, in money. cycle: how many are complete."""

    base: Money
    reserve: Money
    realised: Money
    cash: Money
    invested: Money
    cycle: int = 0

    @property
    def realised_equity(self) -> Money:
        """The base and the profit of the running cycle: what a cycle's target is compared with."""
        return self.base + self.realised


@dataclass(frozen=True, slots=True)
class CycleRules:
    """profit_target 0.20: a cycle ends at base × 1.20; reinvest 0.80: so much of its profit joins the base."""

    profit_target: Decimal
    reinvest: Decimal


def nothing(currency: str) -> Capital:
    """A run before its first booking."""
    zero = Money.zero(currency)
    return Capital(zero, zero, zero, zero, zero)


def opened(base: Money) -> Entry:
    """The run gets its envelope."""
    zero = Money.zero(base.currency)
    return Entry(EntryKind.OPENED, cash=base, invested=zero, base=base, reserve=zero, realised=zero)


def funded(amount: Money) -> Entry:
    """The envelope is given more, or gives back (a negative amount); no profit comes of it."""
    zero = Money.zero(amount.currency)
    return Entry(EntryKind.FUNDED, cash=amount, invested=zero, base=amount, reserve=zero, realised=zero)


def moved(kind: EntryKind, cash: Money, invested: Money) -> Entry:
    """Cash and what is held have changed; what is not balanced was gained or lost."""
    zero = Money.zero(cash.currency)
    return Entry(kind, cash=cash, invested=invested, base=zero, reserve=zero, realised=cash + invested)


def cycle_of(capital: Capital, rules: CycleRules | None) -> tuple[Entry, CycleCompleted] | None:
    """The booking that ends the running cycle, if its target is reached; what is put aside leaves the cash."""
    if rules is None:
        return None
    envelope = Envelope(capital.base, capital.reserve, capital.cycle)
    done = complete_cycle(envelope, capital.realised_equity, rules.profit_target, rules.reinvest)
    if done is None:
        return None
    zero = Money.zero(capital.base.currency)
    entry = Entry(
        EntryKind.CYCLE, cash=-done.reserved, invested=zero, base=done.reinvested, reserve=done.reserved, realised=-done.profit, cycle=done.cycle
    )  # fmt: skip
    return entry, done


def after(capital: Capital, entry: Entry) -> Capital:
    """The capital after one booking."""
    return Capital(
        base=capital.base + entry.base,
        reserve=capital.reserve + entry.reserve,
        realised=capital.realised + entry.realised,
        cash=capital.cash + entry.cash,
        invested=capital.invested + entry.invested,
        cycle=entry.cycle if entry.cycle is not None else capital.cycle,
    )


def summed(entries: Iterable[Entry], currency: str) -> Capital:
    """The state that the rows come to."""
    capital = nothing(currency)
    for entry in entries:
        capital = after(capital, entry)
    return capital
