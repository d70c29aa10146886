"""The rows of an account's tables that a book of imported statements becomes, and how a file's end figures are kept."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Quantity, plain
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.domain.statements import PriorPosition, Statement, Summary
from quantmatrix.portfolio.domain.statements_account import AccountBook, Chapter
from quantmatrix.portfolio.domain.statements_securities import TRIGGERED_BY

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """What goes into one table. key: the field that tells rows apart; all rows have the same fields in the same order."""

    name: str
    key: str
    rows: Sequence[Row]


def rows_of(book: AccountBook) -> tuple[Rows, ...]:
    """The tables in the order in which they may be filled."""
    return (
        Rows("lot", "lot_id", _lots(book)),
        Rows("closing", "closing_id", _closings(book)),
        Rows("cash_entry", "entry_id", _cash(book)),
        Rows("position", "instrument_id", _positions(book)),
    )


def _security(one: Instrument) -> Row:
    return {
        "instrument_id": one.instrument_id,
        "symbol": one.symbol,
        "asset_class": one.asset_class.value,
        "currency": one.currency,
        "multiplier": one.multiplier.value,
    }


def _amount(amount: Money | None) -> Decimal | None:
    return None if amount is None else amount.amount


def _lots(book: AccountBook) -> list[Row]:
    return [
        _security(lot.instrument)
        | {
            "lot_id": lot.lot_id,
            "fill_id": lot.fill_id,
            "opened_quantity": lot.opened_quantity.value,
            "quantity": lot.quantity.value,
            "basis": _amount(lot.basis),
            "opened_on": lot.opened_on,
            "opened_at": lot.opened_at,
            "triggered_by": TRIGGERED_BY,
            "dated": lot.dated,
            "arrived_on": lot.arrived_on,
        }
        for lot in book.replay.every.values()
    ]


def _closings(book: AccountBook) -> list[Row]:
    every = book.replay.every
    return [
        {
            "closing_id": one.closing_id,
            "lot_id": one.lot_id,
            "fill_id": one.fill_id,
            "instrument_id": every[one.lot_id].instrument.instrument_id,
            "symbol": every[one.lot_id].instrument.symbol,
            "currency": every[one.lot_id].instrument.currency,
            "quantity": one.quantity.value,
            "proceeds": _amount(one.proceeds),
            "basis": _amount(one.basis),
            "realised": _amount(one.realised),
            "opened_on": one.opened_on,
            "closed_on": one.closed_on,
            "closed_at": one.closed_at,
            "triggered_by": TRIGGERED_BY,
        }
        for one in book.replay.closings
    ]


def _cash(book: AccountBook) -> list[Row]:
    return [
        {
            "entry_id": derived_id("cash", line.about, line.kind, line.place),
            "kind": line.kind,
            "about": line.about,
            "amount": line.amount.amount,
            "currency": line.amount.currency,
            "session": line.session,
            "booked_at": line.at,
        }
        for line in book.cash
    ]


def _positions(book: AccountBook) -> list[Row]:
    """Each instrument's lots summed up. unknown: units whose basis is not known; the basis is that of the others, absent where there is none."""
    lots: dict[InstrumentId, list[Lot]] = defaultdict(list)
    for lot in book.replay.every.values():
        lots[lot.instrument.instrument_id].append(lot)
    gains: dict[InstrumentId, Decimal] = defaultdict(Decimal)
    for closing in book.replay.closings:
        if closing.realised is not None:
            gains[book.replay.every[closing.lot_id].instrument.instrument_id] += closing.realised.amount
    found = []
    for instrument_id, own in lots.items():
        held = [lot for lot in own if lot.quantity]
        units, unknown, basis = Quantity(0), Quantity(0), Money.zero(own[0].instrument.currency)
        for lot in held:
            units += lot.quantity
            if lot.basis is None:
                unknown += lot.quantity
            else:
                basis += lot.basis
        known = not held or any(lot.basis is not None for lot in held)
        found.append(
            _security(own[0].instrument)
            | {
                "quantity": units.value,
                "basis": _amount(basis) if known else None,
                "unknown": unknown.value,
                "realised": gains[instrument_id],
            }
        )
    return found


def differs(made: Row, stored: Any) -> bool:
    """Whether a row of the ledger says something else than the row that was worked out."""
    return any(value != stored[name] for name, value in made.items())


# End figures of files


def broker_of(statement: Statement) -> str:
    """The broker whose accounts a file is about: what its importers have in common."""
    return statement.importer.split("_", maxsplit=1)[0]


def chapters_told(statement: Statement) -> dict[str, object]:
    """By account, what a file says was there before it and at its end; amounts and units as text.

    Cash, value and accruals are printed for the whole file, so that only a file of one account has them.
    """
    alone = len(statement.accounts) == 1
    prior = statement.figures.prior
    sums = {"value": statement.figures.value, "accruals": statement.figures.accruals}
    return {
        account: {
            "prior": None if prior is None else [[one.symbol, str(one.quantity)] for one in prior if alone or one.account == account],
            "held": [[one.symbol, str(one.quantity)] for one in statement.positions if alone or one.account == account],
            "cash": [[one.start.currency, plain(one.start.amount)] for one in statement.figures.cash] if alone else [],
            "ending_cash": [[one.end.currency, plain(one.end.amount)] for one in statement.figures.cash] if alone else [],
            **{name: _summary_told(one) for name, one in sums.items() if one is not None and alone},
        }
        for account in statement.accounts
    }


def _summary_told(summary: Summary) -> dict[str, object]:
    return {
        "currency": summary.start.currency,
        "start": plain(summary.start.amount),
        "end": plain(summary.end.amount),
        "lines": [[one.name, plain(one.amount.amount)] for one in summary.lines],
    }


def chapter_of(first: date, last: date, told: Row, account_id: str) -> Chapter:
    """One file as the book of an account needs it."""
    prior = None if told["prior"] is None else _units(told["prior"], account_id)
    return Chapter(first, last, prior, _units(told["held"], account_id), _amounts(told["cash"]), _amounts(told["ending_cash"]))


def summary_of(name: str, told: Row | None) -> Summary | None:
    """A figure at both ends of a stored file, by whatever it moved in between."""
    if told is None:
        return None
    start, end = Money.parse(told["start"], told["currency"]), Money.parse(told["end"], told["currency"])
    return Summary(name, start, end - start, end)


def _units(rows: list[list[str]], account_id: str) -> tuple[PriorPosition, ...]:
    return tuple(PriorPosition(account_id, symbol, Quantity.parse(quantity)) for symbol, quantity in rows)


def _amounts(rows: list[list[str]]) -> tuple[Money, ...]:
    return tuple(Money.parse(amount, currency) for currency, amount in rows)
