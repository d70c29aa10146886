"""Rows of the ledger's tables as values."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime

import asyncpg

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, ClosingId, FillId, InstrumentId, LotId, UserId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import NOTHING, Closing, Lot
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods


@dataclass(frozen=True, slots=True)
class Account:
    """An account and the lot methods its owner chose. stated: imported statements make its ledger, not facts."""

    account_id: AccountId
    user_id: UserId
    broker: str
    currency: str
    paper: bool
    opening_cash: Money
    methods: LotMethods = field(default_factory=LotMethods)
    stated: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """The one position of an account in an instrument. unknown: units whose basis is not known; basis is that of the others."""

    account_id: AccountId
    user_id: UserId
    instrument: Instrument
    quantity: Quantity
    basis: Money
    realised: Money
    unknown: Quantity = NOTHING


@dataclass(frozen=True, slots=True)
class Snapshot:
    account_id: AccountId
    user_id: UserId
    session: date
    taken_at: datetime
    cash: Money
    market_value: Money
    equity: Money
    realised: Money
    unrealised: Money
    positions: int


def account_of(row: asyncpg.Record) -> Account:
    """A row of the accounts with its `method_changes`: JSON pairs of day and method in the order they were told."""
    changes = json.loads(row["method_changes"] or "[]")
    return Account(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        broker=row["broker"],
        currency=row["currency"],
        paper=row["paper"],
        opening_cash=Money(row["opening_cash"], row["currency"]),
        methods=LotMethods(
            LotMethod(row["lot_method"]), tuple((date.fromisoformat(since), LotMethod(method)) for since, method in changes)
        ),
        stated=row["stated"],
    )


def instrument_of(row: asyncpg.Record) -> Instrument:
    """The instrument of a row that carries its columns."""
    return Instrument(
        InstrumentId(row["instrument_id"]),
        row["symbol"],
        AssetClass(row["asset_class"]),
        row["currency"],
        Quantity(row["multiplier"]),
    )


def lot_of(row: asyncpg.Record) -> Lot:
    """A row of the lots."""
    return Lot(
        lot_id=LotId(row["lot_id"]),
        fill_id=FillId(row["fill_id"]),
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        instrument=instrument_of(row),
        opened_quantity=Quantity(row["opened_quantity"]),
        quantity=Quantity(row["quantity"]),
        basis=money_of(row, "basis"),
        opened_on=row["opened_on"],
        opened_at=row["opened_at"],
        triggered_by=row["triggered_by"],
        dated=row["dated"],
        arrived_on=row["arrived_on"],
    )


def closing_of(row: asyncpg.Record) -> Closing:
    """A row of the closings; what was left of the lot is not kept, and reads as nothing."""
    return Closing(
        closing_id=ClosingId(row["closing_id"]),
        lot_id=LotId(row["lot_id"]),
        fill_id=FillId(row["fill_id"]),
        quantity=Quantity(row["quantity"]),
        proceeds=money_of(row, "proceeds"),
        basis=money_of(row, "basis"),
        realised=money_of(row, "realised"),
        left=NOTHING,
        opened_on=row["opened_on"],
        closed_on=row["closed_on"],
        closed_at=row["closed_at"],
    )


def money_of(row: asyncpg.Record, column: str) -> Money | None:
    """An amount in the row's currency; None while it is unknown."""
    return None if row[column] is None else Money(row[column], row["currency"])


def position_of(row: asyncpg.Record) -> Position:
    return Position(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        instrument=instrument_of(row),
        quantity=Quantity(row["quantity"]),
        basis=money_of(row, "basis") or Money.zero(row["currency"]),
        realised=Money(row["realised"], row["currency"]),
        unknown=Quantity(row["quantity"] if row["basis"] is None else row["unknown"]),
    )


def snapshot_of(row: asyncpg.Record) -> Snapshot:
    currency = row["currency"]
    return Snapshot(
        account_id=AccountId(row["account_id"]),
        user_id=UserId(row["user_id"]),
        session=row["session"],
        taken_at=row["taken_at"],
        cash=Money(row["cash"], currency),
        market_value=Money(row["market_value"], currency),
        equity=Money(row["equity"], currency),
        realised=Money(row["realised"], currency),
        unrealised=Money(row["unrealised"], currency),
        positions=row["positions"],
    )
