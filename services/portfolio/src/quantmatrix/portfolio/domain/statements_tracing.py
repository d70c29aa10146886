"""Where a figure that does not add up goes wrong, as far as the file itself tells it: by what it prints twice, and by its rows.

What is found is said beside the difference and explains nothing away: a file that contradicts itself stays one.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from quantmatrix.common.values import Money, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Summary

CENT = Decimal("0.01")
LINES_MAX = 6
_INTEREST, _BONDS = "Broker Interest Paid and Received", "Bond Interest Paid and Received"
"""Where both lines are there, rows of the one section make them together, and no row says which."""
_TRADED = frozenset({EntryKind.TRADE, EntryKind.CONVERSION})

Share = Callable[[Entry], Money | None]


def contradicted_line(summary: Summary, again: Mapping[str, Money]) -> str:
    """The one line of a sum that no other section prints again, with what would make the sum add up; else what speaks against what.

    again: the same lines as other sections print them, by name.
    """
    against = [one for one in summary.lines if one.name in again and abs(one.amount - again[one.name]).amount > CENT]
    if against:
        return "; ".join(f"{one.name}: {_of(one.amount)} here, {_of(again[one.name])} elsewhere in the file" for one in against[:LINES_MAX])
    alone = [one for one in summary.lines if one.name not in again]
    if len(alone) != 1:
        return ""
    (one,) = alone
    wanted = summary.end - summary.start - summary.moves + one.amount
    return f"only the line {one.name} is printed nowhere else: it says {_of(one.amount)}, the others leave {_of(wanted)}"


def lines_without_rows(summary: Summary, entries: Sequence[Entry]) -> str:
    """The lines of a cash summary that the file's own rows do not make, each with both figures."""
    found = []
    bonds_apart = any(one.name == _BONDS for one in summary.lines)
    for one in summary.lines:
        share = _SHARES.get(one.name)
        if share is None or (bonds_apart and one.name == _INTEREST):
            continue
        made = Money.zero(one.amount.currency)
        for entry in entries:
            part = share(entry)
            if part is not None and part.currency == made.currency:
                made += part
        if abs(made - one.amount).amount > CENT:
            found.append(f"{one.name}: {_of(one.amount)} printed, the rows make {_of(made)}")
    return "; ".join(found[:LINES_MAX])


def _of(amount: Money) -> str:
    return plain(amount.amount)


def _amounts(*kinds: EntryKind) -> Share:
    return lambda entry: entry.amount if entry.kind in kinds else None


def _bought(entry: Entry) -> Money | None:
    return entry.amount if entry.kind in _TRADED and entry.amount is not None and entry.amount.amount < 0 else None


def _sold(entry: Entry) -> Money | None:
    return entry.amount if entry.kind in _TRADED and entry.amount is not None and entry.amount.amount > 0 else None


def _commission(entry: Entry) -> Money | None:
    return -entry.fee if entry.kind in _TRADED and entry.fee is not None else None


_SHARES: dict[str, Share] = {
    "Deposits": _amounts(EntryKind.DEPOSIT),
    "Withdrawals": _amounts(EntryKind.WITHDRAWAL),
    "Dividends": _amounts(EntryKind.DIVIDEND, EntryKind.RETURN_OF_CAPITAL),
    "Payment In Lieu of Dividends": _amounts(EntryKind.PAYMENT_IN_LIEU),
    "Withholding Tax": _amounts(EntryKind.WITHHOLDING_TAX),
    _INTEREST: _amounts(EntryKind.INTEREST),
    "Trades (Sales)": _sold,
    "Trades (Purchase)": _bought,
    "Net Trades (Sales)": _sold,
    "Net Trades (Purchase)": _bought,
    "Commissions": _commission,
}
