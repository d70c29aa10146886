"""An account's book of one instrument: its lots and what they have realised, made from facts one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from quantmatrix.common.names import LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import Booked, Fill, Lot, Picker, Split, book_fill, oldest_first, split_lots
from quantmatrix.portfolio.domain.methods import LotMethods, picker_for

ALWAYS_FIFO = LotMethods()


@dataclass(frozen=True, slots=True)
class Book:
    """Lots by id (closed ones too, with nothing left), realised gain, and the cash the fills moved."""

    currency: str
    lots: dict[LotId, Lot] = field(default_factory=dict)
    realised: Money | None = None
    cash: Money | None = None

    @property
    def quantity(self) -> Quantity:
        total = Quantity(0)
        for lot in self.lots.values():
            total += lot.quantity
        return total

    @property
    def basis(self) -> Money:
        """What is in the lots. Raises UnknownBasisError while one of them has no basis."""
        total = Money.zero(self.currency)
        for lot in self.lots.values():
            total += lot.known_basis
        return total


def with_fill(book: Book, fill: Fill, pick: Picker = oldest_first) -> tuple[Book, Booked]:
    """The book after a fill, and what the fill did."""
    booked = book_fill(fill, [lot for lot in book.lots.values() if lot.quantity], pick)
    lots = dict(book.lots)
    for lot in booked.changed:
        lots[lot.lot_id] = lot
    if booked.opened is not None:
        lots[booked.opened.lot_id] = booked.opened
    gain = booked.realised or Money.zero(book.currency)
    moved = cash_moved(fill)
    return replace(
        book,
        lots=lots,
        realised=(book.realised or Money.zero(book.currency)) + gain,
        cash=(book.cash or Money.zero(book.currency)) + moved,
    ), booked


def with_split(book: Book, split: Split) -> Book:
    """The book after a split."""
    return replace(book, lots=_split(book.lots, split))


def _split(lots: Mapping[LotId, Lot], split: Split) -> dict[LotId, Lot]:
    after = {lot.lot_id: lot for lot in split_lots(lots.values(), split)}
    return {lot_id: after[lot_id] for lot_id in lots}


def rebuilt(currency: str, facts: Iterable[Fill | Split], methods: LotMethods = ALWAYS_FIFO) -> Book:
    """The book that these facts make, from nothing, in their order, each fill by the method of its day."""
    lots: dict[LotId, Lot] = {}
    held: dict[LotId, Lot] = {}
    realised: Money | None = None
    cash: Money | None = None
    nothing = Money.zero(currency)
    for fact in facts:
        if isinstance(fact, Split):
            lots = _split(lots, fact)
            held = {lot_id: lots[lot_id] for lot_id in held}
            continue
        booked = book_fill(fact, list(held.values()), picker_for(methods.on(fact.session)))
        for lot in (*booked.changed, *([booked.opened] if booked.opened is not None else [])):
            lots[lot.lot_id] = lot
            if lot.quantity:
                held[lot.lot_id] = lot
            else:
                held.pop(lot.lot_id, None)
        realised = (realised or nothing) + (booked.realised or nothing)
        cash = (cash or nothing) + cash_moved(fact)
    return Book(currency, lots, realised, cash)


def cash_moved(fill: Fill) -> Money:
    """What a fill does to the cash: the trade's value against its side, less the fee."""
    value = fill.value
    return (-value if fill.side.sign > 0 else value) - fill.fee
