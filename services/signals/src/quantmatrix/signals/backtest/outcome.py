"""What happened in a backtest, in order: fills, orders that were not filled, and the run after every session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.book import RunFill
from quantmatrix.signals.domain.decisions import Decision


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. decided_on is the session of the decision; reasons are those of the decision.

    carried: the cost that contracts leave to the shares which they deliver at their end.
    symbol: that of the session; known_as: how results name the contract, where a split gave it other symbols. Empty for the symbol itself.
    """

    number: int
    session: date
    decided_on: date
    symbol: str
    side: Side
    kind: SignalKind
    quantity: Quantity
    price: Price
    fee: Money
    held_after: Quantity
    reasons: tuple[str, ...]
    strength: float
    known_as: str = ""
    carried: Money | None = None

    @property
    def name(self) -> str:
        """What trades and figures are counted by."""
        return self.known_as or self.symbol

    @classmethod
    def of(
        cls,
        number: int,
        session: date,
        symbol: str,
        decision: Decision,
        decided_on: date,
        own: RunFill,
        held_after: Quantity,
        known_as: str = "",
    ) -> "Fill":
        """What a decision became."""
        return cls(
            number=number,
            session=session,
            decided_on=decided_on,
            symbol=symbol,
            side=own.side,
            kind=decision.kind,
            quantity=own.quantity,
            price=own.price,
            fee=own.fee,
            held_after=held_after,
            reasons=tuple([f"{because.code}: {because.text}" for because in decision.reasons if because.met]),
            strength=decision.strength,
            known_as=known_as,
            carried=own.carried,
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that was not filled, or not whole, and why."""

    session: date
    symbol: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Point:
    """The run after a session's close."""

    session: date
    equity: Money
    cash: Money


@dataclass(slots=True)
class Outcome:
    """What happened, in order. both_reached counts bars that reached stop and target; held is what is left at the end, by symbol.

    contracts: how results name the contracts that were traded. symbols: under which symbol each of these is held at the end.
    """

    fills: Sequence[Fill] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)
    warnings: list[Decision] = field(default_factory=list)
    both_reached: int = 0
    held: dict[str, Quantity] = field(default_factory=dict)
    contracts: dict[InstrumentId, str] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
