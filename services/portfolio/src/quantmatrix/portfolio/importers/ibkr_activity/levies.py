"""The section Transaction Fees: stamp duties and the like, which most statements have in the commission of the trade already.

The column Comm/Fee of a trade then has both, and the cash report tells them apart again. Where the cash report does not decide, a fee
belongs to the commission of the trade of its security and moment, if that is large enough to hold it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from quantmatrix.portfolio.domain.statements import Entry, Summary

SECTION = "Transaction Fees"
RESTATED = "a fee that is part of the commission of its trade"
COMMISSION_LINES = frozenset({"Commissions", "GST", "Sales Tax", "VAT"})
_CENT = Decimal("0.01")

_Moment = tuple[str, str, str | None, datetime | None]


def within_commissions(fees: Sequence[Entry], trades: Iterable[Entry], report: Sequence[Summary]) -> set[int]:
    """The lines of those fees that a commission has in it. fees: one entry a row; report: the cash report by currency."""
    charged: dict[str, Decimal] = defaultdict(Decimal)
    by_moment: dict[_Moment, Decimal] = defaultdict(Decimal)
    for trade in trades:
        if trade.fee is not None:
            charged[trade.fee.currency] -= trade.fee.amount
            by_moment[_moment(trade, trade.fee.currency)] -= trade.fee.amount
    levied: dict[_Moment, Decimal] = defaultdict(Decimal)
    for fee in fees:
        if fee.amount is not None:
            levied[_moment(fee, fee.amount.currency)] += fee.amount.amount
    told = {one.end.currency: _told(one, charged[one.end.currency]) for one in report}
    found = set()
    for fee in fees:
        if fee.amount is None:
            continue
        key = _moment(fee, fee.amount.currency)
        inside = told.get(fee.amount.currency)
        if inside is None:
            inside = key in by_moment and levied[key] * by_moment[key] >= 0 and abs(levied[key]) <= abs(by_moment[key])
        if inside:
            found.add(fee.place.line)
    return found


def _moment(entry: Entry, currency: str) -> _Moment:
    return entry.account, currency, entry.symbol, entry.at


def _told(report: Summary, charged: Decimal) -> bool | None:
    """Whether the commissions of a currency hold the fees too, by the cash report; None where it does not decide."""
    lines = {one.name: one.amount.amount for one in report.lines}
    fees = lines.get(SECTION, Decimal(0))
    if not fees:
        return None
    commissions = lines.get("Commissions", Decimal(0))
    taxes = sum((amount for name, amount in lines.items() if name in COMMISSION_LINES and name != "Commissions"), Decimal(0))
    if _between(charged - commissions - fees, taxes):
        return True
    return False if _between(charged - commissions, taxes) else None


def _between(rest: Decimal, taxes: Decimal) -> bool:
    """Whether what is left over is some part of the sales tax, of which the rest was charged on other things."""
    return min(taxes, Decimal(0)) - _CENT <= rest <= max(taxes, Decimal(0)) + _CENT
