"""What imported statements print of the value of an account, for its returns and the lines of its profit."""

import json
from datetime import date

from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.course import Flow
from quantmatrix.portfolio.performance.periods import Period


async def periods_of(connection: Connection, account_id: AccountId) -> list[Period]:
    """The periods of the files that print the value of this one account."""
    rows = await connection.fetch(
        """select i.first, i.last, i.chapters -> s.number -> 'value' as value from statement_account s
           join statement_import i on i.user_id = s.user_id and i.broker = s.broker and i.chapters ? s.number
           where s.account_id = $1 and s.booked and jsonb_typeof(i.chapters -> s.number -> 'value') = 'object'""",
        account_id,
    )
    return [_period(row["first"], row["last"], row["value"]) for row in rows]


def _period(first: date, last: date, value: str) -> Period:
    told = json.loads(value)
    currency = told["currency"]
    lines = tuple((name, Money.parse(amount, currency)) for name, amount in told["lines"])
    return Period(first, last, Money.parse(told["start"], currency), Money.parse(told["end"], currency), lines)


async def flows_of(connection: Connection, account_id: AccountId, currency: str) -> tuple[list[Flow], list[date]]:
    """Deposits and withdrawals in the account's currency, and the days on which positions came or went without a trade."""
    rows = await connection.fetch(
        """select e.session, e.kind, e.amount, e.currency from statement_entry e
           join statement_account s on s.user_id = e.user_id and s.broker = e.broker and s.number = e.account
           where s.account_id = $1 and e.same_as is null and e.kind in ('deposit', 'withdrawal', 'transfer', 'grant') order by e.session, e.line, e.broker_key""",
        account_id,
    )
    paid = [
        Flow(row["session"], Money(row["amount"], currency))
        for row in rows
        if row["kind"] in ("deposit", "withdrawal") and row["amount"] is not None and row["currency"] == currency
    ]
    return paid, [row["session"] for row in rows if row["kind"] in ("transfer", "grant")]
