"""Rows of Flex queries, which a person configures: the same fields as XML attributes and as CSV columns, read by their names.

Names are compared in small letters without signs, so that `Buy/Sell`, `buySell` and `IBCommission` meet.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, OpenPosition, Printed
from quantmatrix.portfolio.domain.statements_identities import named_contract
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._flex_figures import FlexFigures
from quantmatrix.portfolio.importers._flex_taxes import Read, reasons, taxes_in
from quantmatrix.portfolio.importers._reading import EXCHANGE_ZONE, Row, UnreadableCellError, moment_of, money, zone

PATTERNS = (
    "%Y%m%d;%H%M%S", "%Y-%m-%d;%H:%M:%S", "%Y%m%d;%H:%M:%S", "%Y-%m-%d, %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y%m%d %H%M%S", "%Y%m%d,%H%M%S",
    "%Y-%m-%dT%H:%M:%S", "%Y%m%d", "%Y-%m-%d", "%d-%b-%y;%H:%M:%S", "%d-%b-%y;%H%M%S", "%d-%b-%y %H:%M:%S", "%d-%b-%y",
)  # fmt: skip
SUMMARY_LEVELS = frozenset({"SUMMARY", "SYMBOL_SUMMARY", "ASSET_SUMMARY", "CURRENCY", "BASE_CURRENCY"})
_ZONE_NAME = re.compile(r"\s+[A-Z]{3,4}$")
_CASH_KINDS = {
    "dividends": EntryKind.DIVIDEND, "paymentinlieuofdividends": EntryKind.PAYMENT_IN_LIEU, "withholdingtax": EntryKind.WITHHOLDING_TAX,
    "871mwithholding": EntryKind.WITHHOLDING_TAX, "brokerinterestreceived": EntryKind.INTEREST, "brokerinterestpaid": EntryKind.INTEREST,
    "bondinterestreceived": EntryKind.INTEREST, "bondinterestpaid": EntryKind.INTEREST, "otherfees": EntryKind.FEE,
    "advisorfees": EntryKind.FEE, "brokerfees": EntryKind.FEE, "commissionadjustments": EntryKind.COMMISSION_ADJUSTMENT,
    "priceadjustments": EntryKind.ADJUSTMENT, "otherincome": EntryKind.ADJUSTMENT, "depositswithdrawals": EntryKind.DEPOSIT,
    "depositswithdraw": EntryKind.DEPOSIT,
}  # fmt: skip


class Section(StrEnum):
    """What a row of a Flex query is about. INFORMATION is not booked on purpose."""

    TRADE = "trades"
    CASH = "cash transactions"
    ACTION = "corporate actions"
    TRANSFER = "transfers"
    POSITION = "open positions"
    TAX = "transaction taxes"
    VALUE = "change in value"
    CASH_REPORT = "cash report"
    INFORMATION = "information"


def plain_name(name: str) -> str:
    """A field's name in small letters, without signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


class FlexRows:
    """Rows of a query one after the other; trades wait until it is known at which level the file has them."""

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._trades: list[Read] = []
        self._taxes: list[Read] = []
        self._keys: dict[str, str] = {}
        self.positions: list[OpenPosition] = []
        self.figures = FlexFigures()

    def take(self, section: Section, row: Row, level: str) -> None:
        """Read one row. level: its level of detail as printed, in capitals, empty where there is none."""
        try:
            match section:
                case Section.INFORMATION:
                    self._collected.ignore(row.place, f"information: {row.place.section}")
                case Section.VALUE | Section.CASH_REPORT:
                    take = self.figures.take_value if section is Section.VALUE else self.figures.take_cash
                    take(row)
                    self._collected.ignore(row.place, f"information: {section}")
                case Section.TRADE:
                    self._trade(row, level)
                case Section.POSITION:
                    self._position(row, level)
                case Section.TAX:
                    self._taxes.append((row, level, tax(row)))
                case Section.CASH | Section.ACTION | Section.TRANSFER:
                    self._other(section, row, level)
        except ValueError as error:
            self._collected.damaged(row, error)

    def _trade(self, row: Row, level: str) -> None:
        if level in SUMMARY_LEVELS:
            self._collected.ignore(row.place, "a summary over executions")
        elif level in ("CLOSED_LOT", "LOT", "WASH_SALE"):
            self._collected.ignore(row.place, "a closed lot or wash sale: it restates a trade")
        else:
            self._trades.append((row, level, trade(row)))

    def _position(self, row: Row, level: str) -> None:
        if level == "LOT":
            self._collected.ignore(row.place, "a lot of a position that is summed up")
            return
        self.positions.append(position(row))
        self._collected.ignore(row.place, "information: open positions")

    def _other(self, section: Section, row: Row, level: str) -> None:
        if section is Section.CASH and level in SUMMARY_LEVELS:
            self._collected.ignore(row.place, "a summary over cash transactions")
            return
        if section is Section.CASH and plain_name(row.text("type")) not in _CASH_KINDS:
            self._collected.strange(row.place, "a type of cash transaction that is not known", row.cells)
            return
        self._book(row, _READERS[section](row))

    def _book(self, row: Row, entry: Entry) -> None:
        """Keep an entry under the first of its ids that no other row has; the rebooking of a cancelled trade may share one."""
        is_trade = entry.kind in (EntryKind.TRADE, EntryKind.CONVERSION)
        names = ("ibexecid", "execid", "transactionid", "tradeid") if is_trade and not entry.cancels else ("transactionid",)
        ids = [text for name in names if (text := row.text(name))]
        found = next((one for one in ids if self._collected.is_free(one, entry)), ids[0] if ids else "")
        if entry.cancels:
            entry = replace(entry, cancels=self._keys.get(entry.cancels, entry.cancels))
        if found:
            for named in (row.text("transactionid") or found, row.text("tradeid")) if is_trade and not entry.cancels else (found,):
                self._keys.setdefault(named, found)
            self._collected.book_by_id(entry, found)
        else:
            content = (entry.symbol, entry.session, entry.at, entry.quantity, entry.price, entry.amount, entry.fee, entry.text)
            self._collected.book(entry, row.place.section, *content)

    def finish(self) -> None:
        """Book one level of the trades: executions where a security has them, else orders."""
        sums: dict[tuple[str, str | None], dict[bool, Decimal]] = defaultdict(dict)
        for _, level, entry in self._trades:
            by_level = sums[entry.account, entry.symbol]
            quantity = entry.quantity.value if entry.quantity else Decimal(0)
            by_level[level == "ORDER"] = by_level.get(level == "ORDER", Decimal(0)) + quantity
        for row, level, entry in self._trades:
            by_level = sums[entry.account, entry.symbol]
            if len(by_level) == 2 and by_level[True] != by_level[False]:
                self._collected.damaged(row, UnreadableCellError("quantity", "orders and their executions to be of the same quantity"))
            elif level == "ORDER" and len(by_level) == 2:
                self._collected.ignore(row.place, "an order whose executions are booked")
            else:
                self._book(row, entry)
        told_elsewhere = reasons(self._taxes, self._trades, SUMMARY_LEVELS)
        for row, _, entry in self._taxes:
            if row.place.line in told_elsewhere:
                self._collected.ignore(row.place, told_elsewhere[row.place.line])
            else:
                self._book(row, entry)


def text_in(row: Row, *names: str) -> str:
    """What stands in the first of these fields that is filled."""
    return next((text for name in names if (text := row.text(name))), "")


def _name_in(row: Row, *names: str) -> str:
    return next((name for name in names if row.text(name)), names[0])


def moment(text: str, column: str) -> datetime:
    """A time as the query prints it; a zone's short name at its end is that of the exchange."""
    return moment_of(_ZONE_NAME.sub("", text), column, *PATTERNS).replace(tzinfo=zone(EXCHANGE_ZONE))


def day(row: Row, *names: str) -> date:
    name = _name_in(row, *names)
    return moment(row.needed(name), name).date()


def _account(row: Row) -> str:
    return text_in(row, "accountid", "clientaccountid")


def _currency(row: Row) -> str:
    return row.needed(_name_in(row, "currency", "currencyprimary"))


def _symbol(row: Row) -> str | None:
    return named_contract(text_in(row, "symbol", "isin", "securityid", "cusip", "conid"), row.text("description")) or None


def trade(row: Row) -> Entry:
    """An execution or an order. Without a security it converts currencies, and the file need not name both."""
    currency, asset = _currency(row), text_in(row, "assetcategory", "assetclass")
    quantity = _signed(row)
    stamp = _name_in(row, "datetime", "tradedatetime", "tradedate")
    at = moment(row.needed(stamp), stamp)
    symbol = _symbol(row)
    is_conversion = asset == "CASH" or symbol is None
    codes = f"{text_in(row, 'notes', 'notescodes', 'code', 'codes')};{text_in(row, 'openclose', 'opencloseindicator')}"
    cancelled = _original(row) if "cancel" in row.text("transactiontype").lower() else ""
    return Entry(
        EntryKind.CONVERSION if is_conversion else EntryKind.TRADE, "", row.place, _account(row), at.date(), at,
        _proceeds(row, quantity, currency), fee=_fee(row, currency), symbol=symbol, quantity=quantity,
        price=Price(row.needed_decimal(_name_in(row, "tradeprice", "price"))),
        basis=row.money(_name_in(row, "cost", "costbasis"), currency),
        realised=row.money(_name_in(row, "fifopnlrealized", "realizedpl", "realizedpnl"), currency),
        cancels=cancelled or None, text=row.text("description"), asset=asset, multiplier=row.quantity("multiplier"),
        printed=Printed(row.price("closeprice"), row.money("mtmpnl", currency), tuple(dict.fromkeys(one.strip() for one in codes.split(";") if one.strip()))),
    )  # fmt: skip


def _original(row: Row) -> str:
    """The id of the trade that a cancellation takes back; 0 stands for none."""
    return next((text for name in ("origtransactionid", "origtradeid") if (text := row.text(name)) not in ("", "0")), "")


def _signed(row: Row) -> Quantity:
    quantity, side = Quantity(row.needed_decimal("quantity")), row.text("buysell").upper()
    if not quantity:
        raise UnreadableCellError("quantity", "something else than zero")
    if side == "BUY":
        return abs(quantity)
    return -abs(quantity) if side == "SELL" else quantity


def _proceeds(row: Row, quantity: Quantity, currency: str) -> Money:
    printed = row.decimal("proceeds")
    if printed is None:
        value = abs(row.needed_decimal(_name_in(row, "trademoney", "amount")))
        printed = -value if quantity.value > 0 else value
    return money(printed, currency, "proceeds")


def _fee(row: Row, currency: str) -> Money | None:
    """Commission and taxes as a cost. A commission in another currency stands alone: its taxes are left to the tax rows."""
    column = _name_in(row, "ibcommission", "commission")
    commission = row.decimal(column)
    charged = text_in(row, "ibcommissioncurrency", "commissioncurrency") or currency
    taxes = taxes_in(row) if charged == currency else Decimal(0)
    if commission is None and not taxes:
        return None
    return money(-((commission or Decimal(0)) + taxes), charged, column)


def cash(row: Row) -> Entry:
    currency = _currency(row)
    amount = row.needed_money("amount", currency)
    kind = _CASH_KINDS[plain_name(row.text("type"))]
    text = row.text("description")
    if kind is EntryKind.DEPOSIT and amount.amount < 0:
        kind = EntryKind.WITHDRAWAL
    elif kind is EntryKind.DIVIDEND and "(Return of Capital)" in text:
        kind = EntryKind.RETURN_OF_CAPITAL
    return Entry(
        kind, "", row.place, _account(row), day(row, "settledate", "datetime", "reportdate"), None, amount, symbol=_symbol(row), text=text
    )


def action(row: Row) -> Entry:
    stamp = _name_in(row, "datetime", "reportdate")
    at = moment(row.needed(stamp), stamp)
    currency = _currency(row)
    return Entry(
        EntryKind.CORPORATE_ACTION, "", row.place, _account(row), at.date(), at, row.money("proceeds", currency), symbol=_symbol(row),
        quantity=row.quantity("quantity"), realised=row.money(_name_in(row, "fifopnlrealized", "realizedpnl"), currency),
        text=text_in(row, "actiondescription", "description"), asset=text_in(row, "assetcategory", "assetclass"),
        multiplier=row.quantity("multiplier"), printed=Printed(codes=tuple(text_in(row, "code", "notes", "notescodes").split(";"))),
    )  # fmt: skip


def transfer(row: Row) -> Entry:
    currency = _currency(row)
    outgoing = row.text("direction").upper() == "OUT"
    quantity = row.quantity("quantity")
    signed = None if not quantity else (-abs(quantity) if outgoing else abs(quantity))
    return Entry(
        EntryKind.TRANSFER, "", row.place, _account(row), day(row, "date", "datetime", "reportdate"), None,
        row.money(_name_in(row, "cashtransfer", "cashamount"), currency), symbol=_symbol(row) if signed else None, quantity=signed,
        text=f"{row.text('type')} {row.text('direction').lower()}", asset=text_in(row, "assetcategory", "assetclass"),
    )  # fmt: skip


def tax(row: Row) -> Entry:
    currency = _currency(row)
    amount = row.needed_money(_name_in(row, "taxamount", "amount"), currency)
    return Entry(
        EntryKind.FEE, "", row.place, _account(row), day(row, "date", "datetime", "reportdate"), None, amount, symbol=_symbol(row),
        text=text_in(row, "taxdescription", "description"),
    )  # fmt: skip


def position(row: Row) -> OpenPosition:
    currency = _currency(row)
    return OpenPosition(
        _account(row), _symbol(row) or "", Quantity(row.needed_decimal(_name_in(row, "position", "quantity"))),
        row.money("costbasismoney", currency), row.quantity("multiplier"), row.price("costbasisprice"), row.money("positionvalue", currency),
        row.money("fifopnlunrealized", currency), row.place.line,
    )  # fmt: skip


_READERS: dict[Section, Callable[[Row], Entry]] = {
    Section.CASH: cash,
    Section.ACTION: action,
    Section.TRANSFER: transfer,
}
