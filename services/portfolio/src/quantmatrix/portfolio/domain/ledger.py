"""The ledger of one account, made of everything that happened to it: the order in which it was heard does not matter."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from quantmatrix.common.names import InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.arrivals import Left
from quantmatrix.portfolio.domain.events import Event, in_order
from quantmatrix.portfolio.domain.keeping import Change, Keeper, LedgerRules
from quantmatrix.portfolio.domain.lots import NOTHING, Closing, Lot


@dataclass(slots=True)
class Ledger:
    """Lots by id (closed ones too), closings in order, cash by currency.

    entered: basis that came in less basis that left without a trade, by currency: cash + Σ basis = realised + entered.
    """

    lots: dict[LotId, Lot] = field(default_factory=dict)
    closings: list[Closing] = field(default_factory=list)
    cash: dict[str, Money] = field(default_factory=dict)
    entered: dict[str, Money] = field(default_factory=dict)
    departures: list[Left] = field(default_factory=list)

    def open_lots(self, instrument_id: InstrumentId) -> list[Lot]:
        """What is held of an instrument, in no order."""
        return [lot for lot in self.lots.values() if lot.quantity and lot.instrument.instrument_id == instrument_id]

    def quantity(self, instrument_id: InstrumentId) -> Quantity:
        total = NOTHING
        for lot in self.open_lots(instrument_id):
            total += lot.quantity
        return total

    def basis(self, currency: str) -> Money:
        """Σ basis of what is open. Raises UnknownBasisError while one is unknown."""
        total = Money.zero(currency)
        for lot in self.lots.values():
            if lot.quantity and lot.instrument.currency == currency:
                total += lot.known_basis
        return total

    def realised(self, currency: str) -> Money:
        """Σ gains that are known."""
        total = Money.zero(currency)
        for closing in self.closings:
            if closing.realised is not None and closing.realised.currency == currency:
                total += closing.realised
        return total

    @property
    def pending(self) -> list[Closing]:
        """Closings whose gain waits for a basis."""
        return [closing for closing in self.closings if closing.realised is None]


def booked(events: Iterable[Event], rules: LedgerRules | None = None) -> Ledger:
    """The ledger that these events make. An event given twice counts once; a reversed one not at all.

    They are booked by day: what is effective before the open, what arrives, trades by time and place, what leaves. Raises
    EventConflictError when ids or accounts disagree, and what booking raises (LotChoiceError, NotEnoughHeldError).
    """
    keeper, ledger = Keeper(rules or LedgerRules()), Ledger()
    for event in in_order(events):
        _sum(ledger, keeper.book(event))
    ledger.lots = keeper.lots
    return ledger


def _sum(ledger: Ledger, change: Change) -> None:
    ledger.closings += change.closings
    ledger.departures += change.departures
    for paid in change.paid:
        _add(ledger.cash, paid.amount)
    for basis in change.entered:
        _add(ledger.entered, basis)


def _add(sums: dict[str, Money], amount: Money) -> None:
    sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
