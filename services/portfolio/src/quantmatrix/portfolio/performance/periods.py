"""Returns of accounts whose value only statements tell: the value at both ends of each file, and what the file says moved it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.attribution import PnlLine
from quantmatrix.portfolio.performance.course import Course, Flow, Mark

ONE_DAY = timedelta(days=1)
MARKED = "mark to market"
INTEREST = "interest"
_FLOWS = frozenset(
    {
        "depositswithdrawals", "depositsandwithdrawals", "positiontransfers", "accounttransfers", "assettransfers", "internalcashtransfers",
        "internaltransfers", "grantactivity", "linkingadjustments", "debitcardactivity", "billpay",
    }
)  # fmt: skip
_LINES = {
    "marktomarket": MARKED,
    "mtm": MARKED,
    "realized": "realised",
    "changeinunrealized": "change in unrealised",
    "commissions": PnlLine.COMMISSIONS.value,
    "dividends": PnlLine.DIVIDENDS.value,
    "paymentinlieu": PnlLine.PAYMENT_IN_LIEU.value,
    "paymentinlieuofdividends": PnlLine.PAYMENT_IN_LIEU.value,
    "withholdingtax": PnlLine.WITHHOLDING_TAX.value,
    "interest": INTEREST,
    "otherfees": PnlLine.OTHER_FEES.value,
    "fees": PnlLine.OTHER_FEES.value,
    "transactiontax": PnlLine.TRANSACTION_TAXES.value,
    "transactionfees": PnlLine.TRANSACTION_TAXES.value,
    "changeindividendaccruals": PnlLine.DIVIDEND_ACCRUALS.value,
    "changeininterestaccruals": PnlLine.INTEREST_ACCRUALS.value,
    "otherfxtranslations": PnlLine.CURRENCY.value,
    "fxtranslation": PnlLine.CURRENCY.value,
}


@dataclass(frozen=True, slots=True)
class Period:
    """A file's own account of a value: at the end of the day before `first`, at the end of `last`, and the printed lines between them."""

    first: date
    last: date
    start: Money
    end: Money
    printed: tuple[tuple[str, Money], ...]

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def flows(self) -> Money:
        """What the file says crossed the border, net."""
        return _sum((amount for name, amount in self.printed if _compact(name) in _FLOWS), self.start.currency)

    @property
    def lines(self) -> list[tuple[str, Money]]:
        """Lines of economic profit under our names; what we have no name for keeps the broker's."""
        found: dict[str, Money] = {}
        for name, amount in self.printed:
            if _compact(name) not in _FLOWS:
                own = _LINES.get(_compact(name), name)
                found[own] = found.get(own, Money.zero(amount.currency)) + amount
        return [(name, amount) for name, amount in found.items() if amount]


def _compact(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def chain_of(periods: Iterable[Period]) -> list[Period]:
    """Periods that do not overlap and together cover as many days as any: of equal ones the finer."""
    ordered = sorted(periods, key=lambda one: (one.last, one.first))
    best: list[tuple[int, int, list[Period]]] = [(0, 0, [])]
    for place, one in enumerate(ordered):
        before = next(index for index in range(place, -1, -1) if index == 0 or ordered[index - 1].last < one.first)
        days, count, chosen = best[before]
        taken = (days + one.days, count + 1, [*chosen, one])
        best.append(max(best[-1], taken, key=lambda found: found[:2]))
    return best[-1][2]


def course_of(periods: Sequence[Period], paid: Sequence[Flow], moved_on: Sequence[date]) -> Course | None:
    """The course that files tell; None without one. Between its marks returns are weighted by days (Modified Dietz).

    paid: deposits and withdrawals by day, in the currency of the value. moved_on: days on which positions came or went. What a file
    prints as flows beyond what was paid counts on the first of those days in its period, else on its first day. Of a time that no file
    covers nothing is known: what the value changed by in it counts as a flow at its end, so that no return is made up.
    """
    chain = chain_of(periods)
    if not chain:
        return None
    marks: dict[date, Money] = {one.last: one.end for one in periods}
    flows: list[Flow] = []
    for place, one in enumerate(chain):
        if place and chain[place - 1].last != one.first - ONE_DAY:
            marks[one.first - ONE_DAY] = one.start
            flows.append(Flow(one.first - ONE_DAY, one.start - chain[place - 1].end))
        own = [flow for flow in paid if one.first <= flow.on <= one.last]
        rest = one.flows - _sum((flow.amount for flow in own), one.start.currency)
        flows += [*own, Flow(min((day for day in moved_on if one.first <= day <= one.last), default=one.first), rest)]
    start = chain[0].first - ONE_DAY
    known = tuple(Mark(on, marks[on]) for on in sorted(marks) if on > start)
    kept = tuple(sorted((flow for flow in flows if flow.amount), key=lambda flow: flow.on))
    return Course(Mark(start, chain[0].start), known, kept, weighted=True)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    total = Money.zero(currency)
    for amount in amounts:
        total += amount
    return total
