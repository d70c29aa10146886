"""Income and costs by year: dividends, interest, fees, withheld taxes, each with its lines."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import assert_never

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, EntryKind


class IncomeKind(StrEnum):
    """What came in or was charged beside trades. Return of capital is no income: it lowers a basis."""

    DIVIDEND = "dividend"
    PAYMENT_IN_LIEU = "payment in lieu"
    INTEREST = "interest"
    WITHHOLDING_TAX = "withholding tax"
    COMMISSION = "commission"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """One line, with the sign of the cash it moved. source: the broker's key of the row, or the id of the execution."""

    on: date
    kind: IncomeKind
    account: str
    symbol: str
    amount: Money
    source: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class IncomeYear:
    """A year's lines of one kind and currency, summed with their signs: a reversal takes away what it reverses."""

    year: int
    kind: IncomeKind
    total: Money
    lines: int


def income_of(entries: Iterable[Entry]) -> list[IncomeLine]:
    """The lines of a statement's entries; commissions are what its trades cost."""
    found = []
    for entry in entries:
        kind = _kind(entry.kind)
        if kind is not None and entry.amount is not None:
            found.append(_line(entry, kind, entry.amount))
        if entry.fee is not None and entry.fee:
            found.append(_line(entry, IncomeKind.COMMISSION, -entry.fee))
    return found


def _kind(kind: EntryKind) -> IncomeKind | None:
    match kind:
        case EntryKind.DIVIDEND:
            return IncomeKind.DIVIDEND
        case EntryKind.PAYMENT_IN_LIEU:
            return IncomeKind.PAYMENT_IN_LIEU
        case EntryKind.INTEREST:
            return IncomeKind.INTEREST
        case EntryKind.WITHHOLDING_TAX:
            return IncomeKind.WITHHOLDING_TAX
        case EntryKind.FEE:
            return IncomeKind.FEE
        case EntryKind.COMMISSION_ADJUSTMENT:
            return IncomeKind.COMMISSION
        case (
            EntryKind.TRADE
            | EntryKind.CONVERSION
            | EntryKind.DEPOSIT
            | EntryKind.WITHDRAWAL
            | EntryKind.RETURN_OF_CAPITAL
            | EntryKind.ADJUSTMENT
            | EntryKind.TRANSFER
            | EntryKind.CORPORATE_ACTION
            | EntryKind.EXERCISE
            | EntryKind.ASSIGNMENT
            | EntryKind.EXPIRY
            | EntryKind.GRANT
        ):
            return None
        case _:
            assert_never(kind)


def _line(entry: Entry, kind: IncomeKind, amount: Money) -> IncomeLine:
    return IncomeLine(entry.session, kind, entry.account, entry.symbol or "", amount, entry.broker_key, entry.text)


def income_by_year(lines: Iterable[IncomeLine]) -> list[IncomeYear]:
    """Sums by year, kind and currency, the latest year first."""
    groups: defaultdict[tuple[int, IncomeKind, str], list[IncomeLine]] = defaultdict(list)
    for line in lines:
        groups[(line.on.year, line.kind, line.amount.currency)].append(line)
    order = list(IncomeKind)
    keys = sorted(groups, key=lambda key: (-key[0], order.index(key[1]), key[2]))
    return [IncomeYear(key[0], key[1], sum((one.amount for one in groups[key]), Money.zero(key[2])), len(groups[key])) for key in keys]
