"""Where the profit of each session came from: the mark to market of its positions, and what was paid and received."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.attribution import PnlLine

NO_PROFIT = ("opening", "trade", "corporate_action", "deposit", "withdrawal", "transfer", "conversion")
"""Kinds of cash that are in no line: they cross the border, or the marks of positions have them."""
_OF_CASH = {
    "dividend": PnlLine.DIVIDENDS,
    "payment_in_lieu": PnlLine.PAYMENT_IN_LIEU,
    "return_of_capital": PnlLine.RETURN_OF_CAPITAL,
    "withholding_tax": PnlLine.WITHHOLDING_TAX,
    "commission": PnlLine.COMMISSIONS,
    "commission_adjustment": PnlLine.COMMISSIONS,
    "adjustment": PnlLine.ADJUSTMENTS,
}


@dataclass(frozen=True, slots=True)
class DayLines:
    """The lines of one session of one account, and the value of units that crossed its border without a trade."""

    session: date
    lines: tuple[tuple[str, Money], ...]
    transferred: Money


@dataclass(frozen=True, slots=True)
class Days:
    """The sessions with lines, in order. known_since: lines of sessions after it are whole; None where all are."""

    sessions: tuple[DayLines, ...] = ()
    known_since: date | None = None


NO_DAYS = Days()


async def days_of(connection: Connection, account_id: AccountId, currency: str) -> Days:
    """Mark to market from the kept values, everything else from the cash that moved in the account's currency."""
    lines: defaultdict[date, defaultdict[PnlLine, Money]] = defaultdict(lambda: defaultdict(lambda: Money.zero(currency)))
    transferred: defaultdict[date, Money] = defaultdict(lambda: Money.zero(currency))
    known_since: date | None = None
    for row in await connection.fetch(
        """select session, sum(prior) as prior, sum(transactions) as transactions, sum(transferred) as transferred, bool_or(baseline) as baseline
           from day_mark where account_id = $1 group by session order by session""",
        account_id,
    ):
        day = row["session"]
        lines[day][PnlLine.PRIOR_POSITIONS] += Money(row["prior"], currency)
        lines[day][PnlLine.TRANSACTIONS] += Money(row["transactions"], currency)
        transferred[day] += Money(row["transferred"], currency)
        if row["baseline"]:
            known_since = day
    for row in await connection.fetch(
        """select coalesce((select min(s.session) from snapshot s where s.account_id = e.account_id and s.session >= e.session), e.session) as session,
             kind, stated, amount > 0 as received, sum(amount) as amount
           from cash_entry e where account_id = $1 and currency = $2 and session is not null and kind <> all($3::text[]) group by 1, 2, 3, 4""",
        account_id, currency, list(NO_PROFIT),
    ):  # fmt: skip
        lines[row["session"]][line_of(row["kind"], stated=row["stated"], received=row["received"])] += Money(row["amount"], currency)
    found = tuple(
        DayLines(
            day, tuple((line.value, lines[day][line]) for line in PnlLine if line in lines[day] and lines[day][line]), transferred[day]
        )
        for day in sorted(lines)
    )
    return Days(found, known_since)


def line_of(kind: str, *, stated: bool, received: bool) -> PnlLine:
    """What cash of a kind is: the fee of a fill is a commission, one that a statement tells is another fee."""
    if kind == "fee":
        return PnlLine.OTHER_FEES if stated else PnlLine.COMMISSIONS
    if kind == "interest":
        return PnlLine.CREDIT_INTEREST if received else PnlLine.DEBIT_INTEREST
    return _OF_CASH.get(kind, PnlLine.ADJUSTMENTS)
