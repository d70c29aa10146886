"""What is taken over as the plain CSV that `qm import` reads: one row a trade, a dividend or a tax withheld."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence

from quantmatrix.common.names import AccountId, Side
from quantmatrix.common.values import plain
from quantmatrix.operations.legacy.found import Found, Income, Trade

COLUMNS = (
    "date", "kind", "currency", "id", "account", "time", "symbol", "asset", "quantity", "price", "multiplier", "amount", "fee", "text",
)  # fmt: skip
ROWS_A_FILE = 200_000
STATEMENT = ".csv"
_KINDS = {"return_of_capital": "return_of_capital"}


def statements_of(found: Found) -> dict[str, bytes]:
    """The files by name: those of one account in the order of time, cut where one would be longer than an import may be."""
    rows: dict[AccountId, list[tuple[str, ...]]] = defaultdict(list)
    for trade in sorted(found.trades, key=lambda one: (one.account, one.at, one.key)):
        rows[trade.account].append(_trade(trade))
    for income in sorted(found.income, key=lambda one: (one.account, one.paid_on, one.key)):
        rows[income.account] += _income(income)
    return {
        f"{account}-{number:02}{STATEMENT}": _written(part)
        for account, mine in sorted(rows.items())
        for number, part in enumerate(_parts(mine), 1)
    }


def _parts(rows: Sequence[tuple[str, ...]]) -> Iterator[Sequence[tuple[str, ...]]]:
    for start in range(0, len(rows), ROWS_A_FILE):
        yield rows[start : start + ROWS_A_FILE]


def _written(rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()


def _trade(trade: Trade) -> tuple[str, ...]:
    bought = trade.side is Side.BUY
    quantity = trade.quantity if bought else -trade.quantity
    amount = -trade.value if bought else trade.value
    said = f"triggered_by={trade.triggered_by}" + (f" order={trade.order_id}" if trade.order_id else "")
    return (
        trade.session.isoformat(), "trade", trade.instrument.currency, trade.key, trade.account, trade.at.isoformat(),
        trade.instrument.symbol, trade.instrument.asset_class.value, str(quantity), str(trade.price), str(trade.instrument.multiplier),
        plain(amount.amount), plain(trade.fee.amount), said,
    )  # fmt: skip


def _income(income: Income) -> Iterator[tuple[str, ...]]:
    def row(kind: str, key: str, amount: str) -> tuple[str, ...]:
        said = f"type={income.kind}"
        return (
            income.paid_on.isoformat(),
            kind,
            income.gross.currency,
            key,
            income.account,
            "",
            income.symbol,
            "",
            "",
            "",
            "",
            amount,
            "",
            said,
        )

    yield row(_KINDS.get(income.kind, "dividend"), f"dividend-{income.key}", plain(income.gross.amount))
    if income.tax:
        yield row("withholding_tax", f"tax-{income.key}", plain((-income.tax).amount))
