"""Fills, lots and instruments with made-up names, for the tests of the lot rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.book import Book
from quantmatrix.portfolio.domain.lots import Closing, Fill, Lot, Split, split_lots

DAY = date(2024, 1, 2)
USER = UserId(derived_id("user"))
ACCOUNT = AccountId("A")


def instrument(symbol: str, kind: AssetClass = AssetClass.STOCK, multiplier: int = 1, currency: str = "USD") -> Instrument:
    return Instrument(InstrumentId(symbol), symbol, kind, currency, Quantity(multiplier))


STOCK = instrument("ABC")
OPTION = instrument("ABC-OPTION", AssetClass.OPTION, 100)
COIN = instrument("COIN", AssetClass.CRYPTO)


def usd(amount: str | int) -> Money:
    return Money(Decimal(amount), "USD")


def on(day: str) -> date:
    return date.fromisoformat(day)


def at(day: date, minute: int = 0) -> datetime:
    return datetime.combine(day, time(15), UTC) + timedelta(minutes=minute)


def fill(
    name: object,
    quantity: str | int | Decimal,
    price: str,
    fee: str = "0",
    day: date | str | None = None,
    of: Instrument = STOCK,
    minute: int = 0,
) -> Fill:
    """A fill with an id of its own; a negative quantity is a sale. Without a day, a number counts days from the first."""
    signed = Decimal(quantity)
    session = DAY + timedelta(days=name) if day is None and isinstance(name, int) else on(day) if isinstance(day, str) else day or DAY
    return Fill(
        fill_id=FillId(derived_id("fill", name)),
        account_id=ACCOUNT,
        user_id=USER,
        instrument=of,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=Quantity(abs(signed)),
        price=Price.parse(price),
        fee=Money(Decimal(fee), of.currency),
        session=session,
        executed_at=at(session, minute),
        triggered_by="manual",
    )


def lot(
    name: object, quantity: str | int, basis: str | None, day: date | str = DAY, of: Instrument = STOCK, minute: int = 0, dated: bool = True
) -> Lot:
    opened_on = on(day) if isinstance(day, str) else day
    return Lot(
        lot_id=LotId(derived_id("lot", name)),
        fill_id=FillId(derived_id("fill", name)),
        account_id=ACCOUNT,
        user_id=USER,
        instrument=of,
        opened_quantity=Quantity(Decimal(quantity)),
        quantity=Quantity(Decimal(quantity)),
        basis=None if basis is None else Money(Decimal(basis), of.currency),
        opened_on=opened_on,
        opened_at=at(opened_on, minute),
        triggered_by="manual",
        dated=dated,
    )


def in_account(one: Fill, account: str) -> Fill:
    return replace(one, account_id=AccountId(account))


def left(book: Book) -> list[tuple[Decimal, Decimal | None]]:
    """Quantity and total basis of the open lots, oldest first."""
    return figures(book.lots.values())


def figures(lots: object) -> list[tuple[Decimal, Decimal | None]]:
    """Quantity and total basis of those lots that are open, oldest first."""
    assert hasattr(lots, "__iter__")
    ordered = sorted(lots, key=lambda one: (one.opened_at, one.lot_id))
    return [(one.quantity.value, one.basis.amount if one.basis is not None else None) for one in ordered if one.quantity]


def used(closings: tuple[Closing, ...] | list[Closing]) -> list[tuple[Decimal, Decimal | None]]:
    """Quantity and gain of closings."""
    return [(one.quantity.value, one.realised.amount if one.realised is not None else None) for one in closings]


def split_lot(lot: Lot, split: Split) -> Lot:
    """A lot by itself after a split."""
    (after,) = split_lots([lot], split)
    return after
