"""Disposals in the shape of Form 8949 (sales and other dispositions of capital assets), to the cent.

Columns a to h are those of the form. Which box applies depends on what the broker reported, which only its 1099-B says: the
person who files chooses it. Nothing here is advice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.terms import Term
from quantmatrix.portfolio.reports.disposals import Disposal, brought_and_cost
from quantmatrix.portfolio.reports.tables import Cell, csv_of
from quantmatrix.portfolio.reports.workbook import workbook_of

HEADER = (
    "Part", "(a) Description of property", "(b) Date acquired", "(c) Date sold or disposed of", "(d) Proceeds",
    "(e) Cost or other basis", "(f) Code", "(g) Adjustment", "(h) Gain or loss", "Currency", "Account", "Lot", "Closing", "Basis by",
)  # fmt: skip
WASH_SALE, OTHER = "W", "O"
CENTS = 2
_PARTS = {Term.SHORT: "I", Term.LONG: "II", Term.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class FormRow:
    """One line. Amounts are rounded once, and gain = proceeds - cost + adjustment holds between the rounded ones.

    Amounts are None while the basis is unknown: the line is listed so that nobody forgets it, and is in no total.
    """

    part: str
    description: str
    acquired_on: date | None
    disposed_on: date
    proceeds: Money | None
    cost: Money | None
    code: str
    adjustment: Money | None
    disposal: Disposal

    @property
    def gain(self) -> Money | None:
        if self.proceeds is None or self.cost is None:
            return None
        return self.proceeds - self.cost + (self.adjustment or Money.zero(self.proceeds.currency))


def rows_of(disposals: Iterable[Disposal], year: int | None = None) -> list[FormRow]:
    """The taxable disposals of a year (of all years when None): Part I first, then Part II, then those of unknown term."""
    chosen = [one for one in disposals if one.treatment is Treatment.TAXABLE and year in (None, one.disposed_on.year)]
    return [_row(one) for term in _PARTS for one in chosen if one.term is term]


def form_8949(disposals: Iterable[Disposal], year: int | None = None) -> str:
    """The lines as CSV, and under each part its totals in each currency."""
    return csv_of(HEADER, cells_of(disposals, year))


def form_8949_workbook(disposals: Iterable[Disposal], year: int | None = None) -> bytes:
    """The same as a workbook of one sheet."""
    return workbook_of("Form 8949", HEADER, cells_of(disposals, year))


def cells_of(disposals: Iterable[Disposal], year: int | None = None) -> list[tuple[Cell, ...]]:
    """The lines, and under each part its totals in each currency."""
    rows = rows_of(disposals, year)
    cells: list[tuple[Cell, ...]] = []
    for part in _PARTS.values():
        own = [row for row in rows if row.part == part]
        cells += [_cells(row) for row in own]
        cells += [_total(part, currency, own) for currency in sorted({row.disposal.currency for row in own})]
    return cells


def _row(one: Disposal) -> FormRow:
    brought, cost = brought_and_cost(one)
    is_short = one.quantity.value < 0
    return FormRow(
        part=_PARTS[one.term],
        description=f"{abs(one.quantity)} {one.symbol}" + (" (short sale)" if is_short else ""),
        # A short sale is closed with what was bought to cover it, on the day it was bought.
        acquired_on=one.disposed_on if is_short else one.acquired_on,
        disposed_on=one.disposed_on,
        proceeds=None if brought is None else brought.rounded(CENTS),
        cost=None if cost is None else cost.rounded(CENTS),
        code=_code(one),
        adjustment=one.disallowed.rounded(CENTS) if one.disallowed else None,
        disposal=one,
    )


def _code(one: Disposal) -> str:
    """W for a loss that does not count; a broker also adjusts for other reasons, such as a premium that belongs to delivered shares."""
    if not one.disallowed:
        return ""
    washed = one.disallowed.amount > 0 and one.proceeds is not None and one.basis is not None and one.proceeds.amount < one.basis.amount
    return WASH_SALE if washed else OTHER


def _cells(row: FormRow) -> tuple[Cell, ...]:
    one = row.disposal
    return (
        row.part, row.description, row.acquired_on, row.disposed_on, _cents(row.proceeds), _cents(row.cost), row.code,
        _cents(row.adjustment), _cents(row.gain), one.currency, one.account_id, str(one.lot_id), str(one.closing_id),
        one.basis_by,
    )  # fmt: skip


def _total(part: str, currency: str, rows: Iterable[FormRow]) -> tuple[Cell, ...]:
    known = [row for row in rows if row.disposal.currency == currency and row.gain is not None]
    nothing = Money.zero(currency)
    proceeds = sum((row.proceeds for row in known if row.proceeds is not None), nothing)
    cost = sum((row.cost for row in known if row.cost is not None), nothing)
    adjustment = sum((row.adjustment for row in known if row.adjustment is not None), nothing)
    gain = proceeds - cost + adjustment
    return (
        part, f"Total of part {part} (lines: {len(known)})", None, None, _cents(proceeds), _cents(cost), "", _cents(adjustment),
        _cents(gain), currency, "", "", "", "",
    )  # fmt: skip


def _cents(amount: Money | None) -> Cell:
    """With both digits, as the form has it."""
    return None if amount is None else Decimal(f"{amount.rounded(CENTS).amount:.2f}")
