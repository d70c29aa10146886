"""Where a number comes from: a tree whose every amount is the sum of what stands below it, down to executions and rows of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from quantmatrix.common.names import FillId, LotId
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.reports.disposals import Disposal, RealisedYear


class SourceKind(StrEnum):
    """What the end of a branch is."""

    EXECUTION = "execution"
    ROW = "row of a file"
    PRICE = "closing price"
    RULE = "rule"
    LEDGER = "ledger"
    ACT = "told by a person"


@dataclass(frozen=True, slots=True)
class Source:
    """The end of a branch. reference: the broker's execution id, the row's key, the price's day and instrument, or the id of an act."""

    kind: SourceKind
    reference: str


WASH_SALE = Source(SourceKind.RULE, "wash sale, IRC 1091")


@dataclass(frozen=True, slots=True)
class Derived:
    """A number and the lines it is the sum of; a line without any names its source, unless nobody recorded one.

    drill: the query of the derivation that goes on from a line which stands for many; None where it ends here.
    """

    what: str
    amount: Money
    lines: tuple["Derived", ...] = ()
    source: Source | None = None
    drill: str | None = None


@dataclass(frozen=True, slots=True)
class FileRow:
    """The row of an imported file. printed: what the broker says there of basis and gain; our own figures stand beside it."""

    reference: str
    printed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """What a fill was at the broker. execution_id is None where the fill was stored without one; row: where a file told it."""

    fill_id: FillId
    execution_id: str | None
    on: date
    side: str
    quantity: Quantity
    price: Price
    fee: Money
    row: FileRow | None = None

    @property
    def source(self) -> Source | None:
        """The broker's id, else the row of the file; None where neither was recorded."""
        if self.execution_id is not None:
            return Source(SourceKind.EXECUTION, self.execution_id)
        return None if self.row is None else Source(SourceKind.ROW, self.row.reference)

    @property
    def words(self) -> str:
        printed = f", the broker prints {' and '.join(self.row.printed)}" if self.row is not None and self.row.printed else ""
        return f"{self.side} {self.quantity} at {self.price}, fee {plain(self.fee.amount)}, on {self.on.isoformat()}{printed}"


def faults(tree: Derived) -> list[str]:
    """Where a sum differs from its lines, or a branch ends in nothing; empty when the number is derived completely."""
    found = []
    for _, one in flat(tree):
        if one.lines:
            total = sum((line.amount for line in one.lines), Money.zero(one.amount.currency))
            if total != one.amount:
                found.append(f"{one.what}: {one.amount}, its lines sum to {total}")
        elif one.source is None:
            found.append(f"{one.what}: no source")
    return found


def flat(tree: Derived, depth: int = 0) -> Iterator[tuple[int, Derived]]:
    """The tree line by line with its depth, as a page prints it."""
    yield depth, tree
    for line in tree.lines:
        yield from flat(line, depth + 1)


def of_disposal(one: Disposal, lot: Lot, executions: Mapping[FillId, Execution]) -> Derived:
    """A realised gain: what the closing execution brought, less the basis that the opening one left, and wash sales."""
    if one.gain is None or one.proceeds is None or one.basis is None:
        raise ValueError(f"the gain of closing {one.closing_id} is pending: its basis or its proceeds are not known")
    lines = [
        _part(f"share of closing {abs(one.quantity)} {one.symbol}", one.proceeds, one.fill_id, executions),
        _part(f"basis of {abs(one.quantity)} {one.symbol} of lot {one.lot_id}", -(one.basis - one.added), lot.fill_id, executions),
    ]
    if one.added:
        lines.append(Derived("loss of an earlier wash sale in the basis", -one.added, source=WASH_SALE))
    if one.disallowed:
        lines.append(Derived("loss disallowed", one.disallowed, source=WASH_SALE))
    return Derived(f"closing {one.closing_id} of {one.disposed_on.isoformat()}", one.gain, tuple(lines))


def of_year(
    year: RealisedYear, disposals: Iterable[Disposal], lots: Mapping[LotId, Lot], executions: Mapping[FillId, Execution]
) -> Derived:
    """A year's realised gain of one treatment and currency, from its closings."""
    own = [
        one
        for one in disposals
        if (one.disposed_on.year, one.treatment, one.currency) == (year.year, year.treatment, year.currency) and one.gain is not None
    ]
    lines = tuple(of_disposal(one, lots[one.lot_id], executions) for one in own)
    return _summed(f"realised in {year.year}, {year.treatment}", year.gain, lines)


def of_lot(lot: Lot, basis: Money, executions: Mapping[FillId, Execution]) -> Derived:
    """What the rest of a lot cost, from what opened it."""
    part = _part(f"basis of {lot.quantity} of {lot.opened_quantity} {lot.instrument.symbol}", basis, lot.fill_id, executions)
    return Derived(f"cost of lot {lot.lot_id}", basis, (part,))


def of_unrealised(
    symbol: str, value: Money, price: Price, priced_on: date, lots: Sequence[Lot], executions: Mapping[FillId, Execution]
) -> Derived:
    """What a position stands above its basis: its value at a close, less the basis of each of its lots."""
    units = sum((lot.quantity for lot in lots), Quantity(0))
    marked = Derived(
        f"{units} {symbol} at {price}", value, source=Source(SourceKind.PRICE, f"{symbol} on {priced_on.isoformat()}")
    )  # fmt: skip
    bases = tuple(_part(f"basis of {lot.quantity} in lot {lot.lot_id}", -lot.known_basis, lot.fill_id, executions) for lot in lots)
    gain = sum((line.amount for line in bases), value)
    return Derived(f"unrealised of {symbol}", gain, (marked, *bases))


def _part(what: str, amount: Money, fill_id: FillId, executions: Mapping[FillId, Execution]) -> Derived:
    found = executions.get(fill_id)
    if found is None or found.source is None:
        return Derived(f"{what}, fill {fill_id}", amount)
    return Derived(f"{what}: {found.words}", amount, source=found.source)


def _summed(what: str, amount: Money, lines: tuple[Derived, ...]) -> Derived:
    nothing = Source(SourceKind.RULE, "nothing was closed")
    return Derived(what, amount, lines, None if lines else nothing)
