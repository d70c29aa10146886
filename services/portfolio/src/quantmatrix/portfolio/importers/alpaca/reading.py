"""Alpaca's activities: fills and everything else, each with an id of its own. A line is the place in the list."""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar, NoReturn

from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import ROWS_MAX, Row, UnreadableCellError, moment_of, refuse_hostile, text_of
from quantmatrix.portfolio.ports import StatementError

CURRENCY = "USD"
_OCC = re.compile(r"[A-Z.]{1,6}\d{6}[CP]\d{8}")
_MOMENTS = ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z")
_KINDS = {
    "DIV": EntryKind.DIVIDEND, "DIVCGL": EntryKind.DIVIDEND, "DIVCGS": EntryKind.DIVIDEND, "DIVTXEX": EntryKind.DIVIDEND, "CGD": EntryKind.DIVIDEND,
    "DIVROC": EntryKind.RETURN_OF_CAPITAL, "DIVNRA": EntryKind.WITHHOLDING_TAX, "DIVFT": EntryKind.WITHHOLDING_TAX, "DIVTW": EntryKind.WITHHOLDING_TAX,
    "DIVFEE": EntryKind.FEE, "INT": EntryKind.INTEREST, "INTNRA": EntryKind.WITHHOLDING_TAX, "INTTW": EntryKind.WITHHOLDING_TAX,
    "FEE": EntryKind.FEE, "CFEE": EntryKind.FEE, "PTC": EntryKind.FEE, "PTR": EntryKind.FEE, "CSD": EntryKind.DEPOSIT, "CSR": EntryKind.DEPOSIT,
    "CSW": EntryKind.WITHDRAWAL, "TRANS": EntryKind.DEPOSIT, "JNLC": EntryKind.DEPOSIT, "JNLS": EntryKind.TRANSFER, "JNL": EntryKind.TRANSFER,
    "ACATC": EntryKind.TRANSFER, "ACATS": EntryKind.TRANSFER, "MISC": EntryKind.ADJUSTMENT, "OPASN": EntryKind.ASSIGNMENT,
    "OPEXC": EntryKind.EXERCISE, "OPXRC": EntryKind.EXERCISE, "OPEXP": EntryKind.EXPIRY, "MA": EntryKind.CORPORATE_ACTION, "NC": EntryKind.CORPORATE_ACTION,
    "REORG": EntryKind.CORPORATE_ACTION, "SC": EntryKind.CORPORATE_ACTION, "SSO": EntryKind.CORPORATE_ACTION, "SSP": EntryKind.CORPORATE_ACTION,
    "SPIN": EntryKind.CORPORATE_ACTION, "SPLIT": EntryKind.CORPORATE_ACTION, "OPTRD": EntryKind.TRADE,
}  # fmt: skip
_WITH_UNITS = {
    EntryKind.TRANSFER, EntryKind.ASSIGNMENT, EntryKind.EXERCISE, EntryKind.EXPIRY, EntryKind.CORPORATE_ACTION, EntryKind.TRADE,
}  # fmt: skip


class AlpacaImporter:
    """Fees come as activities of their own, so that a fill has none; a contract's multiplier is told by its symbol."""

    name: ClassVar[str] = "alpaca"
    title: ClassVar[str] = "Alpaca account activities (JSON)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        start = head.decode("utf-8", errors="ignore").removeprefix("\ufeff").lstrip()
        return start.startswith("[") and '"activity_type"' in start

    def read(self, body: bytes) -> Statement:
        collected = Collected()
        for number, item in enumerate(_items(text_of(body)), start=1):
            row = _row(number, item)
            try:
                kind = row.needed("activity_type")
                if kind != "FILL" and kind not in _KINDS:
                    collected.strange(row.place, "a type of activity that is not known", row.cells)
                    continue
                collected.book_by_id(_fill(row) if kind == "FILL" else _other(row, _KINDS[kind]), row.needed("id"))
            except ValueError as error:
                collected.damaged(row, error)
        return collected.statement(self.name, CURRENCY)


def _items(text: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise StatementError("not readable as JSON, as if cut off or edited", line=error.lineno) from error
    except RecursionError as error:
        raise StatementError("lists lie too deep in each other") from error
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise StatementError("expected a list of activities")
    if len(found) > ROWS_MAX:
        raise StatementError(f"more than {ROWS_MAX} activities")
    return found


def _refuse(constant: str) -> NoReturn:
    raise StatementError("a number that is infinite, or none at all")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StatementError("an activity names a field twice")
    return found


def _row(number: int, item: Mapping[str, Any]) -> Row:
    cells = ["" if value is None else value if isinstance(value, str) else json.dumps(value) for value in item.values()]
    refuse_hostile(cells, number)
    return Row(Place(number), {name: index for index, name in enumerate(item)}, cells)


def _multiplier(symbol: str) -> Quantity:
    return CONTRACT_SIZE if _OCC.fullmatch(symbol) else Quantity(1)


def _fill(row: Row) -> Entry:
    at: datetime = moment_of(_short_fraction(row.needed("transaction_time")), "transaction_time", *_MOMENTS)
    side, symbol = row.needed("side"), row.needed("symbol")
    if side not in ("buy", "sell", "sell_short"):
        raise UnreadableCellError("side", "buy, sell or sell_short")
    units = Quantity(row.needed_decimal("qty"))
    quantity = units if side == "buy" else -units
    price = Price(row.needed_decimal("price"))
    value = notional(price, quantity, _multiplier(symbol), CURRENCY)
    return Entry(
        EntryKind.TRADE, "", row.place, row.text("account_id"), at.date(), at, -value, symbol=symbol, quantity=quantity, price=price,
        text=row.text("order_id"), multiplier=_multiplier(symbol), printed=Printed(),
    )  # fmt: skip


def _short_fraction(text: str) -> str:
    """Nanoseconds cut to the microseconds that a datetime holds."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _other(row: Row, kind: EntryKind) -> Entry:
    day = date.fromisoformat(row.needed("date")[:10])
    amount: Money | None = row.money("net_amount", CURRENCY)
    quantity = row.quantity("qty") if kind in _WITH_UNITS else None
    if kind is EntryKind.DEPOSIT and amount is not None and amount.amount < 0:
        kind = EntryKind.WITHDRAWAL
    price = row.price("price") if kind is EntryKind.TRADE else None
    if kind is EntryKind.TRADE and (not quantity or price is None or amount is None):
        raise UnreadableCellError("qty", "a quantity, a price and an amount")
    return Entry(
        kind, "", row.place, row.text("account_id"), day, None, amount, symbol=row.text("symbol") or None,
        quantity=quantity or None, price=price, text=row.text("description"), multiplier=_multiplier(row.text("symbol")),
    )  # fmt: skip
