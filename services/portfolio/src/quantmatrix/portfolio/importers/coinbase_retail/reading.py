"""Coinbase's report: amounts with currency signs, conversions told in the notes, rewards as income with a basis."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, columns_of, decimal_of, moment_of, money, rows_of, text_of
from quantmatrix.portfolio.ports import StatementError

_NEEDED = {"Timestamp", "Transaction Type", "Asset", "Quantity Transacted", "Subtotal"}
_NAMES = {
    "Spot Price Currency": "Price Currency", "Spot Price at Transaction": "Price at Transaction", "Fees": "Fees and/or Spread",
    "Total (inclusive of fees)": "Total", "Total (inclusive of fees and/or spread)": "Total",
    "USD Spot Price at Transaction": "Price at Transaction", "USD Subtotal": "Subtotal", "USD Fees": "Fees and/or Spread",
}  # fmt: skip
_MOMENTS = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S %z")
_SIGNED_MONEY = re.compile(r"(-?)\s*[€$£¥]?\s*(.*)")
_CONVERTED = re.compile(r"Converted [\d.,]+ \w+ to ([\d.,]+) (\w+)")
_BUYS = {"Buy", "Advanced Trade Buy", "Advance Trade Buy"}
_SELLS = {"Sell", "Advanced Trade Sell", "Advance Trade Sell", "Retail Simple Dust"}
_INCOME = {
    "Staking Income", "Rewards Income", "Learning Reward", "Coinbase Earn", "Inflation Reward", "Reward Income", "Interest Income",
    "Subscription Rebate", "Incentives Rewards Payout", "Retail Simple Price Improvement", "Credit Card Reward",
}  # fmt: skip
_OUT = {"Send", "Withdrawal", "Exchange Deposit", "Pro Deposit", "Vault Deposit"}
_IN = {"Receive", "Deposit", "Exchange Withdrawal", "Pro Withdrawal", "Vault Withdrawal", "Airdrop"}
_EXCHANGED = {"Asset Migration", "Retail Eth2 Deprecation"}
_WITHIN = {"Retail Staking Transfer", "Retail Unstaking Transfer", "Cash to Savings", "Savings to Cash"}
WITHIN = "a move within Coinbase"
_FIAT = {"USD", "EUR", "GBP", "CHF", "CAD", "AUD", "JPY", "SGD"}


class CoinbaseRetailImporter:
    """A conversion is a sale and a purchase at the printed subtotal; staking is income and a purchase with that basis."""

    name: ClassVar[str] = "coinbase_retail"
    title: ClassVar[str] = "Coinbase transaction report (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return any(_is_header(line.split(",")) for line in head.decode("utf-8", errors="ignore").removeprefix("\ufeff").splitlines()[:12])

    def read(self, body: bytes) -> Statement:
        collected = Collected()
        found: list[tuple[int, list[str]]] = []
        header: dict[str, int] | None = None
        width = 0
        for line, cells in rows_of(text_of(body)):
            if header is not None:
                found.append((line, cells))
            elif _is_header(cells):
                header = columns_of([_NAMES.get(cell.strip(), cell.strip()) for cell in cells])
                width = len(cells)
        if header is None:
            raise StatementError("it has not the columns of Coinbase's report", line=1)
        rows = [Row(Place(line), header, cells) for line, cells in found]
        signed = any(row.text("Quantity Transacted").startswith("-") for row in rows)
        paired = _paired(rows)
        for row in rows:
            if row.text("Transaction Type") in _WITHIN:
                collected.ignore(row.place, WITHIN)
            else:
                self._book(row, width, collected, signed=signed, alone=row.text("Timestamp") in paired)
        currency = next((entry.amount.currency for entry in collected.entries if entry.amount), "USD")
        return collected.statement(self.name, currency)

    def _book(self, row: Row, width: int, collected: Collected, *, signed: bool, alone: bool) -> None:
        try:
            if len(row.cells) != width:
                raise UnreadableCellError("(all)", f"{width} cells as in the header, not {len(row.cells)}")
            entries = _entries(row, signed=signed, alone=alone)
        except ValueError as error:
            collected.damaged(row, error)
            return
        if not entries:
            collected.strange(row.place, "a type of transaction that is not known", row.cells)
        for number, entry in enumerate(entries):
            collected.book(entry, row.text("ID"), number, entry.at, entry.symbol, entry.quantity, entry.amount, entry.fee)


def _is_header(cells: Sequence[str]) -> bool:
    return {_NAMES.get(cell.strip(), cell.strip()) for cell in cells} >= _NEEDED


def _amount(row: Row, column: str, currency: str) -> Money:
    """An amount without regard to its sign, which the generations of the report disagree about."""
    matched = _SIGNED_MONEY.fullmatch(row.text(column))
    found = decimal_of(matched[2], column) if matched else None
    return abs(money(found, currency, column)) if found is not None else Money.zero(currency)


def _paired(rows: Sequence[Row]) -> set[str]:
    """The moments of conversions that newer reports tell in two rows, of what was given and of what was received."""
    given: set[str] = set()
    received: set[str] = set()
    for row in rows:
        if row.text("Transaction Type") == "Convert":
            (given if row.text("Quantity Transacted").startswith("-") else received).add(row.text("Timestamp"))
    return given & received


def _entries(row: Row, *, signed: bool, alone: bool) -> list[Entry]:
    """What one row means; nothing for a type that is not known.

    signed: quantities have the sign of what they do, in this file. alone: a conversion's other side has a row of its own.
    """
    said, asset = row.needed("Transaction Type"), row.needed("Asset")
    currency = row.text("Price Currency") or "USD"
    units = abs(Quantity(row.needed_decimal("Quantity Transacted")))
    value, fee = _amount(row, "Subtotal", currency), _amount(row, "Fees and/or Spread", currency)
    at = moment_of(row.needed("Timestamp"), "Timestamp", *_MOMENTS)
    price = Price(_amount(row, "Price at Transaction", currency).amount)
    plain = Entry(
        EntryKind.TRADE, "", row.place, "", at.date(), at, -value, fee=fee or None, symbol=asset, quantity=units, price=price,
        text=said, asset="Crypto",
    )  # fmt: skip
    if said in _BUYS:
        return [plain]
    if said in _SELLS:
        return [replace(plain, amount=value, quantity=-units)]
    outgoing = row.text("Quantity Transacted").startswith("-") if signed else said in _OUT
    if said == "Convert" and alone:
        return [replace(plain, amount=value, quantity=-units)] if outgoing else [replace(plain, fee=None)]
    if said == "Convert":
        return _converted(row, plain, value, units)
    if said in _INCOME:
        return [replace(plain, kind=EntryKind.INTEREST, amount=value, quantity=None, price=None), replace(plain, fee=None)]
    if said in _OUT or said in _IN:
        return [_moved(plain, asset, units, outgoing=outgoing)]
    if said in _EXCHANGED and signed:
        return [replace(plain, kind=EntryKind.CORPORATE_ACTION, amount=None, fee=None, price=None, quantity=-units if outgoing else units)]
    return []


def _moved(plain: Entry, asset: str, units: Quantity, *, outgoing: bool) -> Entry:
    """Coins that came or went without a price; for money that is a deposit or a withdrawal."""
    if asset in _FIAT:
        amount = Money(units.value, asset)
        kind = EntryKind.WITHDRAWAL if outgoing else EntryKind.DEPOSIT
        return replace(plain, kind=kind, amount=-amount if outgoing else amount, quantity=None, price=None, symbol=None)
    return replace(plain, kind=EntryKind.TRANSFER, amount=None, price=None, quantity=-units if outgoing else units)


def _converted(row: Row, plain: Entry, value: Money, units: Quantity) -> list[Entry]:
    told = _CONVERTED.search(row.text("Notes"))
    if told is None:
        raise UnreadableCellError("Notes", "what was converted into what")
    received = decimal_of(told[1].rstrip("."), "Notes")
    if not received:
        raise UnreadableCellError("Notes", "how much was received")
    bought = Quantity(received)
    each = Price(value.share(Quantity(1), bought).amount)
    return [
        replace(plain, amount=value, quantity=-units),
        replace(plain, amount=-value, fee=None, symbol=told[2], quantity=bought, price=each),
    ]
