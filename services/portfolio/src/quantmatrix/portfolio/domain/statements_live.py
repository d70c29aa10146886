"""Cash that a statement prints and fills do not bring: what of it is booked into an account that execution opened, and what is a break."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from quantmatrix.common.ids import derived_id
from quantmatrix.common.values import Money, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.domain.statements_account import Chapter
from quantmatrix.portfolio.domain.statements_cash import CashLine, cash_lines, moves_of
from quantmatrix.portfolio.domain.statements_matching import CENTS, Break, BreakKind
from quantmatrix.portfolio.domain.statements_securities import spelled
from quantmatrix.portfolio.domain.statements_standing import standing

APART_MAX = timedelta(days=5)
"""How far the day of payment and the day on which an action takes effect may lie apart."""
_CASH = frozenset(
    {
        EntryKind.DEPOSIT, EntryKind.WITHDRAWAL, EntryKind.DIVIDEND, EntryKind.PAYMENT_IN_LIEU, EntryKind.RETURN_OF_CAPITAL,
        EntryKind.WITHHOLDING_TAX, EntryKind.INTEREST, EntryKind.FEE, EntryKind.COMMISSION_ADJUSTMENT, EntryKind.ADJUSTMENT,
        EntryKind.TRANSFER,
    }
)  # fmt: skip
_OF_ACTIONS = frozenset({EntryKind.CORPORATE_ACTION, EntryKind.RETURN_OF_CAPITAL})


@dataclass(frozen=True, slots=True)
class Moved:
    """Cash that one side has moved, what for, and when. reference: what that side calls it; symbol: empty where it is of no security."""

    what: str
    symbol: str
    session: date
    amount: Money
    reference: str

    def words(self) -> str:
        return f"{self.what.replace('_', ' ')} of {plain(self.amount.amount)} {self.amount.currency}"


@dataclass(frozen=True, slots=True)
class LiveCash:
    """lines: what is booked, once each. breaks: what is not, with what the ledger has."""

    lines: tuple[CashLine, ...]
    breaks: tuple[Break, ...]


def live_cash(entries: Sequence[Entry], counts_on: Callable[[Entry], date], opened: date, acted: Sequence[Moved]) -> LiveCash:
    """What statements add to an account that was opened with its cash on a day.

    Rows that count before that day were part of that cash; rows of the day itself may be, and are left to a person. acted: cash of corporate
    actions that somebody told; a row that says the same is the same, one that says something else of the same security and days is a break.
    """
    waiting, booked, breaks = list(acted), [], []
    for entry in standing(list(entries)):
        if not moves_of(entry) or entry.kind not in _CASH | _OF_ACTIONS or counts_on(entry) < opened:
            continue
        printed = Moved(entry.kind.value, spelled(entry.symbol or ""), entry.session, moves_of(entry)[0], entry.broker_key)
        other = _told(printed, waiting) if entry.kind in _OF_ACTIONS else None
        if other is not None:
            waiting.remove(other)
            if other.amount.currency != printed.amount.currency or abs(other.amount - printed.amount).amount > CENTS:
                breaks.append(Break(BreakKind.DIFFERENT, printed.symbol, printed.session, (printed,), (other,)))
        elif entry.kind is EntryKind.CORPORATE_ACTION or counts_on(entry) == opened:
            breaks.append(Break(BreakKind.MISSING, printed.symbol, printed.session, (printed,), ()))
        else:
            booked.append(entry)
    return LiveCash(tuple(cash_lines(booked, counts_on)), tuple(breaks))


def cash_apart(chapter: Chapter, ledger: Mapping[str, Money], account_id: str) -> list[Break]:
    """Currencies of which the cash of a file's days changed otherwise here than between its two ends. ledger: how it changed here, by currency."""
    printed = {end.currency: end - start for start, end in zip(chapter.cash, chapter.ending_cash, strict=True)}
    found = []
    for currency in sorted(printed):
        own = ledger.get(currency, Money.zero(currency))
        if abs(printed[currency] - own).amount > CENTS:
            about = str(derived_id("cash of a statement", account_id, chapter.first, chapter.last, currency))
            sides = [Moved("change_of_cash", "", chapter.last, amount, about) for amount in (printed[currency], own)]
            found.append(Break(BreakKind.DIFFERENT, "", chapter.last, (sides[0],), (sides[1],)))
    return found


def _told(printed: Moved, waiting: Sequence[Moved]) -> Moved | None:
    """What the ledger has of the same security around the same day, the same amount first."""
    near = [one for one in waiting if one.symbol == printed.symbol and abs(one.session - printed.session) <= APART_MAX]
    return min(near, key=lambda one: (one.amount != printed.amount, abs(one.session - printed.session)), default=None)
