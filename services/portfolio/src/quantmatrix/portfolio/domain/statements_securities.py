"""What a statement's symbols stand for: one instrument for every spelling, and what the booking of lots is given of an entry."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.domain.lots import Fill, Lot, Premium
from quantmatrix.portfolio.domain.methods import LotMethods
from quantmatrix.portfolio.domain.statements import Entry
from quantmatrix.portfolio.domain.statements_identities import is_option, option_terms
from quantmatrix.portfolio.domain.statements_standing import Key

TRIGGERED_BY = "statement"
MICROSECOND = timedelta(microseconds=1)
_OCC_DAY = re.compile(r".{1,6}?\s*(\d{2})(\d{2})(\d{2})[CP]\d{8}")
_SPELLED_DAY = re.compile(r".+ (\d{2}[A-Z]{3}\d{2}) [0-9.]+ [CP]")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

Listed = Callable[[str, AssetClass, str], Instrument | None]
"""The instrument that is known under a symbol, class and currency; None where none is."""


def none_listed(symbol: str, asset_class: AssetClass, currency: str) -> Instrument | None:
    """Nothing is known: every symbol gets an identity of its own."""
    return None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose lots they are, which instruments are known already, and what a person said of the account.

    supplied: total basis and day of purchase by lot. methods: which lots its sales use up, by the day of the sale.
    """

    user_id: UserId = FIRST_ADMINISTRATOR
    listed: Listed = none_listed
    supplied: Mapping[UUID, tuple[Money, date | None]] = field(default_factory=dict)
    methods: LotMethods = field(default_factory=LotMethods)
    named: dict[Key, Instrument] = field(default_factory=dict)


def spelled(symbol: str) -> str:
    """One spelling for every contract, `ROOT 16JUL21 20 C`, whether it was printed that way, with decimals or by the OCC."""
    terms = option_terms(symbol)
    if terms is None:
        return symbol
    root, right, strike = terms
    printed, occ = _SPELLED_DAY.fullmatch(symbol), _OCC_DAY.fullmatch(symbol)
    if printed is not None:
        day = printed[1]
    elif occ is not None and 1 <= int(occ[2]) <= len(_MONTHS):
        day = f"{occ[3]}{_MONTHS[int(occ[2]) - 1]}{occ[1]}"
    else:
        return symbol
    return f"{root} {day} {plain(strike)} {right}"


def key_of(entry: Entry) -> Key:
    """Account and symbol of an entry that has one."""
    return entry.account, spelled(entry.symbol or "")


def asset_class_of(entry: Entry) -> AssetClass:
    """Our word for the broker's class; what no word says is taken for a stock."""
    words = entry.asset.lower()
    if is_option(entry) or option_terms(entry.symbol or "") is not None:
        return AssetClass.OPTION
    if "future" in words or words == "fut":
        return AssetClass.FUTURE
    if "crypto" in words:
        return AssetClass.CRYPTO
    return AssetClass.FUND if "fund" in words else AssetClass.STOCK


def at_of(entry: Entry) -> datetime:
    """When it happened; where only the day is known, its beginning."""
    return entry.at or datetime.combine(entry.session, time(), UTC)


def instrument_of(holder: Holder, key: Key, entry: Entry | None, currency: str) -> Instrument:
    """The instrument of a key; what was told of it first stays. Prices of options are per unit, a contract is a hundred."""
    known = holder.named.get(key)
    if known is not None and (known.currency == currency or entry is None):
        return known
    asset_class = asset_class_of(entry) if entry is not None else _class_of(key[1])
    multiplier = entry.multiplier if entry is not None and entry.multiplier else Quantity(100 if asset_class is AssetClass.OPTION else 1)
    found = holder.listed(key[1], asset_class, currency)
    if found is None:
        identity = InstrumentId(short_token("security", asset_class, key[1], currency))
        found = Instrument(identity, key[1], asset_class, currency, multiplier)
    return holder.named.setdefault(key, found) if known is None else found


def _class_of(symbol: str) -> AssetClass:
    return AssetClass.OPTION if option_terms(symbol) is not None else AssetClass.STOCK


def fill_of(holder: Holder, key: Key, entry: Entry, index: int, premium: Premium | None, base: str) -> Fill:
    """An entry as a fill; the place in the file settles equal times."""
    assert entry.quantity is not None
    currency = entry.amount.currency if entry.amount is not None else base
    fee = entry.fee if entry.fee is not None and entry.fee.currency == currency else Money.zero(currency)
    return Fill(
        fill_id=fill_id_of(entry),
        account_id=AccountId(key[0]),
        user_id=holder.user_id,
        instrument=instrument_of(holder, key, entry, currency),
        side=Side.BUY if entry.quantity.value > 0 else Side.SELL,
        quantity=abs(entry.quantity),
        price=entry.price or Price(Decimal(0)),
        fee=fee,
        session=entry.session,
        executed_at=at_of(entry) + index * MICROSECOND,
        triggered_by=TRIGGERED_BY,
        amount=_paid(entry, currency),
        premium=premium,
    )


def _paid(entry: Entry, currency: str) -> Money:
    """What a purchase cost or a sale brought; a purchase that brought money costs less than nothing."""
    if entry.amount is None or entry.quantity is None:
        return Money.zero(currency)
    return -entry.amount if entry.quantity.value > 0 else entry.amount


def fill_id_of(entry: Entry) -> FillId:
    """The id of what an entry books: the same for the same row of every file."""
    return FillId(derived_id("statement", entry.account, entry.broker_key))


def lot_of(holder: Holder, key: Key, quantity: Quantity, basis: Money | None, at: datetime, currency: str, about: str) -> Lot:
    """A lot that no trade opened: held before, transferred, granted, received. A basis that nobody printed may have been supplied."""
    identity = derived_id("statement lot", *key, about)
    acquired = None
    if basis is None and identity in holder.supplied:
        basis, acquired = holder.supplied[identity]
    lot = Lot(
        lot_id=LotId(identity), fill_id=FillId(identity), account_id=AccountId(key[0]), user_id=holder.user_id,
        instrument=instrument_of(holder, key, None, basis.currency if basis is not None else currency), opened_quantity=quantity,
        quantity=quantity, basis=basis, opened_on=at.date(), opened_at=at, triggered_by=TRIGGERED_BY, dated=basis is not None,
    )  # fmt: skip
    return lot if acquired is None else acquired_earlier(lot, acquired)


def acquired_earlier(lot: Lot, acquired: date) -> Lot:
    """The lot with a holding that goes back to the day it was acquired elsewhere."""
    return replace(
        lot, opened_on=acquired, opened_at=datetime.combine(acquired, lot.opened_at.timetz()), dated=True, arrived_on=lot.opened_on
    )
