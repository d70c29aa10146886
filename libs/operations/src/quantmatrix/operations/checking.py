"""Proves that the books agree: lots with positions, positions with the broker, cash with what was bought and earned."""

import asyncio
from dataclasses import dataclass

from quantmatrix.common.contracts.asking.execution import AccountBook, BooksAsked
from quantmatrix.common.contracts.asking.portfolio import LedgerAccount, LedgerSumsAsked
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.values import Quantity

DEADLINE_S = 30.0
LOOKS_MAX = 6
BETWEEN_S = 0.3


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about an account, and the two figures that must be equal."""

    account_id: str
    name: str
    ok: bool
    left: str
    right: str


async def check(ask: Ask) -> list[Check]:
    """Every statement about every account. Raises ServiceSilent when execution or portfolio does not answer.

    Where something differs it is looked at again: a fill that one service has booked and the next has not heard yet is under
    way. What differs at every look is a difference; what was equal at one of them is shown as it was then.
    """
    found = await _look(ask)
    for _ in range(LOOKS_MAX - 1):
        if all(one.ok for one in found):
            break
        await asyncio.sleep(BETWEEN_S)
        equal = {(one.account_id, one.name): one for one in found if one.ok}
        found = [equal.get((one.account_id, one.name), one) for one in await _look(ask)]
    return found


async def _look(ask: Ask) -> list[Check]:
    books = await ask("execution", BooksAsked(), deadline_s=DEADLINE_S)
    sums = await ask("portfolio", LedgerSumsAsked(), deadline_s=DEADLINE_S)
    ledgers = {account.account_id: account for account in sums.accounts}
    found = []
    for book in books.accounts:
        ledger = ledgers.get(book.account_id)
        if ledger is None:
            found.append(Check(book.account_id, "the portfolio knows the account", False, book.account_id, "absent"))
            continue
        found += _positions(book, ledger) + _cash(book, ledger) + _orders(book, ledger)
    for ledger in sums.accounts:
        if ledger.statement is not None:
            found += _imported(ledger, "; ".join(ledger.statement))
    return found


def _imported(ledger: LedgerAccount, ends: str) -> list[Check]:
    """An account that no broker connection keeps: its statements are what it must agree with."""
    one = ledger.account_id
    rebuilt = "; ".join(ledger.differences)
    return [
        _same(one, "Σ lots = position", _words(ledger.lots), _words(ledger.positions)),
        Check(one, "booking the statements anew changes nothing", not rebuilt, rebuilt or "nothing", "nothing"),
        _same(one, "cash = Σ cash entries", str(ledger.cash), str(ledger.cash_entries)),
        _same(one, "realised by closings = realised by positions", str(ledger.realised_closings), str(ledger.realised_positions)),
        Check(one, "positions and cash = the end of the latest statement", not ends, ends or "equal", "equal"),
    ]


def _positions(book: AccountBook, ledger: LedgerAccount) -> list[Check]:
    one = book.account_id
    rebuilt = "; ".join(ledger.differences)
    return [
        _same(one, "Σ lots = position", _words(ledger.lots), _words(ledger.positions)),
        _same(one, "position = execution's position", _words(ledger.positions), _words(book.positions)),
        _same(one, "position = venue position", _words(ledger.positions), _words(book.broker_positions)),
        Check(one, "a rebuild from the facts changes nothing", not rebuilt, rebuilt or "nothing", "nothing"),
    ]


def _cash(book: AccountBook, ledger: LedgerAccount) -> list[Check]:
    one = book.account_id
    held = ledger.cash + ledger.basis_lots
    earned = ledger.opening_cash + ledger.realised_closings
    return [
        _same(one, "cash + Σ cost = start + realised", str(held), str(earned)),
        _same(one, "cash = Σ cash entries", str(ledger.cash), str(ledger.cash_entries)),
        _same(one, "cash = venue cash", str(ledger.cash), str(book.broker_cash)),
        _same(one, "execution's cash = venue cash", str(book.cash), str(book.broker_cash)),
        _same(one, "realised by closings = realised by positions", str(ledger.realised_closings), str(ledger.realised_positions)),
    ]


def _orders(book: AccountBook, ledger: LedgerAccount) -> list[Check]:
    one = book.account_id
    return [
        _same(one, "every venue order has one intent", ", ".join(book.orders_without_intent) or "all", "all"),
        _same(one, "no order reached the venue twice", str(book.duplicate_orders), "0"),
        _same(one, "every venue execution is booked", ", ".join(book.executions_not_booked) or "all", "all"),
        _same(one, "venue executions = fills in the ledger", str(book.broker_executions), str(ledger.fills)),
        _same(one, "no open break", "; ".join(book.open_breaks) or "none", "none"),
    ]


def _same(account_id: str, name: str, left: str, right: str) -> Check:
    return Check(account_id, name, left == right, left, right)


def _words(quantities: dict[str, Quantity]) -> str:
    return ", ".join(f"{instrument} {quantity}" for instrument, quantity in sorted(quantities.items()) if quantity) or "flat"
