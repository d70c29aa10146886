"""The rows of an account's tables that a book of imported statements becomes, and how a file's end figures are kept."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
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
_LOT = """lot_id uuid, instrument_id text, symbol text, asset_class text, currency text, multiplier numeric, fill_id uuid, opened_quantity numeric,
quantity numeric, basis numeric, opened_on date, opened_at timestamptz, triggered_by text, dated boolean, arrived_on date"""
_CLOSING = """closing_id uuid, lot_id uuid, fill_id uuid, instrument_id text, symbol text, currency text, quantity numeric, proceeds numeric,
basis numeric, realised numeric, opened_on date, closed_on date, closed_at timestamptz, triggered_by text"""
_CASH = "entry_id uuid, kind text, about uuid, amount numeric, currency text, session date, booked_at timestamptz"
_POSITION = """instrument_id text, symbol text, asset_class text, currency text, multiplier numeric, quantity numeric, basis numeric,
unknown numeric, realised numeric"""


@dataclass(frozen=True, slots=True)
class Rows:
    """What goes into one table. fields: names and types, key: the one that tells rows apart."""

    name: str
    key: str
    fields: str
    rows: Sequence[Row]


def rows_of(book: AccountBook) -> tuple[Rows, ...]:
    """The tables in the order in which they may be filled."""
    return (
        Rows("lot", "lot_id", _LOT, _lots(book)),
        Rows("closing", "closing_id", _CLOSING, _closings(book)),
        Rows("cash_entry", "entry_id", _CASH, _cash(book)),
        Rows("position", "instrument_id", _POSITION, _positions(book)),
    )


def _security(one: Instrument) -> Row:
    return {
        "instrument_id": one.instrument_id,
        "symbol": one.symbol,
        "asset_class": one.asset_class.value,
        "currency": one.currency,
        "multiplier": str(one.multiplier),
    }


def _amount(amount: Money | None) -> str | None:
    return None if amount is None else plain(amount.amount)


def _lots(book: AccountBook) -> list[Row]:
    return [
        _security(lot.instrument)
        | {
            "lot_id": str(lot.lot_id),
            "fill_id": str(lot.fill_id),
            "opened_quantity": str(lot.opened_quantity),
            "quantity": str(lot.quantity),
            "basis": _amount(lot.basis),
            "opened_on": lot.opened_on.isoformat(),
            "opened_at": lot.opened_at.isoformat(),
            "triggered_by": TRIGGERED_BY,
            "dated": lot.dated,
            "arrived_on": lot.arrived_on.isoformat() if lot.arrived_on is not None else None,
        }
        for lot in book.replay.every.values()
    ]


def _closings(book: AccountBook) -> list[Row]:
    every = book.replay.every
    return [
        {
            "closing_id": str(one.closing_id),
            "lot_id": str(one.lot_id),
            "fill_id": str(one.fill_id),
            "instrument_id": every[one.lot_id].instrument.instrument_id,
            "symbol": every[one.lot_id].instrument.symbol,
            "currency": every[one.lot_id].instrument.currency,
            "quantity": str(one.quantity),
            "proceeds": _amount(one.proceeds),
            "basis": _amount(one.basis),
            "realised": _amount(one.realised),
            "opened_on": one.opened_on.isoformat(),
            "closed_on": one.closed_on.isoformat(),
            "closed_at": one.closed_at.isoformat(),
            "triggered_by": TRIGGERED_BY,
        }
        for one in book.replay.closings
    ]


def _cash(book: AccountBook) -> list[Row]:
    return [
        {
            "entry_id": str(derived_id("cash", line.about, line.kind, line.place)),
            "kind": line.kind,
            "about": str(line.about),
            "amount": plain(line.amount.amount),
            "currency": line.amount.currency,
            "session": line.session.isoformat(),
            "booked_at": line.at.isoformat(),
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
                "quantity": str(units),
                "basis": _amount(basis) if known else None,
                "unknown": str(unknown),
                "realised": plain(gains[instrument_id]),
            }
        )
    return found


def differs(made: Row, stored: Any) -> bool:
    """Whether a row of the ledger says something else than the row that was worked out."""
    return any(not _same(value, stored[name]) for name, value in made.items())


def _same(made: str | bool | None, stored: object) -> bool:
    """Compare what was worked out, mostly as text, with a value of a table."""
    if made is None or isinstance(made, bool) or stored is None:
        return made is stored
    match stored:
        case Decimal():
            return Decimal(made) == stored
        case datetime():
            return datetime.fromisoformat(made) == stored
        case date():
            return made == stored.isoformat()
        case _:
            return made == str(stored)


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
